/** The bus and the store of a fleet: two connections to one NATS server with JetStream. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Bus, connectNatsBus } from "../../runtime/bus/index.ts";
import { settlesWithin, systemClock } from "../../runtime/clock/index.ts";
import { connectJetStreamStore } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { type BusAccess, describeAddress, isServerAddress, readBusAddress } from "./bus-address.ts";
import { type Fleet, openFleet } from "../../fleet/fleet.ts";

/** Limit of closing, ms: a process that ends publishes nothing that is still needed. */
const CLOSE_MS = 5_000;

export interface ConnectedFleet extends AsyncDisposable {
  readonly bus: Bus;
  readonly fleet: Fleet;
}

export interface ConnectFleetOptions {
  /** `nats://host:port`, a node.yaml, or the access that one describes. */
  readonly address: string | BusAccess;
  /** Name of the connections, shown by the server. */
  readonly name: string;
  /** Time limit of the first connection, a starting server included, ms. @default 10000 */
  readonly connectTimeoutMs?: number;
  /** Aborts the connection attempt. */
  readonly signal?: AbortSignal;
}

/** Rejects with KN_CONFIG for an address of another kind, KN_UNAVAILABLE when no server with JetStream answers. */
export async function connectFleet(
  { address, name, connectTimeoutMs, signal }: ConnectFleetOptions,
  { log }: { readonly log: Logger },
): Promise<ConnectedFleet> {
  const access = typeof address === "string" && isServerAddress(address) ? await readBusAddress(address) : address;
  if (typeof access === "string") {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "reach the fleet",
      rule: "--bus must be the URL of its NATS server, like nats://127.0.0.1:4222, or a node.yaml",
      value: describeAddress(access),
      remedy: "correct --bus or KN_BUS",
    });
  }
  const options = {
    ...access,
    name,
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  };
  const bus = await connectNatsBus(options, {
    onHandlerError: (error, subject) => {
      log.error({ err: error, subject }, "handler failed");
    },
  });
  try {
    const store = await connectJetStreamStore(options);
    return {
      bus,
      fleet: await openFleet(store),
      async [Symbol.asyncDispose]() {
        await settlesWithin(CLOSE_MS, Promise.all([bus.close(), store.close()]), systemClock());
      },
    };
  } catch (error) {
    await bus.close();
    throw error;
  }
}
