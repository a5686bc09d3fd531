/** A nats-server of this process that is kept running: when it ends it is started again, on its port and with its files. */
import type { Clock } from "../../runtime/clock/index.ts";
import { startLocalNatsServer } from "../../runtime/nats/local-nats-server.ts";

export interface KeptServerOptions {
  /** Path of the nats-server program. */
  readonly binary: string;
  /** Folder of JetStream's files. */
  readonly jetstreamDir: string;
}

export interface KeptServer extends AsyncDisposable {
  readonly url: string;
  /** Number of its current process. */
  readonly pid: number;
}

/** Before each start after an end, ms. */
const RESTART_MS = 500;

/** Rejects as `startLocalNatsServer` when it does not start at first. */
export async function keepServer(
  options: KeptServerOptions,
  { clock }: { readonly clock: Clock },
): Promise<KeptServer> {
  const stopping = new AbortController();
  const { signal } = stopping;
  let server = await startLocalNatsServer(options);
  const { url, port } = server;
  const keep = async (): Promise<void> => {
    for (;;) {
      await server.closed;
      await clock.sleep(RESTART_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      // Its port may be taken for a moment: then it stays closed, and the next turn tries again.
      server = await startLocalNatsServer({ ...options, port, signal }).catch(() => server);
      if (signal.aborted) await server.stop();
    }
  };
  const ended = keep();
  return {
    url,
    get pid() {
      return server.pid;
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await server.stop();
      await ended;
    },
  };
}
