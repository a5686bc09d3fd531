/** Nodes on this machine that are made alike: a share of a core each, a link with a delay each. For measurements. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Dataset } from "../../src/data/index.ts";
import { KnowledgeNetError } from "../../src/errors/index.ts";
import type { Event } from "../../src/messages/index.ts";
import { createControlChannel } from "../../src/runtime/actor/index.ts";
import { type Clock, systemClock } from "../../src/runtime/clock/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import type { NamedTensorData } from "../../src/compute/index.ts";
import { type RunSpec, TRAINING } from "../../src/run-spec/index.ts";
import { connectFleet } from "../../src/apps/connect/connect-fleet.ts";
import { launchRun } from "../../src/fleet/launch.ts";
import type { RunRecordEntry } from "../../src/fleet/records.ts";
import { spawnFleet } from "../../src/apps/connect/spawned-fleet.ts";
import { createCpuLimit, type CpuLimit } from "../faults/limit-cpu.ts";
import { startLocalNatsServer } from "../../src/runtime/nats/local-nats-server.ts";
import { type Delay, type Link, startLocalToxiproxy } from "../faults/local-toxiproxy.ts";
import { locateTool } from "../../setup/index.ts";
import { describeSlices, modelOf } from "../../src/jobs/describe-slices.ts";
import { publishTeacher } from "../../src/jobs/find-teacher.ts";
import { jobKindOf } from "../../src/jobs/kinds/index.ts";
import { scopeOfRun } from "../../src/runtime/artifacts/index.ts";
import { actorsOf, phasesOfRun, type RunSlices } from "../../src/jobs/run-plan.ts";
import { openDataset } from "../../src/apps/open-dataset.ts";

export interface FleetSceneOptions<Spec extends RunSpec> {
  readonly nodes: number;
  /** Cores of each node; undefined: no limit. */
  readonly cores?: number;
  /** Reads the spec, with overrides. */
  readonly parse: (set: readonly string[]) => Spec;
}

export interface SceneRun {
  readonly record: RunRecordEntry;
  /** Resolves when the last block or section has finished training step `step`. */
  reach(step: number): Promise<void>;
  /** Ends it at once. */
  end(): Promise<void>;
}

export interface FleetScene<Spec extends RunSpec> extends AsyncDisposable {
  readonly clock: Clock;
  readonly dataset: Dataset;
  parse(set: readonly string[]): Spec;
  delay(delay: Delay): Promise<void>;
  /**
   * Begins the first phase of a run.
   * @param onEvent receives every event of the run
   * @param teacher of a distillation run
   */
  run(spec: Spec, onEvent?: (event: Event) => void, teacher?: NamedTensorData): Promise<SceneRun>;
  /** Process of the node; 0 while it is not there. */
  pidOf(node: string): number;
}

const JOIN_DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 50;

export async function openFleetScene<Spec extends RunSpec>({
  nodes,
  cores,
  parse,
}: FleetSceneOptions<Spec>): Promise<FleetScene<Spec>> {
  const clock = systemClock();
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-bench-"));
  const binary = locateTool("nats-server", process.env);
  if (binary === undefined) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: "measure a fleet",
      rule: "nats-server must be there",
      value: "none found",
      remedy: "run `npm run setup`",
    });
  }
  /** Opened resources, last first (Node 20 has no AsyncDisposableStack). */
  const opened: AsyncDisposable[] = [];
  const use = <T extends AsyncDisposable>(each: T): T => {
    opened.unshift(each);
    return each;
  };
  use({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
  const server = use(await startLocalNatsServer({ binary, jetstreamDir: join(folder, "jetstream") }));
  const toxiproxy = use(await startLocalToxiproxy(process.env));
  const links = new Map<string, Link>();
  const limits = new Map<string, CpuLimit>();
  for (let index = 1; index <= nodes; index += 1) {
    const node = `node-${index}`;
    links.set(node, await toxiproxy.link(node, `127.0.0.1:${server.port}`));
    if (cores !== undefined) limits.set(node, use(await createCpuLimit(`bench-${index}`, cores)));
  }
  const ownedFleet = use(
    await spawnFleet(
      {
        nodes,
        folder,
        backend: "auto",
        address: server.url,
        addressOf: (node, address) => links.get(node)?.url ?? address,
        env: process.env,
        onStart: (node, pid) => {
          limits
            .get(node)
            ?.add(pid)
            .catch(() => undefined); // gone already
        },
      },
      { clock },
    ),
  );
  const { bus, fleet } = use(await connectFleet({ address: server.url, name: "kn bench" }, { log: silentLogger }));
  const deadlineMs = clock.now() + JOIN_DEADLINE_MS;
  while ((await fleet.nodes.all()).length < nodes) {
    if (clock.now() > deadlineMs) throw new Error("the nodes did not join");
    await clock.sleep(LOOK_EVERY_MS);
  }
  const dataset = await openDataset({ data: parse([]).data, env: process.env });
  const slices = new Map<string, RunSlices>();
  let runs = 0;

  return {
    clock,
    dataset,
    parse,
    async delay(delay) {
      for (const link of links.values()) await link.delay(delay);
    },
    async run(spec, onEvent, teacher) {
      const model = JSON.stringify(modelOf(spec));
      const cut = slices.get(model) ?? (await describeSlices(spec));
      slices.set(model, cut);
      runs += 1;
      const run = `bench-${runs}`;
      const { learners, gradientModels, teachers } = actorsOf(spec, phasesOfRun(spec)[0] ?? TRAINING);
      const last = learners.at(-1);
      const { teaching } = jobKindOf(spec);
      if (teaching !== undefined && teacher !== undefined) {
        await publishTeacher(fleet.store, { model: teaching.teacherModelOf(spec), tensors: teacher }, scopeOfRun(run));
      }
      let step = 0;
      const watching = createControlChannel({ run, actor: "bench" }, { bus, log: silentLogger }).watch("*", (event) => {
        if (event.header.sender === last && event.fact.kind === "Progress") step = Math.max(step, event.header.step);
        onEvent?.(event);
      });
      const record = await launchRun({ run, spec, ...cut, dataset }, fleet, clock);
      return {
        record,
        async reach(wanted) {
          while (step < wanted) await clock.sleep(LOOK_EVERY_MS);
        },
        async end() {
          watching.unsubscribe();
          await fleet.runs.change(run, (value) => ({ ...value, desired: "ended" }));
          const actors = [...Object.keys(record.actors), ...teachers, ...gradientModels].map(
            (actor) => `${run}.${actor}`,
          );
          // Its leases are given back when its actors have ended: the next run then has the machine for itself.
          while ((await Promise.all(actors.map((key) => fleet.leases.get(key)))).some((each) => each !== undefined)) {
            await clock.sleep(LOOK_EVERY_MS);
          }
        },
      };
    },
    pidOf: (node) => ownedFleet.nodes.find(({ name }) => name === node)?.pid ?? 0,
    async [Symbol.asyncDispose]() {
      for (const each of opened) await each[Symbol.asyncDispose]();
    },
  };
}
