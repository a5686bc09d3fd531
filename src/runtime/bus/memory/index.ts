/**
 * The embedded bus.
 *
 * @example
 * const broker = createMemoryBroker();
 * const [here, there] = [broker.connect(), broker.connect()];
 * there.subscribe("greet.*", (message) => void message.respond(new TextEncoder().encode("hello")));
 * const { data } = await here.request("greet.ann", new Uint8Array());
 */
export { createMemoryBroker, type MemoryBroker, type MemoryBrokerOptions } from "./memory-broker.ts";
export { memoryBus } from "./memory-bus.ts";
