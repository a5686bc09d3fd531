/** Distillation over three real processes and a real nats-server while nodes are killed: what is lost is time. */
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import process from "node:process";
import { expect, it } from "vitest";
import { type SpawnedFleet, spawnFleet } from "../../src/apps/connect/spawned-fleet.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { kn } from "../support/kn.ts";
import { describeWithNats, startTestNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}.yaml`, import.meta.url));
const set = (...settings: readonly string[]): string[] => settings.flatMap((setting) => ["--set", setting]);
const LONG_MS = 900_000;

/** Teachers on one node, students on another, the feeder and the coordinator on the third. */
const PLACES = [
  ...[0, 1, 2].flatMap((index) => [`placement.teacher-${index}=node-1`, `placement.student-${index}=node-2`]),
  ...["student", "feeder", "coordinator"].map((actor) => `placement.${actor}=node-3`),
];
/** 80 steps of the sections, 80 of the whole student. */
const STUDENT = ["run", example("mnist-sections"), ...set("checkpoint.everySteps=10", ...PLACES)];

interface Results {
  readonly outcome: string;
  readonly accuracy: number;
  readonly phases: readonly {
    readonly phase: string;
    readonly steps: number;
    readonly learners: readonly {
      readonly id: string;
      readonly applied: number;
      readonly published: number;
      readonly skipped: Readonly<Record<string, number>>;
    }[];
  }[];
}

describeWithNats("distillation in three processes", () => {
  it(
    "a killed node of the teacher's and one of the student's come back; the student is as good as undisturbed",
    async () => {
      await using nats = await startTestNats({ jetstream: true });
      await using folder = await temporaryFolder();
      await using nodes: SpawnedFleet = await spawnFleet(
        {
          nodes: 3,
          folder: join(folder.path, "fleet"),
          backend: "auto",
          address: nats.url,
          env: { ...process.env, KN_ROOTS: folder.path },
        },
        { clock: systemClock() },
      );
      const run = async (...args: readonly string[]): Promise<string> => {
        const { code, stdout, stderr } = await kn(args, folder.path).ended;
        expect({ code, stderr }).toMatchObject({ code: 0 });
        return stdout;
      };
      const onFleet = ["--nodes", "fleet", "--bus", nats.url, "--json"];
      const pidOf = (name: string): number | undefined => nodes.nodes.find((node) => node.name === name)?.pid;
      const teaching = await run(
        "run",
        example("mnist-teacher"),
        ...set("model.cuts=[]", "data.limit=12800"),
        "--json",
      );
      const { run: teacher } = JSON.parse(teaching) as { run: string };
      const started = async (): Promise<number> => {
        const there = JSON.parse(await run("nodes", "--bus", nats.url, "--json")) as unknown[];
        return there.length;
      };
      await waitFor(async () => (await started()) === 3, "all nodes", 60_000);

      const isolated = ["--set", `cache.directory=${join(folder.path, "kept")}`, "--teacher", teacher, ...onFleet];
      const undisturbed = JSON.parse(await run(...STUDENT, ...set("baseline="), ...isolated)) as Results;

      const disturbed = kn([...STUDENT, ...set("baseline=", "cache.budgetMiB=0"), ...isolated], folder.path);
      const kills: Promise<void> = (async () => {
        const known = async (): Promise<{ run: string; outcome: string }[]> =>
          JSON.parse(await run("runs", "--bus", nats.url, "--json")) as { run: string; outcome: string }[];
        let name = "";
        await waitFor(
          async () => {
            name = (await known()).find(({ outcome }) => outcome !== "completed")?.run ?? "";
            return name !== "";
          },
          "the second run",
          60_000,
        );
        const step = async (): Promise<number> =>
          (JSON.parse(await run("status", name, "--bus", nats.url, "--json")) as { step: number }).step;
        for (const [node, at] of [
          ["node-1", 20],
          ["node-2", 45],
        ] as const) {
          await waitFor(async () => (await step()) >= at, `step ${at}`, 120_000);
          const pid = pidOf(node);
          expect(pid).toBeDefined();
          process.kill(pid ?? 0, "SIGKILL");
          await waitFor(() => pidOf(node) !== undefined && pidOf(node) !== pid, `${node} is started again`, 60_000);
        }
      })();
      const [{ code, stdout, stderr }] = await Promise.all([disturbed.ended, kills]);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      const results = JSON.parse(stdout) as Results;
      for (const { outcome, phases } of [undisturbed, results]) {
        expect(outcome).toBe("completed");
        expect(phases.map(({ phase, steps }) => [phase, steps])).toEqual([
          ["sections", 160],
          ["finetune", 80],
        ]);
        for (const { learners, steps } of phases) {
          for (const { id, applied, published, skipped } of learners) {
            const sum = applied + Object.values(skipped).reduce((total, count) => total + count, 0);
            expect({ id, sum, published }).toEqual({ id, sum: steps, published: steps });
          }
        }
      }
      expect(results.accuracy).toBeGreaterThanOrEqual(undisturbed.accuracy - 0.003);
    },
    LONG_MS,
  );
});
