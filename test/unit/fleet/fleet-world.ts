/**
 * A fleet in one process and in simulated time: real node agents, host slots, run control, coordinator, leases and actors
 * over a bus and a store that can fail; only the mathematics is a fake.
 */
import { readFileSync } from "node:fs";
import { createBlockActor } from "../../../src/actors/block/index.ts";
import { createFeederActor } from "../../../src/actors/feeder/index.ts";
import { abortOf } from "../../../src/fleet/abort.ts";
import { openFleet, type Fleet } from "../../../src/fleet/fleet.ts";
import { launchRun } from "../../../src/fleet/launch.ts";
import { createNodeAgent, type NodeAgent } from "../../../src/fleet/node-agent.ts";
import { type NodeRecord, type RunRecordEntry, WIRE_VERSION } from "../../../src/fleet/records.ts";
import type { RunStatus } from "../../../src/fleet/run-status.ts";
import type { ActorComposer, createActorComposer } from "../../../src/jobs/compose-actors.ts";
import { actorsOf, planOf } from "../../../src/jobs/run-plan.ts";
import { parseActorRef, parseSpec, type RunSpec } from "../../../src/run-spec/index.ts";
import { createActorMemory } from "../../../src/runtime/artifacts/index.ts";
import { createMemoryBroker, type MemoryBroker } from "../../../src/runtime/bus/index.ts";
import { settlesWithin, type SimulatedClock, simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore, type Store } from "../../../src/runtime/store/index.ts";
import { type Logger, silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { failingStore, type StoreCall, type StoreFaults, switchedFaults } from "../../support/failing-store.ts";
import { lossyBus } from "../../support/lossy-bus.ts";
import { fakeDataset } from "../actors/fake-dataset.ts";
import { fakeBlock } from "../actors/fake-units.ts";

export const RUN = "small";
const SAMPLES = 48;
/** A fault delays a call of the store by less than this, ms. */
const LONGEST_CALL_MS = 5_000;
/** Kubernetes' first pause before a process that ended is started again, ms. */
const START_AGAIN_MS = 10_000;
/** A process that was told to leave is killed after so long, ms. */
const STOP_MS = 60_000;
const FILE = new URL("../../../examples/mnist-synthetic.yaml", import.meta.url);
/** Three blocks, 12 steps an epoch. */
const SMALL = [
  "model.cuts=[flat1, relu2]",
  "gradients.source=auxiliary",
  "training.epochs=2",
  "training.batchSize=4",
  "checkpoint.everySteps=3",
  "evaluation.everySteps=6",
  "evaluation.samples=8",
  "evaluation.batchSize=4",
  "data.holdout=0",
];

export function smallSpec(...set: string[]): RunSpec {
  return parseSpec(readFileSync(FILE, "utf8"), { file: "spec.yaml", set: [...SMALL, ...set] });
}

export function nodeRecord(name: string, changes: Partial<NodeRecord> = {}): NodeRecord {
  return {
    format: 1,
    name,
    instance: `${name}-1`,
    labels: {},
    backend: "fake",
    backendVersion: "0",
    cores: 2,
    memoryBytes: 1,
    gflops: 50,
    softwareVersion: "0.0.0",
    wireVersion: WIRE_VERSION,
    host: "here",
    pid: 1,
    startedAt: "2000-01-01T00:00:00.000Z",
    ...changes,
  };
}

const SLICE = { inputShape: [1], outputShape: [1], layers: [], parameters: 1, macs: 1 };
export const SLICES = [SLICE, SLICE, SLICE];

export interface WorldNode {
  readonly agent: NodeAgent;
  readonly record: NodeRecord;
  /** Faults of its store, set while a test runs. */
  readonly faults: StoreFaults & { now: StoreFaults | undefined };
  readonly link: ReturnType<typeof lossyBus>;
  readonly isKilled: boolean;
  /** As its agent's; resolves when it is killed before. */
  start(): Promise<void>;
  /** Ends it without a word: it reaches nothing, and never comes back, whatever ends meanwhile. */
  kill(): void;
  /** It reaches neither bus nor store until it is back, whatever ends meanwhile. */
  cutOff(): void;
  comeBack(): void;
}

/**
 * How a node is taken down: told to leave; killed; or cut off with its machine, which comes back once another process has
 * its place.
 */
export type Takedown = "stop" | "kill" | "cut off";

export interface WorldOptions {
  readonly nodes: readonly (string | NodeRecord)[];
  /** How long a block works on a batch, ms. @default 100 */
  readonly workMs?: number;
  /** Called as each actor is composed; may throw. */
  readonly onCompose?: (node: string, actor: string) => void;
  /** Called before each step of a block; may throw. */
  readonly onStep?: (node: string, block: number, step: number) => void;
  readonly log?: Logger;
  readonly onCall?: (node: string, call: StoreCall) => void;
}

export interface World extends AsyncDisposable {
  readonly clock: SimulatedClock;
  readonly broker: MemoryBroker;
  readonly store: Store;
  readonly fleet: Fleet;
  readonly nodes: ReadonlyMap<string, WorldNode>;
  node(name: string): WorldNode;
  /** Resolves when it is a member, or was taken down before. Rejects with the error that it ended with before. */
  join(node: string | NodeRecord): Promise<WorldNode>;
  launch(...set: string[]): Promise<RunRecordEntry>;
  record(): Promise<RunRecordEntry>;
  status(): Promise<RunStatus | undefined>;
  /** Advances until `isReached`; rejects with the state of everything after `limitMs`. */
  until(isReached: () => boolean | Promise<boolean>, what: string, limitMs?: number): Promise<void>;
  /** Advances until the run has an outcome and its nodes have released it. */
  end(limitMs?: number): Promise<RunStatus>;
  picture(): Promise<string>;
  /**
   * Takes a node down and starts it again under its name after `awayMs`, as a supervisor does: a process that ends before
   * it is a member is started again. Resolves when one is, or was taken down, or the world ends.
   */
  restart(name: string, awayMs: number, takedown: Takedown): Promise<void>;
  /** Processes that were cut off and replaced: of those of one name, one stays a member. */
  readonly replaced: readonly WorldNode[];
  /** What is left after disposal: services, timers, open computations. */
  leftOvers(): Promise<string[]>;
}

export async function createWorld(options: WorldOptions): Promise<World> {
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const store = await memoryStore({ clock });
  const fleet = await openFleet(store);
  const nodes = new Map<string, WorldNode>();
  /** Former lives of nodes, which end with the world. */
  const former: WorldNode[] = [];
  const opened = { units: 0 };
  const ending = new AbortController();
  let lives = 0;

  const create = async (record: NodeRecord): Promise<WorldNode> => {
    const { name } = record;
    const faults = switchedFaults();
    const killed = new AbortController();
    let isCutOff = false;
    const schedule: StoreFaults = (call) => {
      options.onCall?.(name, call);
      return isCutOff ? { kind: "refused" } : faults(call);
    };
    const lossy = lossyBus(broker, { draw: () => 1 }, { clock });
    const link = {
      ...lossy,
      reconnect() {
        if (!isCutOff) lossy.reconnect();
      },
    };
    const own = failingStore(store, schedule, clock);
    const agent = createNodeAgent(
      { record, backend: "auto" },
      {
        fleet: await openFleet(own),
        bus: link.bus,
        clock,
        log: options.log ?? silentLogger,
        store: own,
        openDataset: () => Promise.resolve(fakeDataset(SAMPLES)),
        openCache: () => undefined,
        createComposer: fakeComposer(name, options, clock, opened),
      },
    );
    const node: WorldNode = {
      agent,
      record,
      faults,
      link,
      async start() {
        // A killed process waits for nothing, though its code goes on here.
        await Promise.race([agent.start(), abortOf(killed.signal)]);
      },
      get isKilled() {
        return killed.signal.aborted;
      },
      kill() {
        node.cutOff();
        killed.abort();
      },
      cutOff() {
        isCutOff = true;
        lossy.disconnect();
      },
      comeBack() {
        isCutOff = killed.signal.aborted;
        link.reconnect();
      },
    };
    const before = nodes.get(name);
    if (before !== undefined) former.push(before);
    nodes.set(name, node);
    return node;
  };

  const join = async (given: string | NodeRecord): Promise<WorldNode> => {
    const node = await create(typeof given === "string" ? nodeRecord(given) : given);
    await node.start();
    return node;
  };

  /** Starts a node again and again until it is a member, is taken down, or the world ends. */
  const supervise = async (record: NodeRecord): Promise<void> => {
    const { name } = record;
    while (!ending.signal.aborted) {
      lives += 1;
      const node = await create({ ...record, instance: `${name}-${lives + 1}` });
      try {
        await node.start();
        return;
      } catch {
        await clock.sleep(START_AGAIN_MS, ending.signal).catch(() => undefined);
        if (nodes.get(name) !== node) return; // it was taken down
      }
    }
  };

  const status = async (): Promise<RunStatus | undefined> => (await fleet.status.get(RUN))?.value;
  const record = async (): Promise<RunRecordEntry> => {
    const found = await fleet.runs.get(RUN);
    if (found === undefined) throw new Error("there is no run");
    return found.value;
  };
  const picture = async (): Promise<string> =>
    JSON.stringify(
      {
        nodes: [...nodes].map(([name, { agent }]) => [
          name,
          agent.state,
          agent.controls.map(({ run, state }) => `${run} ${state}`),
          agent.runs.map(({ actors }) => actors.map(({ id, state, problem }) => [id, state, problem?.message])),
        ]),
        desired: (await fleet.runs.get(RUN))?.value.desired,
        status: await status(),
        nowMs: clock.now(),
      },
      undefined,
      1,
    );
  const until = async (isReached: () => boolean | Promise<boolean>, what: string, limitMs = 600_000): Promise<void> => {
    for (const endMs = clock.now() + limitMs; clock.now() < endMs; ) {
      if (await isReached()) return;
      await clock.advance(250);
    }
    throw new Error(`not reached in ${limitMs} ms: ${what}: ${await picture()}`);
  };
  const joining = Promise.all(options.nodes.map(join));
  await turn(clock);
  await joining;
  await clock.advance(100);

  const restart = async (name: string, awayMs: number, takedown: Takedown): Promise<void> => {
    const before = nodes.get(name);
    if (before === undefined) return;
    // One that has come back takes the name again when its successor leaves: nobody wants it any more.
    for (const each of former) if (each.record.name === name) each.kill();
    former.push(before);
    nodes.delete(name);
    if (takedown === "stop") await settlesWithin(STOP_MS, before.agent.stop(), clock);
    if (takedown === "cut off") before.cutOff();
    else before.kill();
    await clock.sleep(awayMs);
    await supervise(before.record);
    if (nodes.get(name)?.agent.state === "member") before.comeBack();
    else before.kill();
  };

  return {
    clock,
    restart,
    get replaced() {
      return former.filter(({ isKilled }) => !isKilled);
    },
    leftOvers() {
      const found: string[] = [];
      for (const { link, record: of } of [...nodes.values(), ...former])
        for (const service of link.bus.services) found.push(`service ${service.name} of ${of.instance}`);
      if (opened.units !== 0) found.push(`${opened.units} open units`);
      if (clock.pendingTimers !== 0) found.push(`${clock.pendingTimers} timers`);
      return Promise.resolve(found);
    },
    broker,
    store,
    fleet,
    nodes,
    join,
    record,
    status,
    picture,
    until,
    node(name) {
      const found = nodes.get(name);
      if (found === undefined) throw new Error(`there is no node ${name}`);
      return found;
    },
    launch: (...set) =>
      launchRun(
        { run: RUN, spec: smallSpec(...set), slices: SLICES, teacherSlices: [], dataset: fakeDataset(SAMPLES) },
        fleet,
        clock,
      ),
    async end(limitMs) {
      await until(async () => (await status())?.outcome !== undefined, "an outcome", limitMs);
      await until(
        () => [...nodes.values()].every(({ agent }) => agent.runs.length === 0 || agent.state === "gone"),
        "a release of everything",
      );
      return (await status()) as RunStatus;
    },
    async [Symbol.asyncDispose]() {
      let isLeft = false;
      ending.abort();
      const all = [...nodes.values(), ...former];
      const leaving = Promise.all(all.map(({ agent }) => agent.stop())).then(() => {
        isLeft = true;
      });
      await until(() => isLeft, "the end of the world");
      await leaving;
      await clock.advance(LONGEST_CALL_MS); // a call of the store that was under way ends
      for (const { link } of all) await link.bus.close();
      await store.close();
    },
  };
}

async function turn(clock: SimulatedClock): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await clock.advance(0);
}

/** Actors of a training run whose mathematics is a fake. */
function fakeComposer(
  node: string,
  world: WorldOptions,
  clock: SimulatedClock,
  opened: { units: number },
): typeof createActorComposer {
  return (plan, options, deps): ActorComposer => {
    const { run, spec, phase, attempt, from } = plan;
    const { learners } = actorsOf(spec, phase);
    const base = (id: string, fence: number) => ({
      run,
      id,
      fence,
      softwareVersion: "0.0.0",
      metadata: {},
      maxFrameBytes: 2 ** 20,
    });
    const memoryOf = (id: string, fence: number) =>
      createActorMemory({ actor: id, attempt, fence, from }, { checkpoints: deps.checkpoints, log: deps.log });
    return {
      async compose(id) {
        world.onCompose?.(node, id);
        const ref = parseActorRef(id);
        if (ref?.kind === "feeder") {
          const dataset = await deps.openDataset();
          return (fence) =>
            createFeederActor(
              {
                ...base(id, fence),
                learners,
                keepsUntil: "first",
                window: 4,
                isDropping: false,
                readyDeadlineMs: 60_000,
                augmentation: undefined,
                isDistilling: false,
              },
              { ...deps, dataset, plan: planOf(spec, dataset, phase) },
            );
        }
        const index = ref?.index ?? 0;
        return (fence) => {
          const unit = fakeBlock({
            isFirst: index === 0,
            isLast: index === learners.length - 1,
            work: () => clock.sleep(world.workMs ?? 100),
            onStep: (step) => world.onStep?.(node, index, step),
          });
          return createBlockActor(
            {
              ...base(id, fence),
              index,
              blocks: learners.length,
              activationCodec: "raw",
              gradientCodec: "raw",
              window: 4,
              isGating: false,
              appliesReturned: false,
              isGradientModelElsewhere: false,
              isPreviousGating: false,
              isDropping: false,
            },
            {
              ...deps,
              memory: memoryOf(id, fence),
              openUnit: () => {
                opened.units += 1;
                const dispose = (): Promise<void> => {
                  opened.units -= 1;
                  return unit.handle.dispose();
                };
                return Promise.resolve({ ...unit.handle, dispose });
              },
            },
          );
        };
      },
      release: () => Promise.resolve(),
      countTensors: () => Promise.resolve(0),
      backends: [],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
}
