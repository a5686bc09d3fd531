/** A nats-server of our own, for the length of a run or a test. */
import { type ChildProcess, spawn } from "node:child_process";
import { KnowledgeNetError } from "../errors/index.ts";

export interface LocalNatsServerOptions {
  readonly binary: string;
  /** Folder of JetStream's files; omitted: no JetStream. */
  readonly jetstreamDir?: string;
  /** @default -1: a free one */
  readonly port?: number;
  /** @default "127.0.0.1" */
  readonly host?: string;
}

export interface LocalNatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

export async function startLocalNatsServer(options: LocalNatsServerOptions): Promise<LocalNatsServer> {
  const { binary, jetstreamDir, port = -1, host = "127.0.0.1" } = options;
  const child: ChildProcess = spawn(binary, ["-a", host, "-p", String(port), ...(jetstreamDir === undefined ? [] : ["-js", "-sd", jetstreamDir])], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => { resolve(); }));
  let text = "";
  const found = await new Promise<number>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const at = /Listening for client connections on \S+:(\d+)/.exec(text);
      if (at !== null && text.includes("Server is ready")) resolve(Number(at[1]));
    });
    child.once("exit", () => { reject(new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "start nats-server", rule: "it must come up", value: text.trim().split("\n").at(-1) ?? "" })); });
  });
  const stop = async (): Promise<void> => { child.kill("SIGTERM"); await exited; };
  return { url: `nats://${host}:${found}`, port: found, stop, [Symbol.asyncDispose]: stop };
}
