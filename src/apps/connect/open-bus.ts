/** The bus that `--bus` names: in this process, a server that runs, or the provisioned server for the length of the run. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Bus, connectNatsBus, memoryBus } from "../../runtime/bus/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { startLocalNatsServer } from "../../runtime/nats/local-nats-server.ts";
import { locateTool } from "../../../setup/index.ts";
import { isServerAddress, readBusAddress } from "./bus-address.ts";

export interface OpenBusOptions {
  /** "memory", "nats:" for a server of our own, a server's URL, or a file that names one. */
  readonly bus: string;
  /** Name of the connection, shown by the server. */
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
}

export interface OpenedBus extends AsyncDisposable {
  readonly bus: Bus;
}

/** Rejects with KN_UNAVAILABLE when the server cannot be reached or started, KN_CONFIG for an address of another kind. */
export async function openBus({ bus: address, name, env, log }: OpenBusOptions): Promise<OpenedBus> {
  const onHandlerError = (error: unknown, subject: string): void => {
    log.error({ err: error, subject }, "handler failed");
  };
  if (address === "memory") {
    const bus = memoryBus({ onHandlerError });
    return { bus, [Symbol.asyncDispose]: () => bus.close() };
  }
  if (address === "nats:") {
    const binary = locateTool("nats-server", env);
    if (binary === undefined) {
      throw new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: "start a nats-server for this run",
        rule: "nats-server 2.12 or later must be there",
        value: "none found",
        remedy: "run `npm run setup`, or name a running server by --bus nats://host:4222",
      });
    }
    const folder = await mkdtemp(join(tmpdir(), "knowledgenet-nats-"));
    const server = await startLocalNatsServer({ binary, jetstreamDir: folder });
    const bus = await connectNatsBus({ servers: server.url, name }, { onHandlerError });
    return {
      bus,
      async [Symbol.asyncDispose]() {
        await bus.close();
        await server.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  }
  if (isServerAddress(address)) {
    const bus = await connectNatsBus({ ...(await readBusAddress(address)), name }, { onHandlerError });
    return { bus, [Symbol.asyncDispose]: () => bus.close() };
  }
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "open the bus",
    rule: "--bus must be `memory`, `nats:`, a URL like nats://127.0.0.1:4222, or a node.yaml",
    value: address,
  });
}
