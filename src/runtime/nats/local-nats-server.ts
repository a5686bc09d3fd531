/**
 * A nats-server for the length of a run or a test: bound to this machine, on a free port, with the message size that
 * tensors need. It ends by `stop`, or with the process that started it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";

const DEFAULT_MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;
/** In nats-server's configuration: any free port. */
const ANY_PORT = -1;
/** A start takes some 50 ms; recovering a large JetStream folder, seconds. */
const START_TIMEOUT_MS = 30_000;
/** Time to write JetStream's files after the request to stop, before the kill. */
const STOP_TIMEOUT_MS = 10_000;
/** Of the server's log, for the message when it fails to start. */
const KEPT_LOG_CHARACTERS = 16_384;

export interface LocalNatsServerOptions {
  /** Path of the nats-server program. */
  readonly binary: string;
  /** Folder of JetStream's files. Omitted: no JetStream. */
  readonly jetstreamDir?: string;
  /** 0 or -1: a free one. @default -1 */
  readonly port?: number;
  /** @default "127.0.0.1": no other machine reaches it */
  readonly host?: string;
  /** Largest message, bytes. @default 8 MiB, instead of the server's 1 MiB */
  readonly maxPayloadBytes?: number;
  /** Gives up starting. Later it has no effect. */
  readonly signal?: AbortSignal;
}

export interface LocalNatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process has ended: with an error when that was not asked for. Never rejects. */
  readonly closed: Promise<void | Error>;
  /** Ends it in order: connections are closed, files are written. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}

/** Rejects with KN_UNAVAILABLE when the program cannot run or the port is taken, with `signal.reason` on abort. */
export async function startLocalNatsServer(options: LocalNatsServerOptions): Promise<LocalNatsServer> {
  const { binary, host = "127.0.0.1", signal } = options;
  signal?.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-nats-"));
  const configPath = join(folder, "server.conf");
  await writeFile(configPath, configuration(options, host));

  // A process group of its own: Ctrl-C does not reach it, and the last checkpoint still needs the server.
  const child = spawn(binary, ["--config", configPath], { stdio: ["ignore", "ignore", "pipe"], detached: true });
  const unbind = killWithParent(child);

  let isEnding = false;
  const closed = ended(child).then(async (reason) => {
    unbind();
    await rm(folder, { recursive: true, force: true });
    return isEnding ? undefined : stopped(binary, reason);
  });
  const end = async (how: "SIGTERM" | "SIGKILL"): Promise<void> => {
    isEnding = true;
    child.kill(how);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await closed;
    clearTimeout(timer);
  };

  try {
    const port = await ready(child, options);
    const stop = (): Promise<void> => end("SIGTERM");
    return {
      url: `nats://${host}:${port}`,
      port,
      pid: child.pid ?? 0,
      closed,
      stop,
      kill: () => end("SIGKILL"),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await end("SIGKILL");
    throw error;
  }
}

/**
 * Ends the server when we end, however we do: no exit handler runs on a signal, so a shell waits at a pipe that the
 * kernel closes with our process. Without a shell (a bare image) the exit handler is what is left.
 * @returns what ends this, for when the server is gone: its process id may then be another's
 */
function killWithParent(server: ChildProcess): () => void {
  const endIt = (): void => {
    server.kill("SIGKILL");
  };
  process.once("exit", endIt);
  const watcher =
    server.pid === undefined
      ? undefined
      : spawn("sh", ["-c", 'read -r _; kill -KILL "$0"', String(server.pid)], {
          stdio: ["pipe", "ignore", "ignore"],
          detached: true,
        });
  watcher?.once("error", () => undefined);
  watcher?.unref();
  return () => {
    process.removeListener("exit", endIt);
    watcher?.kill("SIGKILL");
  };
}

function configuration(options: LocalNatsServerOptions, host: string): string {
  const { jetstreamDir, port = ANY_PORT, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES } = options;
  const lines = [
    `host: ${JSON.stringify(host)}`,
    `port: ${port === 0 ? ANY_PORT : port}`,
    `max_payload: ${maxPayloadBytes}`,
    // Bytes queued for a client before it counts as slow: some messages of the largest size.
    `max_pending: ${Math.max(64 * 1024 * 1024, 8 * maxPayloadBytes)}`,
  ];
  if (jetstreamDir !== undefined) lines.push(`jetstream { store_dir: ${JSON.stringify(jetstreamDir)} }`);
  return `${lines.join("\n")}\n`;
}

/** Resolves with the port once the server reports that it is ready. */
function ready(child: ChildProcess, { binary, port, signal }: LocalNatsServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    let log = "";
    let isSettled = false;
    const settle = (done: () => void): void => {
      isSettled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      child.removeListener("error", onError);
      child.removeListener("close", onClose);
      done();
    };
    const fail = (rule: string, value: string, remedy: string, cause?: unknown): void => {
      settle(() => {
        reject(new KnowledgeNetError("KN_UNAVAILABLE", { attempt: `start ${binary}`, rule, value, remedy, cause }));
      });
    };
    const onAbort = (): void => {
      settle(() => {
        reject(signal?.reason as Error);
      });
    };
    const onError = (error: Error): void => {
      fail(
        "the program must be there and run",
        error.message,
        "run `npm run setup`, or name one by KN_NATS_SERVER",
        error,
      );
    };
    const onClose = (): void => {
      if (log.includes("address already in use")) {
        fail("its port must be free", `port ${port} is in use`, "choose another port, or 0 for a free one");
      } else {
        fail("it must come up", lastErrorLine(log), "fix what it reports");
      }
    };
    const timer = setTimeout(() => {
      fail(
        `it must be ready within ${START_TIMEOUT_MS} ms`,
        lastErrorLine(log),
        "check the machine's load and the folder's size",
      );
    }, START_TIMEOUT_MS);
    child.once("error", onError);
    // Not "exit": the log may still be on its way then.
    child.once("close", onClose);
    // Read for its whole life: a full pipe would stop the server.
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (isSettled) return;
      log = (log + text).slice(-KEPT_LOG_CHARACTERS);
      const found = log.includes("Server is ready")
        ? /Listening for client connections on \S+:(\d+)/.exec(log)?.[1]
        : undefined;
      if (found === undefined) return;
      settle(() => {
        resolve(Number(found));
      });
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort(); // while the configuration was written
  });
}

/** The last error in the log, without its process id and time. */
function lastErrorLine(log: string): string {
  const lines = log.trim().split("\n");
  const line = lines.findLast((each) => /\[(FTL|ERR)\]/.test(each)) ?? lines.at(-1) ?? "";
  return line.replace(/^\[\d+\] \S+ \S+ /, "") || "nothing logged";
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      resolve(error.message);
    });
    child.once("close", (code, killedBy) => {
      resolve(killedBy ?? `exit code ${code}`);
    });
  });
}

function stopped(binary: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `keep ${binary} running`,
    rule: "only this process may end it",
    value,
    remedy: "start it again",
  });
}
