import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isKnowledgeNetError } from "../../../src/errors/index.ts";
import {
  inferSubject,
  nodeSubject,
  observeSubject,
  type ParsedSubject,
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
      fc.constantFrom("node", "infer", "observe", "act", "evt", "*", ">", ""),
      anyToken,
      fc.string(),
    );
    const anyRoot = fc.constantFrom(["kn", "v1"], ["kn", "v1"], ["kn", "v2"], ["kn"], []);
    fc.assert(
      fc.property(anyRoot, fc.array(anyPiece, { maxLength: 4 }), (root, pieces) => {
        const subject = [...root, ...pieces].join(".");
        try {
          expect(write(parseSubject(subject))).toBe(subject);
        } catch (error) {
          if (!isKnowledgeNetError(error, "KN_DECODE")) throw error;
        }
      }),
      { numRuns: 5000 },
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

function write(parsed: ParsedSubject): string {
  switch (parsed.kind) {
    case "run":
      return runSubject(parsed.run, parsed.plane, parsed.slice);
    case "node":
      return nodeSubject(parsed.node, parsed.what);
    case "infer":
      return inferSubject(parsed.model);
    case "observe":
      return observeSubject(parsed.model);
  }
}
