import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import {
  type DistillationContext,
  distillationResultsOf,
  type PhaseResult,
} from "../../../src/jobs/distillation-results.ts";
import { type DistillationSpec, parseSpec, phasesOf } from "../../../src/run-spec/index.ts";

const text = await readFile(new URL("../../../examples/cifar-sections.yaml", import.meta.url), "utf8");
const spec = parseSpec(text, { file: "cifar-sections.yaml" }) as DistillationSpec;
const context = {
  run: "run",
  spec,
  dataset: { fingerprint: "data" },
  bus: "memory",
  slices: [],
  teacherSlices: [],
} as unknown as DistillationContext;

const ended = (phase: string, outcome: string): PhaseResult => ({ phase, outcome, seconds: 1 }) as PhaseResult;

describe("results of a distillation", () => {
  it("says unfinished until the last phase is through: who was killed between two phases is not done", () => {
    const [first = "", last = ""] = phasesOf(spec);
    const afterFirst = distillationResultsOf([ended(first, "completed")], [], context);
    expect(afterFirst.outcome).toBe("unfinished");
    const afterLast = distillationResultsOf([ended(last, "completed")], afterFirst.phases, context);
    expect(afterLast.outcome).toBe("completed");
    expect(afterLast.phases.map(({ phase }) => phase)).toEqual([first, last]);
  });

  it.each(["stopped", "failed"])("says %s of whichever phase ended so", (outcome) => {
    const [first = ""] = phasesOf(spec);
    expect(distillationResultsOf([ended(first, outcome)], [], context).outcome).toBe(outcome);
  });
});
