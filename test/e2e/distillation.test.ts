/** Distillation in one process with real actors and real mathematics on a small net: what is said, kept, and by whom. */
import { describe, expect, it } from "vitest";
import type { RunRecord } from "../../src/actors/coordinator/index.ts";
import { publishTeacher } from "../../src/jobs/find-teacher.ts";
import { createPhaseRun } from "../../src/jobs/phase-run.ts";
import { describeSlices } from "../../src/jobs/describe-slices.ts";
import { startAfter } from "../../src/jobs/run-plan.ts";
import { createComputeWorker, openSection } from "../../src/compute/index.ts";
import { createSplit, type Dataset } from "../../src/data/index.ts";
import { type Activation, decodeFrame, type Event, runSubject } from "../../src/messages/index.ts";
import { createControlChannel } from "../../src/runtime/actor/index.ts";
import { createMemoryBroker } from "../../src/runtime/bus/index.ts";
import { createFileRecordCache, type RecordCache } from "../../src/runtime/cache/index.ts";
import { openCheckpoints, scopeOfRun } from "../../src/runtime/artifacts/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { fileStore } from "../../src/runtime/store/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { type DistillationSpec, type ModelSpec, parseSpec } from "../../src/run-spec/index.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const [SAMPLES, BATCH, EPOCHS] = [64, 8, 2];
const STEPS = (SAMPLES / BATCH) * EPOCHS;

function modelOf(width: number): ModelSpec {
  return {
    input: [2, 2, 1],
    classes: 10,
    layers: [
      { name: "scale", type: "rescaling", scale: 1 / 128, offset: -1 },
      { name: "flat", type: "flatten" },
      { name: "d1", type: "dense", units: width },
      { name: "r1", type: "re_lu" },
      { name: "d2", type: "dense", units: width },
      { name: "r2", type: "re_lu" },
      { name: "out", type: "dense", units: 10 },
    ],
    cuts: ["r1", "r2"],
  } as ModelSpec;
}

const TEACHER = modelOf(12);
/** Narrower at its boundaries, so that adapters stand there. */
const STUDENT = modelOf(6);

function specOf(changes: Readonly<Record<string, unknown>> = {}): DistillationSpec {
  const text = JSON.stringify({
    kind: "distillation",
    name: "small",
    seed: 3,
    data: { dataset: "mnist" },
    teacher: { model: TEACHER },
    student: { model: STUDENT },
    batchSize: BATCH,
    sections: { epochs: EPOCHS, optimizer: { kind: "adam", learningRate: 0.01 } },
    finetune: { epochs: 1, optimizer: { kind: "adam", learningRate: 0.01 }, recalibrate: 2 },
    evaluation: { batchSize: 16 },
    ...changes,
  });
  return parseSpec(text, { file: "small.json" }) as DistillationSpec;
}

function smallDataset(): Dataset {
  const samples = Uint8Array.from({ length: SAMPLES * 4 }, (_, index) => (index * 37) % 256);
  const labels = Uint8Array.from({ length: SAMPLES }, (_, index) => index % 10);
  const split = createSplit({ samples, labels, sampleShape: [2, 2, 1] });
  return {
    name: "mnist",
    sampleShape: [2, 2, 1],
    classes: 10,
    train: split,
    test: split,
    validation: split,
    records: 2 * SAMPLES,
    fingerprint: "small",
  };
}

/** Weights of the teacher as its seed draws them: what they say is of no matter here. */
async function teacherWeights(seed: number) {
  await using worker = await createComputeWorker({ backend: "auto" });
  const unit = await openSection(worker, "teacher", {
    inputShape: TEACHER.input,
    layers: TEACHER.layers,
    seed,
    optimizer: { kind: "sgd", learningRate: 1 },
    learningRate: { peak: 1, totalSteps: 1 },
    classes: 10,
    objective: { kind: "logits", crossEntropy: 1 },
    averageDecay: 0,
  });
  return (await unit.snapshot()).tensors;
}

interface SceneOptions {
  readonly folder: string;
  readonly cache?: RecordCache;
  readonly changes?: Readonly<Record<string, unknown>>;
  readonly name?: string;
}

/** The first phase of a run, with everything that its teacher says. */
async function scene({ folder, cache, changes, name = "small" }: SceneOptions) {
  const clock = systemClock();
  const spec = specOf(changes);
  const dataset = smallDataset();
  const bus = createMemoryBroker().connect({ clock });
  const store = await fileStore({ directory: `${folder}/${name}`, clock });
  await publishTeacher(store, { model: TEACHER, tensors: await teacherWeights(1) }, scopeOfRun(name));
  const hints: { readonly index: number; readonly activation: Activation; readonly bytes: Uint8Array }[] = [];
  for (const index of [0, 1, 2]) {
    bus.subscribe(runSubject(name, "hint", index), ({ data }) => {
      const frame = decodeFrame(data);
      if (frame.kind === "activation") hints.push({ index, activation: frame.activation, bytes: data.slice() });
    });
  }
  const events: Event[] = [];
  const channel = createControlChannel({ run: name, actor: "test" }, { bus, log: silentLogger });
  channel.watch("*", (event) => {
    events.push(event);
  });
  const slices = await describeSlices(spec);
  const checkpoints = await openCheckpoints(store, scopeOfRun(name));
  const runPhase = async (during?: () => Promise<void>): Promise<RunRecord> => {
    const [newest] = await checkpoints.manifests();
    const start = startAfter(spec, dataset, newest);
    if (start === undefined) throw new Error("the run is complete");
    const run = createPhaseRun(
      { name, spec, ...slices, ...start, backend: "auto", softwareVersion: "0.0.0" },
      { bus, store, clock, log: silentLogger, dataset, cache },
    );
    await run.start();
    await during?.();
    const { outcome, error, record } = await run.ended;
    if (outcome !== "completed") throw error ?? new Error(outcome);
    return record;
  };
  return { bus, store, channel, events, hints, checkpoints, runPhase, close: () => store.close() };
}

const cacheIn = (directory: string): RecordCache =>
  createFileRecordCache({ directory, budgetBytes: 2 ** 30 }, { clock: systemClock(), log: silentLogger });

function cacheFigures(record: RunRecord): Record<string, number> {
  const sum: Record<string, number> = { hits: 0, misses: 0 };
  for (const index of [0, 1, 2]) {
    for (const [figure, count] of Object.entries(record.progress[`teacher-${index}`]?.cache ?? {})) {
      sum[figure] = (sum[figure] ?? 0) + count;
    }
  }
  return sum;
}

/** The tensors that a teacher said, by section and sequence. */
function saidBy(hints: Awaited<ReturnType<typeof scene>>["hints"]): Map<string, string> {
  return new Map(
    hints.map(({ index, activation }) => [
      `${index}:${activation.header.sequence}`,
      Buffer.from((activation.tensor.values as Float32Array).slice().buffer).toString("hex"),
    ]),
  );
}

describe("a distillation run in one process", { timeout: 60_000 }, () => {
  it("goes through its phases; every section learns every batch; the whole student has no adapter", async () => {
    await using folder = await temporaryFolder();
    const at = await scene({ folder: folder.path });
    const sections = await at.runPhase();
    expect(sections.step).toBe(STEPS);
    for (const id of ["student-0", "student-1", "student-2"]) {
      expect(sections.progress[id]).toMatchObject({ applied: STEPS, skipped: {} });
      expect(sections.progress[id]?.hintLoss).toBeGreaterThan(0);
    }
    const whole = sections.evaluations.at(-1);
    expect(whole).toMatchObject({ samples: SAMPLES });

    const finetune = await at.runPhase();
    expect(finetune.progress.student).toMatchObject({ applied: SAMPLES / BATCH });
    const [newest] = await at.checkpoints.manifests();
    expect(newest?.phase).toBe("finetune");
    const { tensors } = await at.checkpoints.load("student", newest ?? { attempt: 0, generation: 0 });
    expect(Object.keys(tensors).filter((key) => key.includes("adapter"))).toEqual([]);
    expect(tensors["weights/d2/kernel"]?.shape).toEqual([6, 6]);
    await at.close();
  });

  it("what is kept is bit-equal to what was computed, and another run on it needs no teacher forward", async () => {
    await using folder = await temporaryFolder();
    await using cache = cacheIn(`${folder.path}/cache`);
    const first = await scene({ folder: folder.path, name: "first", cache });
    const fresh = cacheFigures(await first.runPhase());
    // Each sample is computed once by each section: the second epoch finds it, and so does what is measured.
    expect(fresh.misses).toBe(3 * SAMPLES);
    expect(fresh.hits).toBeGreaterThanOrEqual(3 * SAMPLES * (2 * EPOCHS - 1));
    const second = await scene({ folder: folder.path, name: "second", cache });
    const kept = cacheFigures(await second.runPhase());
    expect(kept.misses).toBe(0);
    expect(kept.hits).toBeGreaterThanOrEqual(3 * SAMPLES * 2 * EPOCHS);

    const bare = await scene({ folder: folder.path, name: "bare" });
    const without = cacheFigures(await bare.runPhase());
    expect(without).toMatchObject({ hits: 0 });
    const [said, again, anew] = [first, second, bare].map(({ hints }) => saidBy(hints));
    expect(said?.size).toBeGreaterThanOrEqual(3 * STEPS);
    expect(again).toEqual(said);
    expect(anew).toEqual(said);
    await Promise.all([first.close(), second.close(), bare.close()]);
  });

  it("a new teacher in mid-run: told once by every section, and no provenance is of two teachers", async () => {
    await using folder = await temporaryFolder();
    const at = await scene({
      folder: folder.path,
      changes: { sections: { epochs: 40, optimizer: { kind: "adam", learningRate: 0.01 } } },
    });
    const next = { model: TEACHER, tensors: await teacherWeights(2) };
    const record = await at.runPhase(async () => {
      await waitFor(
        () =>
          at.events.some(
            ({ header, fact }) => fact.kind === "Progress" && header.sender === "student-2" && header.step > 8,
          ),
        "the student has begun",
        30_000,
      );
      const { release } = await publishTeacher(at.store, next, scopeOfRun("small"));
      expect(release).toBe(2);
      await at.channel.order("feeder", { kind: "UseTeacher", version: release });
    });
    const changes = at.events.filter(({ fact }) => fact.kind === "TeacherChanged");
    expect(changes.map(({ header }) => header.sender).sort()).toEqual(["student-0", "student-1", "student-2"]);
    for (const { fact } of changes) expect(fact).toMatchObject({ from: 1, to: 2 });
    // All at the same batch, which the run's record tells.
    expect(new Set(changes.map(({ header }) => header.sequence)).size).toBe(1);
    expect(record.teachers).toHaveLength(3);

    // What is measured between two epochs may be the first that hears of it: the change is told at the first provenance.
    const changedAt = changes[0]?.header.sequence ?? 0;
    const versions = new Map<number, Set<number>>();
    for (const { activation } of at.hints) {
      const { sequence } = activation.header;
      const version = activation.provenance?.teacher ?? 0;
      versions.set(sequence, (versions.get(sequence) ?? new Set()).add(version));
      if (activation.phase === "train") expect(version).toBe(sequence < changedAt ? 1 : 2);
    }
    const inOrder = [...versions].sort(([a], [b]) => a - b).map(([, seen]) => [...seen]);
    expect(inOrder.every((seen) => seen.length === 1)).toBe(true);
    expect(inOrder.flat()).toEqual(inOrder.flat().sort());
    for (const id of ["student-0", "student-1", "student-2"]) expect(record.progress[id]?.skipped).toEqual({});
    await at.close();
  });
});
