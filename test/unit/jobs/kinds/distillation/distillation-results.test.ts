import { describe, expect, it } from "vitest";
import { distillationKind } from "../../../../../src/jobs/kinds/distillation/index.ts";
import type { DistillationResults } from "../../../../../src/jobs/kinds/distillation/distillation-results.ts";
import {
  distillationSpec,
  type EndChanges,
  evaluation,
  phaseEnd,
  progress,
  slice,
  smallDataset,
} from "../../run-scene.ts";

const spec = distillationSpec();
const context = {
  run: "small-1",
  spec,
  dataset: smallDataset(),
  bus: "memory",
  slices: [0, 1, 2].map((index) => slice(index, 6)),
  teacherSlices: [0, 1, 2].map((index) => slice(index, 12)),
};

function results(ends: readonly EndChanges[], before?: unknown): DistillationResults {
  return distillationKind.results(ends.map(phaseEnd), before, context);
}

describe("distillationResultsOf", () => {
  it("is unfinished until the last phase has ended: a process may be killed between two phases", () => {
    const first = results([{ phase: "sections" }]);
    expect(first.outcome).toBe("unfinished");
    const last = results([{ phase: "finetune" }], first);
    expect(last.outcome).toBe("completed");
    expect(last.phases.map(({ phase }) => phase)).toEqual(["sections", "finetune"]);
    expect(last.seconds).toBe(16);
  });

  it.each(["stopped", "failed"] as const)("has the outcome of a phase that %s", (outcome) => {
    expect(results([{ phase: "sections", outcome }]).outcome).toBe(outcome);
  });

  it("is unmeasured without a whole evaluation after the last step", () => {
    const { outcome, accuracy } = results([{ phase: "finetune", record: { evaluations: [evaluation(8)] } }]);
    expect([outcome, accuracy]).toEqual(["unmeasured", null]);
  });

  it("replaces a phase that is done again and those after it, and ignores a file of another shape", () => {
    const first = results([{ phase: "sections", outcome: "stopped" }, { phase: "finetune" }]);
    const again = results([{ phase: "sections", seconds: 2 }], first);
    expect(again.phases.map(({ phase, seconds }) => [phase, seconds])).toEqual([["sections", 2]]);
    expect(results([{ phase: "finetune" }], { phases: undefined }).phases).toHaveLength(1);
  });

  it("sums bytes and cache over the actors of a phase, and has the figures of each learner", () => {
    const { phases, student, teacher } = results([
      {
        phase: "sections",
        stepsBefore: 8,
        record: {
          progress: {
            feeder: progress({ sentBytes: { batch: 5 } }),
            "teacher-0": progress({ sentBytes: { hint: 7 }, cache: { hits: 1, misses: 2 } }),
            "teacher-1": progress({ sentBytes: { hint: 1 }, cache: { hits: 3 } }),
            "student-1": progress({ applied: 15, skipped: { stale: 1 }, hintLoss: 0.1234567 }),
            "block-0": progress({ sentBytes: { act: 99 } }),
          },
        },
      },
    ]);
    const [phase] = phases;
    expect(phase?.bytes).toEqual({ batch: 5, hint: 8 });
    expect(phase?.cache).toEqual({ hits: 4, misses: 2 });
    expect(phase?.learners).toEqual([
      { id: "student-0", applied: 0, skipped: {}, published: 0 },
      { id: "student-1", applied: 15, skipped: { stale: 1 }, published: 16, hintLoss: 0.12346 },
      { id: "student-2", applied: 0, skipped: {}, published: 0 },
    ]);
    expect(phase?.stepsPerSecond).toBe(1);
    expect(student).toEqual({ parameters: 360, macs: 180 });
    expect(teacher).toEqual({ parameters: 720, macs: 360 });
  });

  it("lists whole evaluations only, with agreement and the teacher's accuracy", () => {
    const evaluations = [
      evaluation(8, { samples: 16 }),
      evaluation(16, { accuracy: 0.5, agreement: 0.75, teacherAccuracy: 0.9 }),
    ];
    const [phase] = results([{ phase: "finetune", record: { evaluations } }]).phases;
    expect(phase).toMatchObject({ accuracy: 0.5, agreement: 0.75, teacherAccuracy: 0.9 });
    expect(phase?.evaluations).toEqual([{ step: 16, accuracy: 0.5, agreement: 0.75 }]);
  });
});
