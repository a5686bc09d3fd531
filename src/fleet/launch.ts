/** Operations on the runs of a fleet: start, resume, stop, and wait for the outcome. */
import { isDeepStrictEqual } from "node:util";
import { isKnowledgeNetError, KnowledgeNetError } from "../errors/index.ts";
import type { Dataset } from "../data/index.ts";
import { openCheckpoints, scopeOfRun } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { RunSpec } from "../run-spec/index.ts";
import { chooseGeneration } from "../jobs/choose-generation.ts";
import { epochsOf, phasesOfRun, planOf, type RunSlices, startAfter } from "../jobs/run-plan.ts";
import type { Fleet } from "./fleet.ts";
import { placeActors } from "./placement.ts";
import { type PhaseEntry, type RunRecordEntry, WIRE_VERSION } from "./records.ts";
import type { RunStatus } from "./run-status.ts";

export interface LaunchOptions extends RunSlices {
  readonly run: string;
  readonly spec: RunSpec;
  readonly dataset: Dataset;
}

/** Rejects with KN_CONFIG when the actors cannot be placed or the name is in use. */
export async function launchRun(options: LaunchOptions, fleet: Fleet, clock: Clock): Promise<RunRecordEntry> {
  const { run, spec, slices, teacherSlices, dataset } = options;
  const phases = phasesOfRun(spec).map((phase): PhaseEntry => {
    const plan = planOf(spec, dataset, phase);
    return { phase, epochs: epochsOf(plan), totalSteps: plan.totalSteps, startAfter: plan.firstSequence - 1 };
  });
  const [first] = phases;
  if (first === undefined) throw new RangeError(`${spec.name} has no phase`);
  const { phase } = first;
  const record: RunRecordEntry = {
    format: 1,
    run,
    wireVersion: WIRE_VERSION,
    desired: "running",
    spec,
    slices: structuredClone(slices) as RunRecordEntry["slices"],
    teacherSlices: structuredClone(teacherSlices) as RunRecordEntry["teacherSlices"],
    phases,
    phase,
    dataset: dataset.fingerprint,
    attempt: 1,
    actors: placeActors({ spec, phase, slices, teacherSlices, nodes: await fleet.nodes.all() }),
    createdAt: new Date(clock.wallTimeMs()).toISOString(),
  };
  try {
    await fleet.runs.create(run, record);
  } catch (error) {
    if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `start ${run}`,
      rule: "its name must be new",
      value: "a run of that name exists",
      remedy: `continue it: kn resume ${run}; or choose another name: --name`,
      cause: error,
    });
  }
  return record;
}

/**
 * The fleet's run of that name, running or ended; undefined: there is none. Rejects with KN_CONFIG when its spec
 * differs. This makes a start idempotent: the restarted pod of a Kubernetes Job follows the run instead of starting
 * another.
 */
export async function joinRun(run: string, spec: RunSpec, fleet: Fleet): Promise<RunRecordEntry | undefined> {
  const found = (await fleet.runs.get(run))?.value;
  if (found === undefined || isDeepStrictEqual(found.spec, JSON.parse(JSON.stringify(spec)))) return found;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `start ${run}`,
    rule: "a run of that name must have the same spec",
    value: `${found.spec.name}, started ${found.createdAt}`,
    remedy: "choose another name: --name",
  });
}

/** Resumes from the newest complete checkpoint, on the nodes present now. Rejects with KN_CONFIG while it runs. */
export async function relaunchRun(
  run: string,
  dataset: Dataset,
  fleet: Fleet,
  onDamaged: (line: string) => void,
): Promise<RunRecordEntry> {
  const record = await runRecordOf(run, fleet);
  assertEnded(record, record.attempt);
  const checkpoints = await openCheckpoints(fleet.store, scopeOfRun(run));
  const from = await chooseGeneration(checkpoints, ({ generation }) => {
    onDamaged(`checkpoint ${generation} is damaged; trying the one before`);
  });
  const start = startAfter(record.spec, dataset, from);
  if (start === undefined) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `resume ${run}`,
      rule: "it must not be complete",
      value: `${from?.epoch} epochs, ${from?.step} steps`,
      remedy: `measure it: kn evaluate ${run}`,
    });
  }
  const { phase } = start;
  const actors = placeActors({ ...record, phase, nodes: await fleet.nodes.all() });
  return fleet.runs.change(run, ({ from: _before, ...value }) => {
    // Another resume may have come first.
    assertEnded(value, record.attempt);
    return {
      ...value,
      // Nodes may have been upgraded since.
      wireVersion: WIRE_VERSION,
      desired: "running",
      phase,
      attempt: value.attempt + 1,
      actors,
      ...(start.from === undefined ? {} : { from: { attempt: start.from.attempt, generation: start.from.generation } }),
    };
  });
}

function assertEnded({ run, desired, attempt }: RunRecordEntry, expected: number): void {
  if (desired === "ended" && attempt === expected) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `resume ${run}`,
    rule: "it must have ended",
    value: desired === "ended" ? `attempt ${attempt} has begun meanwhile` : `it is ${desired}`,
    remedy: `follow it: kn status ${run} --follow`,
  });
}

/** Requests a checkpoint and the end of the run. Rejects with KN_CONFIG when there is no such run. */
export async function stopRun(run: string, fleet: Fleet): Promise<RunRecordEntry> {
  return fleet.runs.change(run, (value) =>
    value.desired === "running" ? { ...value, desired: "stopping" } : undefined,
  );
}

/** Rejects with KN_CONFIG when there is no such run. */
export async function runRecordOf(run: string, fleet: Fleet): Promise<RunRecordEntry> {
  const found = await fleet.runs.get(run);
  if (found !== undefined) return found.value;
  const known = (await fleet.runs.all()).map((each) => each.run);
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `find ${run}`,
    rule: "the fleet must have a run of that name",
    value: known.length === 0 ? "no runs" : known.slice(-5).join(", "),
    remedy: "`kn runs --bus ...` lists them",
  });
}

/** Poll interval of the status, ms. Not a watch: it would not survive an outage of the store. */
const LOOK_EVERY_MS = 500;

/**
 * Resolves with the status that has an outcome, of this attempt or of a phase after it. Rejects with `signal.reason` on
 * abort.
 */
export async function awaitOutcome(
  { run, attempt }: Pick<RunRecordEntry, "run" | "attempt">,
  { fleet, clock }: { readonly fleet: Fleet; readonly clock: Clock },
  onStatus: (status: RunStatus) => void,
  signal: AbortSignal,
): Promise<RunStatus> {
  for (;;) {
    const found = await fleet.status.get(run).catch(() => undefined);
    const status = found?.value;
    if (status !== undefined && status.attempt >= attempt) {
      onStatus(status);
      if (status.outcome !== undefined) return status;
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}
