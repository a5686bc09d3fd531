/** A fleet as its users have it: nodes and commands as processes, a real server with JetStream. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { spawnFleet } from "../../src/apps/fleet/spawned-fleet.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { type Ended, kn } from "../support/kn.ts";
import {
  describeWithNats,
  describeWithNatsCli,
  natsCliPath,
  startTestNats,
  type TestNats,
} from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/mnist-synthetic.yaml", import.meta.url));
/** Long enough not to end by itself. */
const LONG = ["data.limit=2560", "training.epochs=500", "checkpoint.everySteps=5", "evaluation.batchSize=2000"].flatMap(
  (setting) => ["--set", setting],
);
const LONG_MS = 180_000;

interface Account {
  readonly actor: string;
  readonly node: string;
  readonly published: number;
  readonly applied: number;
  readonly isBalanced: boolean;
}
interface Status {
  readonly step: number;
  readonly checkpoint: number;
  readonly state: string;
  readonly outcome: string | null;
  readonly blocks: readonly Account[];
}

/** @param prepare the server, before any node comes */
async function scene(prepare: (nats: TestNats) => Promise<void> = () => Promise.resolve()) {
  const nats = await startTestNats({ jetstream: true });
  await prepare(nats);
  const folder = await temporaryFolder();
  const fleet = await spawnFleet(
    { nodes: 2, folder: join(folder.path, "fleet"), backend: "auto", address: nats.url, env: process.env },
    { clock: systemClock() },
  );
  const run = (...args: readonly string[]): Promise<Ended> => kn([...args, "--bus", nats.url], folder.path).ended;
  const json = async <T>(...args: readonly string[]): Promise<T> =>
    JSON.parse((await run(...args, "--json")).stdout) as T;
  await waitFor(async () => (await json<unknown[]>("nodes")).length === 2, "both nodes", 60_000);
  return {
    nats,
    folder,
    run,
    json,
    /** Starts a run and leaves it to the fleet. @returns its name */
    async launch(...args: readonly string[]): Promise<string> {
      const { code, stdout, stderr } = await run("run", EXAMPLE, ...LONG, "--nodes", "fleet", "--detach", ...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return /run (\S+) in/.exec(stdout)?.[1] ?? "";
    },
    async reach(name: string, step: number): Promise<void> {
      await waitFor(async () => (await json<Status>("status", name)).checkpoint >= step, `step ${step}`, 90_000);
    },
    async [Symbol.asyncDispose]() {
      await fleet[Symbol.asyncDispose]();
      await nats[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describeWithNats("a fleet", () => {
  it(
    "lists its nodes, runs a spec, shows it, stops it and goes on with it",
    async () => {
      await using fleet = await scene();
      const nodes = await fleet.json<{ name: string; gflops: number; cores: number; backend: string }[]>("nodes");
      expect(nodes.map(({ name }) => name)).toEqual(["node-1", "node-2"]);
      for (const { gflops, cores } of nodes) expect(Math.min(gflops, cores)).toBeGreaterThan(0);

      const name = await fleet.launch();
      await fleet.reach(name, 5);
      const status = await fleet.json<Status>("status", name);
      expect(status.blocks.map(({ actor }) => actor)).toEqual(["block-0", "block-1", "block-2", "block-3"]);
      expect(new Set(status.blocks.map(({ node }) => node))).toEqual(new Set(["node-1", "node-2"]));
      const watched = await fleet.run("watch", name, "--once");
      expect(watched).toMatchObject({ code: 0, stderr: "" });
      const picture = watched.stdout;
      for (const word of ["node-1", "block-3", "steps/s", "quality of M", "forward/s"]) expect(picture).toContain(word);

      expect(await fleet.json("stop", name)).toMatchObject({ run: name, outcome: "stopped" });
      const stopped = await fleet.json<Status>("status", name);
      expect(stopped.outcome).toBe("stopped");
      for (const { applied, published, isBalanced } of stopped.blocks) {
        expect(isBalanced).toBe(true);
        expect(applied).toBe(published);
      }
      expect(await fleet.json("runs")).toMatchObject([{ run: name, outcome: "stopped" }]);

      const resumed = await fleet.run("resume", name, "--nodes", "fleet", "--detach");
      expect(resumed).toMatchObject({ code: 0 });
      expect(resumed.stdout).toContain(`from step ${stopped.checkpoint}`);
      await fleet.reach(name, stopped.checkpoint + 5);
      await fleet.run("stop", name);
    },
    LONG_MS,
  );

  it(
    "refuses what cannot be, with a clear word, and a run in progress is not disturbed",
    async () => {
      await using fleet = await scene();
      const name = await fleet.launch();
      await fleet.reach(name, 5);

      const absent = await fleet.run("run", EXAMPLE, "--nodes", "fleet", "--set", "placement.block-0=edge-9");
      expect(absent.code).toBe(2);
      expect(absent.stderr).toContain("placement.block-0 must name a node that is there: current value is edge-9");
      const label = await fleet.run("run", EXAMPLE, "--nodes", "fleet", "--set", "placement.block-0=tier=edge");
      expect(label.code).toBe(2);
      expect(label.stderr).toContain("needs a node with the label tier=edge");
      const twin = await fleet.run("node", "--name", "node-1");
      expect(twin.code).toBe(2);
      expect(twin.stderr).toContain("Cannot join the fleet as node-1 as a node's name must be its own");
      const again = await fleet.run("resume", name, "--nodes", "fleet");
      expect(again.code).toBe(2);
      expect(again.stderr).toContain("it must have ended");
      const unknown = await fleet.run("status", "nobody");
      expect(unknown.code).toBe(2);
      expect(unknown.stderr).toContain(name);
      const nowhere = await kn(["nodes", "--bus", "tcp://127.0.0.1:1"], fleet.folder.path).ended;
      expect(nowhere.code).toBe(2);

      const { checkpoint, blocks } = await fleet.json<Status>("status", name);
      await fleet.reach(name, checkpoint + 5);
      expect(blocks.every(({ isBalanced }) => isBalanced)).toBe(true);
      await fleet.run("stop", name);
    },
    LONG_MS,
  );

  it(
    "of our own: `--nodes spawn:2` starts everything, ends everything, and leaves a run that can be evaluated",
    async () => {
      await using folder = await temporaryFolder();
      const small = ["data.limit=1280", "training.batchSize=64", "codecs.activation=f32"].flatMap((each) => [
        "--set",
        each,
      ]);
      const ended = await kn(["run", EXAMPLE, ...small, "--nodes", "spawn:2", "--json"], folder.path).ended;
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      const results = JSON.parse(ended.stdout) as { run: string; accuracy: number };
      expect(results).toMatchObject({ outcome: "completed", steps: 20, epochs: 1 });
      const evaluated = await kn(["evaluate", results.run, "--json"], folder.path).ended;
      expect(JSON.parse(evaluated.stdout)).toMatchObject({ accuracy: results.accuracy, step: 20 });
    },
    LONG_MS,
  );
});

describeWithNatsCli("a fleet whose server and nodes are lost", () => {
  it(
    "comes back from `nats account backup`: what went on goes on by itself, what had been stopped is resumed",
    async () => {
      await using folder = await temporaryFolder();
      const backup = join(folder.path, "backup");
      const account = async ({ url }: TestNats, ...words: readonly string[]): Promise<void> => {
        await promisify(execFile)(natsCliPath ?? "", ["--server", url, "--no-context", "account", ...words]);
      };
      let stopped = "";
      let running = "";
      let saved = 0;
      {
        await using lost = await scene();
        stopped = await lost.launch();
        await lost.reach(stopped, 5);
        await lost.run("stop", stopped);
        running = await lost.launch();
        await lost.reach(running, 5);
        saved = (await lost.json<Status>("status", running)).checkpoint;
        await account(lost.nats, "backup", backup, "--force");
      }

      await using fleet = await scene((nats) => account(nats, "restore", backup));
      await fleet.reach(running, saved + 10);
      const { blocks } = await fleet.json<Status>("status", running);
      for (const { actor, isBalanced } of blocks) expect([actor, isBalanced]).toEqual([actor, true]);
      expect(await fleet.json("stop", running)).toMatchObject({ outcome: "stopped" });

      const { checkpoint } = await fleet.json<Status>("status", stopped);
      const resumed = await fleet.run("resume", stopped, "--nodes", "fleet", "--detach");
      expect(resumed).toMatchObject({ code: 0, stderr: "" });
      expect(resumed.stdout).toContain(`from step ${checkpoint}`);
      await fleet.reach(stopped, checkpoint + 5);
      await fleet.run("stop", stopped);
    },
    LONG_MS,
  );
});
