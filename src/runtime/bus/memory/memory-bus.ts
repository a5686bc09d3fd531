/** The bus of a single process: a broker of its own with one connection. */
import type { Bus } from "../bus.ts";
import type { BusDeps } from "../link/index.ts";
import { createMemoryBroker, type MemoryBrokerOptions } from "./memory-broker.ts";

export function memoryBus(options: MemoryBrokerOptions & BusDeps = {}): Bus {
  return createMemoryBroker(options).connect(options);
}
