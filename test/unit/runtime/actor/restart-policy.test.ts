import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { createRestartPolicy } from "../../../../src/runtime/actor/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

const parts = { attempt: "test", rule: "none" };
const damaged = new KnowledgeNetError("KN_CHECKPOINT", parts);
const full = new KnowledgeNetError("KN_CHECKPOINT", { ...parts, mayPass: true });
const away = new KnowledgeNetError("KN_UNAVAILABLE", parts);

describe("createRestartPolicy", () => {
  it("patient, restarts without limit while the store is away or its disk full, up to the longest pause", () => {
    for (const error of [away, full]) {
      const decide = createRestartPolicy({ isPatient: true }, simulatedClock());
      const decisions = Array.from({ length: 9 }, () => decide(error));
      expect(decisions[0]).toEqual({ directive: "restart", delayMs: 200 });
      expect(decisions.at(-1)).toEqual({ directive: "restart", delayMs: 10_000 });
    }
  });

  it("patient, escalates a damaged state at once, and more than five other failures in a minute", () => {
    const decide = createRestartPolicy({ isPatient: true }, simulatedClock());
    expect(decide(damaged)).toEqual({ directive: "escalate" });
    const bug = new TypeError("oops");
    expect(Array.from({ length: 6 }, () => decide(bug).directive)).toEqual([
      ...Array.from({ length: 5 }, () => "restart"),
      "escalate",
    ]);
  });

  it("impatient, escalates a full disk at once: a run in one process has no other to wait for", () => {
    expect(createRestartPolicy({}, simulatedClock())(full)).toEqual({ directive: "escalate" });
  });
});
