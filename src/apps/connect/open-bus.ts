/** Opens the bus that `--bus` names: in memory, a running server, or a private server for the duration of the run. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Bus, connectNatsBus, type HandlerErrorListener, memoryBus } from "../../runtime/bus/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { type LocalNatsServer, startLocalNatsServer } from "../../runtime/nats/local-nats-server.ts";
import { describeAddress, isServerAddress, readBusAddress } from "./bus-address.ts";
import { natsServerBinary } from "./nats-server-binary.ts";

export interface OpenBusOptions {
  /** "memory", "nats:" for a private server, a server's URL, or a file that names one. */
  readonly bus: string;
  /** Name of the connection, shown by the server. */
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
}

export interface OpenedBus extends AsyncDisposable {
  readonly bus: Bus;
  /** True where no other process can reach it. */
  readonly isPrivate: boolean;
}

/**
 * Rejects with KN_UNAVAILABLE when the server cannot be reached or started, KN_CONFIG for an address of another kind.
 */
export async function openBus({ bus: address, name, env, log }: OpenBusOptions): Promise<OpenedBus> {
  const onHandlerError = (error: unknown, subject: string): void => {
    log.error({ err: error, subject }, "handler failed");
  };
  if (address === "memory") {
    const bus = memoryBus({ onHandlerError });
    return { bus, isPrivate: true, [Symbol.asyncDispose]: () => bus.close() };
  }
  if (address === "nats:") {
    const binary = natsServerBinary("for this run", env);
    return openPrivateServer(binary, { name, onHandlerError });
  }
  if (isServerAddress(address)) {
    const bus = await connectNatsBus({ ...(await readBusAddress(address)), name }, { onHandlerError });
    return { bus, isPrivate: false, [Symbol.asyncDispose]: () => bus.close() };
  }
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "open the bus",
    rule: "--bus must be `memory`, `nats:`, a URL like nats://127.0.0.1:4222, or a node.yaml",
    value: describeAddress(address),
  });
}

/** A private server, its files, and a connection to it: all three end together. */
async function openPrivateServer(
  binary: string,
  { name, onHandlerError }: { readonly name: string; readonly onHandlerError: HandlerErrorListener },
): Promise<OpenedBus> {
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-nats-"));
  let server: LocalNatsServer | undefined;
  const close = async (): Promise<void> => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    server = await startLocalNatsServer({ binary, jetstreamDir: folder });
    const bus = await connectNatsBus({ servers: server.url, name }, { onHandlerError });
    return {
      bus,
      isPrivate: true,
      async [Symbol.asyncDispose]() {
        await bus.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
