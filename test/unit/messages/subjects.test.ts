import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fullUpdateSubject,
  nodeSubject,
  observeSubject,
  PLANES,
  type Plane,
  runSubject,
  updateSubject,
} from "../../../src/messages/index.ts";
import { anyRun, anyToken } from "./samples.ts";

describe("runSubject", () => {
  it("names the plane and the slice of a run", () => {
    expect(runSubject("demo", "act", 0)).toBe("kn.v1.demo.act.0");
  });

  it.each(["", "a.b", "*", ">", "a b", "ä", "x".repeat(65), "node", "infer", "observe", "update"])(
    "refuses the run %j",
    (run) => {
      expect(() => runSubject(run, "act", "0")).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    },
  );

  it.each(["", "0.1", "*", ">", "x".repeat(65)])("refuses the slice %j", (slice) => {
    expect(() => runSubject("demo", "act", slice)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });

  it("is one text for each run, plane and slice, and none of a node's", () => {
    const anySubject = fc.record({ run: anyRun, plane: fc.constantFrom(...PLANES), slice: anyToken });
    const subjectOf = ({ run, plane, slice }: { run: string; plane: Plane; slice: string }): string =>
      runSubject(run, plane, slice);
    fc.assert(
      fc.property(anySubject, anySubject, anyToken, anyToken, (one, other, node, what) => {
        expect(subjectOf(one) === subjectOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
        expect(nodeSubject(node, what)).not.toBe(subjectOf(one));
      }),
      { seed: 1 },
    );
  });
});

describe("nodeSubject", () => {
  it("names the node and what it publishes", () => {
    expect(nodeSubject("edge-1", "heartbeat")).toBe("kn.v1.node.edge-1.heartbeat");
  });

  it.each([
    ["a.b", "heartbeat"],
    ["edge-1", "*"],
  ])("refuses %j, %j", (node, what) => {
    expect(() => nodeSubject(node, what)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });
});

describe("observeSubject", () => {
  it("names the live inputs of a model", () => {
    expect(observeSubject("digits")).toBe("kn.v1.observe.digits");
    expect(() => observeSubject("*")).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });
});

describe("updateSubject", () => {
  it("names the updates of a model, and fullUpdateSubject the requests for a full one", () => {
    expect([updateSubject("digits"), fullUpdateSubject("digits")]).toEqual([
      "kn.v1.update.digits",
      "kn.v1.update.digits.full",
    ]);
    expect(() => fullUpdateSubject("a.b")).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });
});
