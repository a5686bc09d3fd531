/** Observing as its users have it: off, allowed for those who ask, redacted; in a folder and on a bus. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { folderModels } from "../../src/apps/models/index.ts";
import { connectClient } from "../../src/client/index.ts";
import type { ObservedInput } from "../../src/messages/index.ts";
import { openObservationLog } from "../../src/models/observations/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { connectJetStreamStore, type Store } from "../../src/runtime/store/index.ts";
import { KN, kn } from "../support/kn.ts";
import { describeWithNats, startTestNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const TEACHER = fileURLToPath(new URL("../../examples/mnist-teacher.yaml", import.meta.url));
const SMALL = ["--set", "data.limit=640", "--set", "data.holdout=100", "--json"];
const FILES = ["one.png", "two.png"];

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;
let folder: Folder;
let run = "";
/** 28 x 28 grey values of each file. */
const pixels = FILES.map((_, file) => Uint8Array.from({ length: 784 }, (__, index) => (index * (file + 1)) % 256));

async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await kn(args, folder.path).ended;
  expect({ code, stderr }, args.join(" ")).toMatchObject({ code: 0 });
  return stdout;
}

interface Server extends AsyncDisposable {
  readonly url: string;
}

/** `kn serve` on a free port, when it is ready. */
async function serve(...args: string[]): Promise<Server> {
  const child: ChildProcess = spawn(process.execPath, [KN, "serve", "digits", "--http", "127.0.0.1:0", ...args], {
    cwd: folder.path,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const onData = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout?.on("data", onData);
  child.stderr?.on("data", onData);
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      resolve();
    });
  });
  const url = await waitFor(() => /digits at (http:\S+)\/v2\/models\/digits/.exec(text)?.[1], `an address`, 30_000);
  const isReady = async (): Promise<boolean> => (await fetch(`${url}/v2/models/digits/ready`)).status === 200;
  await waitFor(isReady, `the model to be ready: ${text}`, 60_000);
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function observationsIn(store: Store): Promise<ObservedInput[]> {
  const found: ObservedInput[] = [];
  for await (const { observation } of (await openObservationLog(store, "digits")).read()) {
    if (observation === undefined) throw new Error("an entry is no observation");
    found.push(observation);
  }
  return found;
}

const atLeast = (count: number, found: readonly ObservedInput[]) => (found.length >= count ? found : undefined);

async function inFolder(): Promise<ObservedInput[]> {
  await using models = folderModels({ directory: join(folder.path, "models") }, { clock: systemClock() });
  return await models.read(observationsIn);
}

beforeAll(async () => {
  folder = await temporaryFolder();
  run = (JSON.parse(await done("run", TEACHER, ...SMALL)) as { run: string }).run;
  await done("publish", run, "--model", "digits", "--promote");
  for (const [index, file] of FILES.entries()) {
    const data = pixels[index] ?? new Uint8Array();
    await writeFile(join(folder.path, file), encode({ width: 28, height: 28, data, channels: 1 }));
  }
}, 180_000);

afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

describe("kn observe", { timeout: 180_000 }, () => {
  it("ends with KN_CONFIG where the server does not allow it, which answers as before", async () => {
    await using server = await serve();
    const { code, stderr } = await kn(["observe", "digits", ...FILES, "--url", server.url], folder.path).ended;
    expect(stderr).toMatch(/^KN_CONFIG: .*--observe/);
    expect(code).toBe(2);
    await done("predict", "digits", "one.png", "--url", server.url);
    expect(await inFolder()).toEqual([]);
  });

  it("gives files to the observer of a server that takes those which ask for it", async () => {
    await using server = await serve("--observe", "--observe-requests", "asked");
    await done("predict", "digits", "one.png", "--url", server.url);
    const told = await done("observe", "digits", ...FILES, "--url", server.url);
    expect(told).toMatch(/^one\.png: \d \(\d+\.\d\d %\) by release 1/m);
    await using client = await connectClient({ url: server.url });
    await client.infer(Float32Array.from({ length: 784 }, () => 0.5));
    const observed = await waitFor(async () => atLeast(2, await inFolder()), "the observations", 30_000, 200);
    expect(observed.map(({ number, release, input }) => [number, release, [...input.values]])).toEqual(
      pixels.map((values, number) => [number, 1, [...values]]),
    );
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(/^kn_observations_total\{.*outcome="logged"\} 2$/m);
    expect(metrics).toMatch(/^kn_live_inputs_total\{.*outcome="sent"\} 2$/m);
  });

  it("refuses options that fit no observing", async () => {
    await writeFile(join(folder.path, "none.mjs"), "export const other = 1;");
    for (const [args, message] of [
      [["--observe-inputs", "10"], /KN_CONFIG.*--observe/],
      [["--observe", "--observe-bytes", "100"], /KN_CONFIG.*bytesPerMinute/],
      [["--observe", "--redact", "none.mjs"], /KN_CONFIG.*`redact`/],
      [["--observe", "--redact", "missing.mjs"], /KN_CONFIG.*ES module/],
    ] as const) {
      const { code, stderr } = await kn(["serve", "digits", "--http", "127.0.0.1:0", ...args], folder.path).ended;
      expect(stderr).toMatch(message);
      expect(code).toBe(2);
    }
  });
});

describeWithNats("kn serve --observe on a bus", { timeout: 180_000 }, () => {
  it("appends redacted inputs of all requests to the log of the fleet's store", async () => {
    await using nats = await startTestNats({ jetstream: true });
    const bus = ["--bus", nats.url];
    await done("publish", run, "--runs", "runs", "--model", "digits", "--promote", ...bus);
    await writeFile(
      join(folder.path, "redact.mjs"),
      "export const redact = (payload) => (payload[1] === 2 ? undefined : payload.map((value) => 255 - value));",
    );
    await using server = await serve(...bus, "--observe", "--redact", "redact.mjs");
    for (const file of FILES) await done("predict", "digits", file, "--url", server.url);
    await using store = await connectJetStreamStore({ servers: nats.url, name: "test" });
    const observed = await waitFor(async () => atLeast(1, await observationsIn(store)), "an observation", 30_000, 200);
    expect(observed.map(({ input }) => [...input.values])).toEqual([
      [...(pixels[0] ?? [])].map((value) => 255 - value),
    ]);
  });
});
