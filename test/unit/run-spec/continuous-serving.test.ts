import { describe, expect, it } from "vitest";
import { oracleServing, parseContinuousSpec, studentServing } from "../../../src/run-spec/index.ts";

const specWith = (more = "") =>
  parseContinuousSpec(
    `{ kind: continuous, name: follow, oracle: { model: big, replicas: 2 }, student: { model: small } ${more} }`,
    { file: "follow.yaml" },
  );
const PLACED = ", placement: { oracle: tier=cloud, oracle-1: gpu-1, oracle-1-1: gpu-2, student: edge-1 }";

describe("oracleServing", () => {
  it("serves the oracle by its sections, for requests that can wait, where the spec places it", () => {
    const spec = oracleServing(specWith(PLACED));
    expect(spec).toMatchObject({ model: "big", mode: "blocks", replicas: 2, latency: { timeoutMs: 30_000 } });
    expect(spec.observe).toBeUndefined();
    expect(spec.placement).toEqual({ replica: "tier=cloud", "replica-1": "gpu-1", "replica-1-1": "gpu-2" });
  });
});

describe("studentServing", () => {
  it("serves the student as a whole, observed within the budget, where the spec places it", () => {
    const spec = studentServing(specWith(`, observe: { inputsPerMinute: 7 } ${PLACED}`));
    expect(spec).toMatchObject({ model: "small", mode: "whole", replicas: 1, observe: { inputsPerMinute: 7 } });
    expect(spec.placement).toEqual({ replica: "edge-1" });
    expect(studentServing(specWith()).placement).toEqual({});
  });
});

it("parseContinuousSpec refuses a placement of an actor that is not placed", () => {
  expect(() => specWith(", placement: { learner: edge-1 }")).toThrow(/KN_CONFIG.*placement\.learner.*oracle, student/);
});
