/**
 * MLServer 1.7.1 on an exported network: the reference among servers of the Open Inference Protocol. Its packages (1.9 GB) are
 * installed once, into a virtual environment in the cache folder, by the ordinary pip of the machine's Python 3.11.
 *
 * It gets what its documentation advises for a small network: no worker processes (`parallel_workers` 0: a hop less), adaptive
 * batching, orjson and uvloop. It knows no binary tensors over REST, so its requests are JSON.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { cacheRoot, PACKAGE_ROOT } from "../../../../setup/index.ts";

const VERSION = "1.7.1";
const REQUIREMENTS = [
  `mlserver==${VERSION}`,
  "tensorflow-cpu==2.21.0",
  "onnxruntime==1.32.0",
  "onnx==1.23.2",
  "safetensors==0.8.0",
];
const RUNTIME_FOLDER = join(PACKAGE_ROOT, "tools", "bench", "serving", "mlserver");
const READY_TIMEOUT_MS = 120_000;
/** Longest that a request waits for others, s. Its batcher always waits; this is the shortest that still batches. */
const MAX_BATCH_SECONDS = 0.001;

export interface MlServerOptions {
  /** Written by `kn export --format keras-json`. */
  readonly network: string;
  readonly engine: "keras" | "onnx";
  /** 0: requests are not batched. */
  readonly maxBatch: number;
}

export interface MlServer extends AsyncDisposable {
  readonly url: string;
  readonly model: string;
}

const MODEL = "network";

/** Rejects with KN_UNAVAILABLE where it cannot be installed or does not come up. */
export async function startMlServer({ network, engine, maxBatch }: MlServerOptions): Promise<MlServer> {
  const environment = await installed();
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-mlserver-"));
  const [port, grpcPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  await writeFile(
    join(folder, "settings.json"),
    JSON.stringify({
      debug: false,
      host: "127.0.0.1",
      http_port: port,
      grpc_port: grpcPort,
      metrics_port: metricsPort,
      parallel_workers: 0,
      use_structured_logging: false,
    }),
  );
  await writeFile(
    join(folder, "model-settings.json"),
    JSON.stringify({
      name: MODEL,
      implementation: "knowledgenet_runtime.Runtime",
      ...(maxBatch > 1 ? { max_batch_size: maxBatch, max_batch_time: MAX_BATCH_SECONDS } : {}),
      parameters: { uri: network, version: "1", extra: { engine } },
    }),
  );
  const child = spawn(join(environment, "bin", "mlserver"), ["start", folder], {
    cwd: folder,
    env: {
      ...process.env,
      PYTHONPATH: RUNTIME_FOLDER,
      PATH: `${join(environment, "bin")}:${process.env["PATH"] ?? ""}`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => log.push(part));
  const end = async (): Promise<void> => {
    await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await ready(`${url}/v2/models/${MODEL}/ready`, child);
  } catch (error) {
    await end();
    throw unavailable(
      "start MLServer",
      `it must be ready: ${Buffer.concat(log).toString("utf8").slice(-2_000)}`,
      error,
    );
  }
  return { url, model: MODEL, [Symbol.asyncDispose]: end };
}

/** @returns the folder of the virtual environment */
async function installed(): Promise<string> {
  const folder = join(cacheRoot(process.env), "mlserver", VERSION);
  if (await exists(join(folder, ".complete"))) return folder;
  await mkdir(join(folder, ".."), { recursive: true });
  await run("python3", ["-m", "venv", "--clear", folder]);
  await run(join(folder, "bin", "python"), ["-m", "pip", "install", "--quiet", ...REQUIREMENTS]);
  await writeFile(join(folder, ".installing"), `${REQUIREMENTS.join("\n")}\n`);
  await rename(join(folder, ".installing"), join(folder, ".complete"));
  return folder;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    const errors: Buffer[] = [];
    child.stderr.on("data", (part: Buffer) => errors.push(part));
    child.on("error", (error) => {
      reject(unavailable("install MLServer", `${command} must be there`, error));
    });
    child.on("close", (code) => {
      const text = Buffer.concat(errors).toString("utf8").slice(-1_000);
      if (code === 0) resolve();
      else reject(unavailable("install MLServer", `${command} ${args[0]} must succeed: ${text}`));
    });
  });
}

async function ready(url: string, child: ChildProcess): Promise<void> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it was not ready within ${READY_TIMEOUT_MS} ms`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await closed;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}

function unavailable(attempt: string, rule: string, cause?: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", { attempt, rule, ...(cause === undefined ? {} : { cause }) });
}
