import { describe, expect, it } from "vitest";
import type { JobKind, JobResults } from "../../../../src/jobs/job-kind.ts";
import { jobKindOf } from "../../../../src/jobs/kinds/index.ts";
import type { ActorFigures, MonitorFigures } from "../../../../src/jobs/run-monitor.ts";
import type { TextTable } from "../../../../src/jobs/text.ts";
import type { RunPhase, RunSpec } from "../../../../src/run-spec/index.ts";
import { distillationSpec, type EndChanges, phaseEnd, slice, smallDataset, trainingSpec } from "../run-scene.ts";

function figures(...actors: readonly (Partial<ActorFigures> & { readonly id: string })[]): MonitorFigures {
  return { step: 1, stepsPerSecond: 1, actors: actors as readonly ActorFigures[], evaluation: undefined, events: [] };
}

/** What a table shows, by row title. */
function rowsOf(part: string | TextTable | undefined): Record<string, readonly string[]> {
  if (part === undefined || typeof part === "string") throw new Error("not a table");
  for (const row of part.rows) expect(row).toHaveLength(part.head?.length ?? 2);
  return Object.fromEntries(part.rows.map(([title = "", ...cells]) => [title, cells]));
}

const slices = {
  slices: [0, 1, 2].map((index) => slice(index, 6)),
  teacherSlices: [0, 1, 2].map((index) => slice(index, 12)),
};

function resultsText(spec: RunSpec, ...ends: readonly EndChanges[]): readonly (string | TextTable)[] {
  const kind: JobKind = jobKindOf(spec);
  const context = { run: "run", spec, dataset: smallDataset(), bus: "memory", ...slices };
  const results: JobResults = kind.results(ends.map(phaseEnd), undefined, context);
  return kind.view.results(results);
}

describe("the view of a training run", () => {
  const { view } = jobKindOf(trainingSpec());
  const learner = view.learner(trainingSpec(), "training");
  const quality = { cosine: 0.42, relativeError: 1, updates: 1 };

  it("shows staleness and quality of the gradient model beside its block", () => {
    const seen = figures({ id: "gradient-1", stalenessSteps: 3, quality });
    expect(learner.cells(seen, "block-1")).toEqual(["3 steps", "▮▮▮▮▯▯▯▯▯▯ 0.42"]);
    expect(learner.note(seen, "block-1")).toBe("stale 3 M 0.42");
  });

  it("shows a block without a gradient model as one that is not stale", () => {
    const seen = figures({ id: "gradient-1", stalenessSteps: 3, quality });
    expect(learner.cells(seen, "block-2")).toEqual(["0 steps", "-"]);
    expect(learner.note(seen, "block-2")).toBe("");
  });

  it("shows the traffic at each boundary", () => {
    const seen = figures(
      { id: "block-0", bytesPerSecond: { act: 2048 } },
      { id: "block-1", bytesPerSecond: { grad: 1023.6 } },
      { id: "gradient-0", bytesPerSecond: {}, stalenessSteps: 1, quality },
    );
    expect(rowsOf(view.boundaries(trainingSpec(), "training", seen))).toEqual({
      "0 r1": ["synthetic", "2.00 KiB", "1.00 KiB", "0 B", "0.42", "1 steps"],
      "1 r2": ["synthetic", "0 B", "0 B", "0 B", "-", "-"],
    });
  });

  it("describes a plan: blocks, and bytes per step at each boundary by codec", () => {
    const { json, text } = view.plan(trainingSpec(), slices);
    expect(text[0]).toBe("tiny (training), batch 8, 2 epochs");
    expect(Object.keys(rowsOf(text[1]))).toEqual(["block-0", "block-1", "block-2"]);
    expect(rowsOf(text[2])["0"]?.slice(0, 3)).toEqual(["r1", "synthetic", "192 B"]);
    expect(json).toMatchObject({ name: "tiny", kind: "training", boundaries: [{ bytesPerStep: { f32: 192 } }, {}] });
  });

  it("sums a run up, and says that an accuracy was not measured", () => {
    const [summary, boundaries] = resultsText(trainingSpec(), { record: { evaluations: [] } });
    expect(rowsOf(summary)).toMatchObject({ accuracy: ["not measured"], speed: ["2.00 steps/s, 16 steps, 2 epochs"] });
    expect(Object.keys(rowsOf(boundaries))).toEqual(["0", "1"]);
  });

  it("has no table of boundaries for a network in one piece", () => {
    const { model } = trainingSpec();
    const whole = trainingSpec({ model: { ...model, cuts: [] } });
    expect(resultsText(whole, {})).toHaveLength(1);
  });
});

describe("the view of a distillation run", () => {
  const spec = distillationSpec();
  const { view } = jobKindOf(spec);
  const learner = view.learner(spec, "sections");
  const seen = figures(
    { id: "student-1", hintLoss: 0.12345, bytesPerSecond: { act: 512 } },
    { id: "student", hintLoss: 0.5, bytesPerSecond: {} },
    { id: "teacher-1", cache: { hits: 4, misses: 2, refused: 1 }, bytesPerSecond: { hint: 2048 } },
    { id: "teacher-2", cache: undefined, bytesPerSecond: {} },
  );

  it("shows the distance of a section to its teacher, and how the teacher answered", () => {
    expect(learner.cells(seen, "student-1")).toEqual(["0.1235", "2 / 4"]);
    expect(learner.cells(seen, "student-2")).toEqual(["-", "-"]);
    expect(learner.note(seen, "student-1")).toBe("hint 0.123");
    expect(learner.note(seen, "student-0")).toBe("");
  });

  it.each<[RunPhase, Record<string, readonly string[]>]>([
    ["sections", { "1": ["0.1235", "2.00 KiB", "512 B", "2", "4", "1"], "2": ["-", "0 B", "0 B", "0", "0", "0"] }],
    ["finetune", { "1": ["-", "2.00 KiB", "0 B", "2", "4", "1"], "2": ["0.5000", "0 B", "0 B", "0", "0", "0"] }],
  ])("shows the traffic between teacher and student in the phase %s", (phase, rows) => {
    expect(rowsOf(view.boundaries(spec, phase, seen))).toMatchObject(rows);
  });

  it("compares teacher and student section by section in a plan", () => {
    const { json, text } = view.plan(spec, slices);
    const rows = rowsOf(text[0]);
    expect(rows["0"]?.[0]).toBe("[12], student [6]");
    expect(rows["2"]?.[0]).toBe("[2]");
    expect(rows.all?.[3]).toBe("360 (50.0 % fewer)");
    expect(json).toMatchObject({ saved: { parameters: 0.5, macs: 0.5 } });
  });

  it("has a row for the teacher and for each phase", () => {
    const evaluations = (accuracy: number, teacherAccuracy?: number) => [
      { evaluation: 1, step: 16, samples: 32, accuracy, loss: 1, atMs: 0, agreement: 0.5, teacherAccuracy },
    ];
    const [table, sentence] = resultsText(
      spec,
      { phase: "sections", record: { evaluations: evaluations(0.25, 0.9) } },
      { phase: "finetune", record: { evaluations: evaluations(0.75) } },
    );
    const rows = rowsOf(table);
    expect(rows.teacher?.[2]).toBe("90.00 %");
    expect(rows["student, sections side by side"]?.slice(2, 4)).toEqual(["25.00 %", "50.00 %"]);
    expect(rows["student with transfer"]?.[2]).toBe("75.00 %");
    expect(sentence).toBe("the student has 50.00 % fewer parameters and 50.00 % fewer MACs than its teacher");
  });
});
