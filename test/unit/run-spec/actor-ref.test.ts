import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACTOR_KINDS, type ActorKind, actorRef, parseActorRef } from "../../../src/run-spec/index.ts";

describe("actorRef", () => {
  it.each([
    ["feeder", 0, 0, "feeder"],
    ["coordinator", 0, 0, "coordinator"],
    ["block", 3, 0, "block-3"],
    ["gradient-model", 2, 0, "gradient-2"],
    ["teacher-section", 1, 0, "teacher-1"],
    ["teacher-section", 1, 2, "teacher-1-2"],
    ["student-section", 10, 0, "student-10"],
    ["whole-student", 0, 0, "student"],
    ["student-alone", 0, 0, "student-alone"],
    ["replica", 1, 2, "replica-1-2"],
    ["gateway", 4, 0, "gateway-4"],
    ["updater", 4, 0, "updater-4"],
  ] as const)("names %s %i, copy %i, as it is on the wire", (kind, index, copy, id) => {
    expect(actorRef(kind, index, copy)).toEqual({ kind, index, copy, id });
  });

  it.each([
    ["feeder", 1, 0],
    ["block", -1, 0],
    ["block", 0.5, 0],
    ["block", 0, 1],
    ["student-section", Number.NaN, 0],
    ["teacher-section", 0, -1],
  ] as const)("refuses %s %f, copy %f", (kind, index, copy) => {
    expect(() => actorRef(kind, index, copy)).toThrow(RangeError);
  });
});

describe("parseActorRef", () => {
  it("takes apart what actorRef puts together, for every kind", () => {
    const index = fc.nat({ max: 999_999_999 });
    fc.assert(
      fc.property(fc.constantFrom(...ACTOR_KINDS), index, index, (kind, any, other) => {
        const isSingle = ["feeder", "coordinator", "whole-student", "student-alone", "learner"].includes(kind);
        const ref = actorRef(kind, isSingle ? 0 : any, ["teacher-section", "replica"].includes(kind) ? other : 0);
        expect(parseActorRef(ref.id)).toEqual(ref);
      }),
      { seed: 1 },
    );
  });

  it.each([
    "",
    "block",
    "block-",
    "block-01",
    "block-1-1",
    "block-1 ",
    "Block-1",
    "block--1",
    "gradient-model-1",
    "teacher-1-0",
    "feeder-0",
    "view",
    "supervisor-node-1",
    "student-alone-1",
    "constructor",
  ])("%j is no actor", (id) => {
    expect(parseActorRef(id)).toBeUndefined();
  });

  it("no two kinds share an id", () => {
    const ids = ACTOR_KINDS.map((kind: ActorKind) => actorRef(kind, 0).id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
