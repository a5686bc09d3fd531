/** Shared by the parts of the bus contract: the harness of an adapter, and ways to observe messages. */
import type {
  Bus,
  BusHandler,
  HandlerErrorListener,
  ServiceDefinition,
  Subscription,
} from "../../../src/runtime/bus/index.ts";
import { waitFor } from "../../support/wait-for.ts";

/** Connections to one broker, which can be interrupted and restored. */
export interface BusHarness extends AsyncDisposable {
  connect(onHandlerError?: HandlerErrorListener): Promise<Bus>;
  /** Takes the broker away; resolves when it is gone. */
  interrupt(): Promise<void>;
  /** Brings it back. */
  restore(): Promise<void>;
}

export type BusFactory = () => Promise<BusHarness>;

/** Of the broker that the factory starts: far below the default, so that the limit is cheap to reach. */
export const CONTRACT_MAX_PAYLOAD_BYTES = 64 * 1024;

export const NOTHING = new Uint8Array(0);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);
export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
export const ignore: BusHandler = () => undefined;

/** Runs `body` with a broker of its own and a connection to it. */
export async function withBus(
  factory: BusFactory,
  body: (bus: Bus, harness: BusHarness) => Promise<void>,
): Promise<void> {
  await using harness = await factory();
  await using bus = await harness.connect();
  await body(bus, harness);
}

/** Subscribes and collects texts. */
export async function collect(
  bus: Bus,
  subject: string,
  queue?: string,
): Promise<{ seen: string[]; subscription: Subscription }> {
  const seen: string[] = [];
  const options = queue === undefined ? {} : { queue };
  const subscription = bus.subscribe(subject, ({ data }) => void seen.push(text(data)), options);
  await bus.flush();
  return { seen, subscription };
}

/** Resolves when everything that `bus` published so far has been handled by `receiver`, `bus` itself when omitted. */
export async function settle(bus: Bus, receiver: Bus = bus): Promise<void> {
  const subject = `settle.${crypto.randomUUID()}`;
  let isHere = false;
  receiver.subscribe(subject, () => {
    isHere = true;
  });
  await receiver.flush();
  bus.publish(subject, NOTHING);
  await waitFor(() => isHere, "the marker");
}

/** A service like that of a block. */
export const definition = (parts: Partial<ServiceDefinition> = {}): ServiceDefinition => ({
  name: "kn-block",
  version: "1.2.3",
  description: "A block",
  metadata: { run: "demo" },
  endpoints: [],
  stats: () => ({ steps: 7 }),
  ...parts,
});
