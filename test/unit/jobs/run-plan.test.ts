import { describe, expect, it } from "vitest";
import { jobKindOf } from "../../../src/jobs/kinds/index.ts";
import { actorsOf, epochsOf, phasesOfRun, planOf, shownLearners, startAfter } from "../../../src/jobs/run-plan.ts";
import type { Manifest } from "../../../src/runtime/artifacts/index.ts";
import { parseActorRef, type RunPhase, type RunSpec } from "../../../src/run-spec/index.ts";
import { distillationSpec, smallDataset, trainingSpec } from "./run-scene.ts";

const BASELINE = { optimizer: { kind: "sgd", learningRate: 0.1 } };
const specs: readonly (readonly [string, RunSpec])[] = [
  ["a training run", trainingSpec()],
  ["a training run with locked boundaries", trainingSpec({ gradients: { source: "locked" } })],
  ["a distillation run", distillationSpec()],
  [
    "a distillation run with replicas and a comparison",
    distillationSpec({ baseline: BASELINE, teacher: { ...distillationSpec().teacher, replicas: 2 } }),
  ],
];

describe("actorsOf", () => {
  it.each(specs)("of %s: each id once, each role within all, in start order", (_, spec) => {
    for (const phase of phasesOfRun(spec)) {
      const { learners, gradientModels, teachers, all } = actorsOf(spec, phase);
      expect(all).toEqual([...gradientModels, ...teachers, ...learners, "feeder"]);
      expect(new Set(all).size).toBe(all.length);
      for (const id of all) expect(parseActorRef(id)?.id).toBe(id);
    }
  });

  it("has a gradient model where the source predicts gradients, and only there", () => {
    const spec = trainingSpec({ gradients: { source: "locked", boundaries: { r2: { source: "synthetic" } } } });
    expect(actorsOf(spec, "training").gradientModels).toEqual(["gradient-1"]);
  });

  it.each<[RunPhase, readonly string[], readonly string[]]>([
    ["baseline", ["student-alone"], []],
    ["sections", ["student-0", "student-1", "student-2"], ["teacher-0", "teacher-1", "teacher-2"]],
    ["finetune", ["student"], ["teacher-0", "teacher-1", "teacher-2"]],
  ])("of the phase %s", (phase, learners, teachers) => {
    expect(actorsOf(distillationSpec({ baseline: BASELINE }), phase)).toMatchObject({ learners, teachers });
  });
});

describe("planOf", () => {
  it.each(specs)("of %s: phases follow each other without a gap in sequence numbers", (_, spec) => {
    let before = 0;
    for (const phase of phasesOfRun(spec)) {
      const plan = planOf(spec, smallDataset(), phase);
      expect(plan.firstSequence).toBe(before + 1);
      before = plan.lastSequence;
    }
  });

  it("repeats what is labelled in the baseline, so that it has as many steps as the other phases", () => {
    const spec = distillationSpec({ baseline: BASELINE, data: { dataset: "mnist", labelled: 16 } });
    const [baseline, sections, finetune] = phasesOfRun(spec).map((phase) => planOf(spec, smallDataset(), phase));
    expect(baseline?.totalSteps).toBe((sections?.totalSteps ?? 0) + (finetune?.totalSteps ?? 0));
    expect(baseline?.itemAt(1).indices.length).toBe(8);
  });

  it("recalibrates batch norm before the first step of a student that was stitched, and no other", () => {
    const firstPhase = (spec: RunSpec): string => planOf(spec, smallDataset(), "finetune").itemAt(first(spec)).phase;
    const first = (spec: RunSpec): number => planOf(spec, smallDataset(), "finetune").firstSequence;
    expect(firstPhase(distillationSpec())).toBe("recalibrate");
    expect(firstPhase(distillationSpec({ sections: { epochs: 0 } }))).toBe("train");
  });

  it("refuses a phase that the run does not have", () => {
    expect(() => planOf(distillationSpec(), smallDataset(), "baseline")).toThrow(RangeError);
  });
});

describe("startAfter", () => {
  const manifest = (phase: RunPhase, epoch: number): Manifest =>
    ({ phase, epoch, attempt: 4, generation: 8, step: 8, sequence: 9, actors: {} }) as unknown as Manifest;
  const start = (spec: RunSpec, newest?: Manifest) => startAfter(spec, smallDataset(), newest);

  it("begins with the first phase, without weights", () => {
    expect(start(distillationSpec())).toEqual({ phase: "sections", attempt: 1, from: undefined });
  });

  it("resumes a phase whose epochs are not over, on an attempt of its own", () => {
    const newest = manifest("sections", 1);
    expect(start(distillationSpec(), newest)).toEqual({ phase: "sections", attempt: 5, from: newest });
  });

  it("hands the weights of the sections to the whole student, and of a comparison to nobody", () => {
    const newest = manifest("sections", 2);
    expect(start(distillationSpec(), newest)).toEqual({ phase: "finetune", attempt: 5, from: newest });
    const baseline = manifest("baseline", 3);
    const spec = distillationSpec({ baseline: BASELINE });
    expect(start(spec, baseline)).toEqual({ phase: "sections", attempt: 5, from: undefined });
  });

  it("has nothing to start once the last phase is over", () => {
    expect(start(distillationSpec(), manifest("finetune", 1))).toBeUndefined();
    expect(start(trainingSpec(), manifest("training", 2))).toBeUndefined();
  });

  it("resumes a kind without a feeder at its newest checkpoint: it has no epochs to finish", () => {
    const spec = trainingSpec();
    const { feeding: _, ...kind } = jobKindOf(spec);
    const newest = manifest("training", 99);
    expect(startAfter(spec, smallDataset(), newest, kind)).toEqual({ phase: "training", attempt: 5, from: newest });
  });
});

describe("epochsOf", () => {
  it("counts the epochs of one phase alone", () => {
    const spec = distillationSpec();
    expect(phasesOfRun(spec).map((phase) => epochsOf(planOf(spec, smallDataset(), phase)))).toEqual([2, 1]);
  });
});

describe("shownLearners", () => {
  it.each<[RunSpec, RunPhase, string, string]>([
    [trainingSpec(), "training", "3 blocks", "block"],
    [distillationSpec(), "sections", "3 sections", "section"],
    [distillationSpec(), "finetune", "the whole student", "section"],
  ])("names the learners of %#", (spec, phase, text, noun) => {
    const shown = shownLearners(spec, phase);
    expect([shown.text, shown.view.noun]).toEqual([text, noun]);
    expect(shown.ids).toEqual(actorsOf(spec, phase).learners);
  });
});

describe("rules of the feeder", () => {
  const rules = (spec: RunSpec, phase: RunPhase) => jobKindOf(spec).feeding?.rules(spec, phase);

  it("drop only where the spec says so, and follow the first block", () => {
    expect(rules(trainingSpec(), "training")).toMatchObject({ keepsUntil: "first", isDropping: false, window: 4 });
    expect(rules(trainingSpec({ flow: { overload: "drop" } }), "training")).toMatchObject({ isDropping: true });
  });

  it("keep a batch for every section, and name a teacher unless the student learns alone", () => {
    const spec = distillationSpec({ baseline: BASELINE });
    expect(rules(spec, "sections")).toMatchObject({ keepsUntil: "all", namesTeacher: true, isDistilling: true });
    expect(rules(spec, "baseline")).toMatchObject({ namesTeacher: false, isDistilling: true });
  });
});
