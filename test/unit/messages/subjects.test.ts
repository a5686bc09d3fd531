import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  inferSubject,
  nodeSubject,
  observeSubject,
  parseSubject,
  PLANES,
  runSubject,
} from "../../../src/messages/index.ts";
import { anyRun, anyToken } from "./samples.ts";

describe("runSubject", () => {
  it("names the plane and the slice of a run", () => {
    expect(runSubject("demo", "act", 0)).toBe("kn.v1.demo.act.0");
  });

  it.each(["", "a.b", "*", ">", "a b", "ä", "x".repeat(65), "node", "infer", "observe"])(
    "refuses the run %j",
    (run) => {
      expect(() => runSubject(run, "act", "0")).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    },
  );

  it.each(["", "0.1", "*", ">", "x".repeat(65)])("refuses the slice %j", (slice) => {
    expect(() => runSubject("demo", "act", slice)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });
});

describe("parseSubject", () => {
  it("reads back what runSubject wrote", () => {
    fc.assert(
      fc.property(anyRun, fc.constantFrom(...PLANES), anyToken, (run, plane, slice) => {
        expect(parseSubject(runSubject(run, plane, slice))).toEqual({ kind: "run", run, plane, slice });
      }),
    );
  });

  it("reads back what nodeSubject, inferSubject and observeSubject wrote", () => {
    fc.assert(
      fc.property(anyToken, anyToken, (one, other) => {
        expect(parseSubject(nodeSubject(one, other))).toEqual({ kind: "node", node: one, what: other });
        expect(parseSubject(inferSubject(one))).toEqual({ kind: "infer", model: one });
        expect(parseSubject(observeSubject(one))).toEqual({ kind: "observe", model: one });
      }),
    );
  });

  it("gives every text at most one reading, and that one writes it again", () => {
    const anyPiece = fc.oneof(
      fc.constantFrom("kn", "v1", "node", "infer", "observe", "act", "*", ">", ""),
      anyToken,
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(anyPiece, { maxLength: 7 }), (pieces) => {
        const subject = pieces.join(".");
        let parsed: ReturnType<typeof parseSubject>;
        try {
          parsed = parseSubject(subject);
        } catch (error) {
          expect(error).toMatchObject({ code: "KN_DECODE" });
          return;
        }
        switch (parsed.kind) {
          case "run":
            return expect(runSubject(parsed.run, parsed.plane, parsed.slice)).toBe(subject);
          case "node":
            return expect(nodeSubject(parsed.node, parsed.what)).toBe(subject);
          case "infer":
            return expect(inferSubject(parsed.model)).toBe(subject);
          case "observe":
            return expect(observeSubject(parsed.model)).toBe(subject);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    "",
    "kn",
    "kn.v1",
    "kn.v2.demo.act.0",
    "kn.v1.demo.act",
    "kn.v1.demo.act.0.1",
    "kn.v1.demo.foo.0",
    "kn.v1.demo.act.*",
    "kn.v1.infer",
    "kn.v1.infer.act.0",
    "kn.v1.node.n",
  ])("refuses %j", (subject) => {
    expect(() => parseSubject(subject)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });
});
