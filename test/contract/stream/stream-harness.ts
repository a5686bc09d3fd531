/** What the stream contract needs of a broker, and how messages between two actors get lost. */
import type { Bus } from "../../../src/runtime/bus/index.ts";

/** A broker with connections, which can be interrupted and restored. */
export interface StreamHarness extends AsyncDisposable {
  connect(): Promise<Bus>;
  /** Takes the broker away. */
  interrupt(): Promise<void>;
  /** Brings it back. */
  restore(): Promise<void>;
  /** Resolves when everything that was published is handled, and everything published by that, and so on. */
  settle(buses: readonly Bus[]): Promise<void>;
}

export type StreamFactory = () => Promise<StreamHarness>;

/** Of the broker that the factory starts: frames of the contract take several chunks. */
export const STREAM_MAX_PAYLOAD_BYTES = 4096;

/** What becomes of one message. */
export const FATES = ["deliver", "drop", "duplicate", "delay"] as const;
export type Fate = (typeof FATES)[number];

/** The network between two actors: draws a fate for each message that is published. */
export interface LossyNetwork {
  /** The same bus, whose messages meet their fate. */
  through(bus: Bus): Bus;
  /** Delivers what was delayed. */
  release(): void;
  /** From now on every message is delivered. */
  calm(): void;
}

export function createLossyNetwork(fates: readonly Fate[]): LossyNetwork {
  let drawn = 0;
  let isCalm = false;
  let delayed: (() => void)[] = [];
  const release = (): void => {
    const due = delayed;
    delayed = [];
    for (const publish of due) publish();
  };
  return {
    through: (bus) =>
      Object.create(bus, {
        publish: {
          value: (...[subject, data, options]: Parameters<Bus["publish"]>) => {
            const fate: Fate = isCalm ? "deliver" : (fates[drawn % fates.length] ?? "deliver");
            drawn += 1;
            const copy = data.slice();
            const publish = (): void => {
              bus.publish(subject, copy, options);
            };
            if (fate === "drop") return;
            if (fate === "delay") {
              delayed.push(publish);
              return;
            }
            publish();
            if (fate === "duplicate") publish();
            if (delayed.length > 2) release(); // behind newer ones
          },
        },
      }) as Bus,
    release,
    calm() {
      isCalm = true;
      release();
    },
  };
}
