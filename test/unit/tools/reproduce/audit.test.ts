import { describe, expect, it } from "vitest";
import { createAudit } from "../../../../tools/reproduce/fault-schedule/audit.ts";
import { type Event, NO_PROGRESS, type Progress } from "../../../../src/messages/index.ts";

function progress(fence: number, changes: Partial<Progress>): Event {
  const fact: Progress = { ...NO_PROGRESS, ...changes };
  return { header: { run: "r", sender: "block-1", sequence: 0, step: fact.step, version: 0, fence }, fact };
}

const violationsOf = (...events: readonly Event[]): readonly string[] => {
  const audit = createAudit();
  for (const event of events) audit.observe(event);
  return audit.violations;
};

describe("createAudit", () => {
  it("has nothing to say of a block that restarts behind where it was and counts what it missed", () => {
    const events = [
      progress(1, { applied: 5, step: 5 }),
      progress(1, { applied: 5, step: 7, pending: 2 }),
      progress(1, { applied: 7, step: 7 }),
      progress(2, { applied: 4, step: 4 }),
      progress(2, { applied: 5, step: 9, skipped: { restarted: 4 } }),
    ];
    expect(violationsOf(...events)).toEqual([]);
    const audit = createAudit();
    for (const event of events) audit.observe(event);
    expect(audit.incarnations).toEqual({ "block-1": 2 });
  });

  it.each<[string, readonly Event[]]>([
    ["is not", [progress(1, { applied: 5, step: 6 })]],
    [
      "applied 2 batches in 1 steps",
      [progress(1, { applied: 5, step: 6, skipped: { lost: 1 } }), progress(1, { applied: 7, step: 7 })],
    ],
    ["went back", [progress(1, { applied: 5, step: 5 }), progress(1, { applied: 4, step: 4 })]],
    ["former incarnation", [progress(2, { applied: 5, step: 5 }), progress(1, { applied: 6, step: 6 })]],
  ])("tells: %s", (words, events) => {
    expect(violationsOf(...events).join("\n")).toContain(words);
  });
});
