/** Two nodes as processes, a real server with JetStream, and `kn` commands that speak to them. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { spawnFleet } from "../../src/apps/connect/spawned-fleet.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { type Ended, kn } from "./kn.ts";
import { startTestNats, type TestNats } from "./nats-server.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { waitFor } from "./wait-for.ts";

export const EXAMPLE = fileURLToPath(new URL("../../examples/mnist-synthetic.yaml", import.meta.url));
/** Long enough not to end by itself. */
const LONG = ["data.limit=2560", "training.epochs=500", "checkpoint.everySteps=5", "evaluation.batchSize=2000"].flatMap(
  (setting) => ["--set", setting],
);
/** Bound of a test that trains so. */
export const LONG_MS = 400_000;

interface Account {
  readonly actor: string;
  readonly node: string;
  readonly published: number;
  readonly applied: number;
  readonly isBalanced: boolean;
}
/** What `kn status --json` tells, as far as it is looked at. */
export interface Status {
  readonly step: number;
  readonly checkpoint: number;
  readonly state: string;
  readonly outcome: string | null;
  readonly blocks: readonly Account[];
}

/** @param prepare the server, before any node comes */
export async function fleetScene(prepare: (nats: TestNats) => Promise<void> = () => Promise.resolve()) {
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
      await waitFor(async () => (await json<Status>("status", name)).checkpoint >= step, `step ${step}`, 180_000);
    },
    async [Symbol.asyncDispose]() {
      await fleet[Symbol.asyncDispose]();
      await nats[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
