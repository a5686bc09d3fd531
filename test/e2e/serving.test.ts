/** A model as its users have it: published, promoted, served, asked over HTTP, the bus and the command line, changed, stopped. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDataset } from "../../src/apps/open-dataset.ts";
import { KN, kn } from "../support/kn.ts";
import { describeWithNatsCli, natsCliPath, startTestNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const TEACHER = fileURLToPath(new URL("../../examples/mnist-teacher.yaml", import.meta.url));
const SMALL = ["--set", "data.limit=6400", "--set", "data.holdout=500", "--json"];
/** Digits that are asked for; a network of 50 steps knows most of them. */
const DIGITS = 20;
const KNOWN_DIGITS = 15;

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;
let folder: Folder;
/** PNG files of the test set's first digits, and what they show. */
const digits: { readonly png: Uint8Array; readonly label: string }[] = [];
const runs: string[] = [];

async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await kn(args, folder.path).ended;
  expect(stderr + stdout, args.join(" ")).not.toContain("KN_");
  expect(code).toBe(0);
  return stdout;
}

interface Server extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  /** Everything that it has written. */
  readonly text: () => string;
  readonly ended: Promise<number | null>;
}

/** `kn serve` on a free port. */
async function serve(...args: string[]): Promise<Server> {
  const child = spawn(process.execPath, [KN, "serve", "digits", "--http", "127.0.0.1:0", ...args], {
    cwd: folder.path,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const onData = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on("data", onData);
  child.stderr.on("data", onData);
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  const url = await waitFor(() => /digits at (http:\S+)\/v2\/models\/digits/.exec(text)?.[1], "an address", 30_000);
  return {
    url,
    child,
    text: () => text,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function ready({ url, text }: Server): Promise<void> {
  await waitFor(
    async () => (await fetch(`${url}/v2/models/digits/ready`)).status === 200,
    `the model to be ready: ${text()}`,
    60_000,
  );
}

interface Answer {
  readonly model_version: string;
  readonly outputs: readonly { readonly name: string; readonly data: readonly (string | number)[] }[];
}

async function ask(url: string, png: Uint8Array): Promise<{ release: number; class: string }> {
  const response = await fetch(`${url}/v2/models/digits/infer`, { method: "POST", body: png });
  expect(response.status).toBe(200);
  return read((await response.json()) as Answer);
}

function read({ model_version: version, outputs }: Answer): { release: number; class: string } {
  return { release: Number(version), class: String(outputs.find(({ name }) => name === "class")?.data[0]) };
}

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const seed of [1, 2]) {
    const results = JSON.parse(await done("run", TEACHER, ...SMALL, "--set", `seed=${seed}`)) as { run: string };
    runs.push(results.run);
  }
  const { test } = await openDataset({ data: { dataset: "mnist", holdout: 0 }, env: process.env });
  const { samples, labels } = test.batch(Array.from({ length: DIGITS }, (_, index) => index));
  for (let index = 0; index < DIGITS; index += 1) {
    const data = Uint8Array.from(samples.values.subarray(index * 784, (index + 1) * 784));
    digits.push({ png: encode({ width: 28, height: 28, data, channels: 1 }), label: String(labels.values[index]) });
  }
}, 180_000);

afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

describe("kn serve", { timeout: 180_000 }, () => {
  it("waits for the first release, answers images, goes over to another release, and back", async () => {
    await using server = await serve();
    const { url } = server;
    expect((await fetch(`${url}/v2/health/live`)).status).toBe(200);
    expect((await fetch(`${url}/v2/models/digits/ready`)).status).toBe(503);
    expect(await done("publish", runs[0] ?? "", "--model", "digits")).toContain("release 1 of digits");
    await done("promote", "digits");
    await ready(server);
    let known = 0;
    for (const { png, label } of digits) {
      const answer = await ask(url, png);
      expect(answer.release).toBe(1);
      if (answer.class === label) known += 1;
    }
    expect(known).toBeGreaterThanOrEqual(KNOWN_DIGITS);

    const { png } = digits[0] ?? { png: new Uint8Array() };
    await done("publish", runs[1] ?? "", "--model", "digits");
    await done("promote", "digits");
    await waitFor(async () => (await ask(url, png)).release === 2, "release 2");
    await done("rollback", "digits");
    await waitFor(async () => (await ask(url, png)).release === 1, "release 1 again");
    expect(await done("live", "digits")).toContain("release 1");

    await writeFile(join(folder.path, "digit.png"), png);
    const shown = JSON.parse(await done("predict", "digits", "digit.png", "--url", url, "--json")) as {
      release: number;
      classes: { class: string; probability: number }[];
    };
    expect(shown).toMatchObject({ release: 1, model: "digits" });
    expect(shown.classes.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
  });

  it("leaves on SIGTERM with every answer that it owes, and code 0", async () => {
    // How long an answer takes on this machine is not the question.
    await using server = await serve("--target-ms", "10000", "--timeout-ms", "20000");
    await ready(server);
    const { png } = digits[1] ?? { png: new Uint8Array() };
    const asked = Promise.all(Array.from({ length: 40 }, () => ask(server.url, png)));
    await ask(server.url, png); // the others are under way
    server.child.kill("SIGTERM");
    expect(await asked).toHaveLength(40);
    expect(await server.ended).toBe(0);
    await expect(fetch(`${server.url}/v2/health/live`)).rejects.toThrow();
  });

  it("refuses a model that is not published, a port that is taken, and a place without a fleet", async () => {
    await using server = await serve();
    const taken = server.url.replace("http://", "");
    for (const [args, message] of [
      [["serve", "no/name"], /KN_CONFIG/],
      [["serve", "digits", "--http", taken], /KN_CONFIG.*free/],
      [["serve", "digits", "--nodes", "fleet"], /KN_CONFIG.*--bus/],
      [["serve", "digits", "--nodes", "moon"], /KN_CONFIG.*`here`/],
    ] as const) {
      const { code, stderr } = await kn(args, folder.path).ended;
      expect(stderr).toMatch(message);
      expect(code).toBe(2);
    }
  });
});

describeWithNatsCli("kn serve on a bus", { timeout: 240_000 }, () => {
  it("answers `nats request`, by blocks in processes of their own, and is listed by `nats service`", async () => {
    await using nats = await startTestNats({ jetstream: true });
    const bus = ["--bus", nats.url];
    await done("publish", runs[0] ?? "", "--runs", "runs", "--model", "digits", ...bus);
    await done("promote", "digits", ...bus);
    await using server = await serve(...bus, "--nodes", "spawn", "--blocks");
    await ready(server);
    const { png } = digits[0] ?? { png: new Uint8Array() };
    const overHttp = await ask(server.url, png);
    await writeFile(join(folder.path, "digit.png"), png);
    const command = async (...args: string[]): Promise<string> => {
      const shell = `"$0" --server ${nats.url} --no-context ${args.join(" ")}`;
      const { stdout } = await promisify(execFile)("sh", ["-c", shell, natsCliPath ?? ""], { cwd: folder.path });
      return stdout;
    };
    const reply = await command(
      "request",
      "kn.v1.infer.digits",
      "--raw",
      "--force-stdin",
      "--no-templates",
      "<",
      "digit.png",
    );
    expect(read(JSON.parse(reply) as Answer)).toEqual(overHttp);
    const listed = await command("service", "list", "--json");
    for (const name of ["kn-infer", "kn-gateway", "kn-replica"]) expect(listed).toContain(name);
    expect(await command("service", "stats", "kn-infer", "--json")).toContain('"answers"');
  });
});
