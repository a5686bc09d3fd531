import { describe, expect, it } from "vitest";
import { createStepAccount } from "../../../../src/runtime/stream/step-account.ts";

describe("createStepAccount", () => {
  it("takes steps one by one without a skip, evaluations between them", () => {
    const account = createStepAccount();
    account.take(1, true, undefined);
    account.take(1, false, undefined);
    account.take(2, true, undefined);
    expect(account.step).toBe(2);
    expect(account.skipped.total).toBe(0);
  });

  it("counts what lies between two steps, by its cause", () => {
    const account = createStepAccount();
    account.take(4, true, "restarted");
    account.take(6, true, "sender-restarted");
    account.take(9, true, "overload");
    account.take(12, true, "overload");
    expect(account.skipped.snapshot()).toEqual({ restarted: 3, "sender-restarted": 1, overload: 4 });
    expect(account.step).toBe(12);
  });

  it("counts training batches that went by before an evaluation, whose header bears the last of them", () => {
    const account = createStepAccount();
    account.take(2, true, "restarted");
    account.take(5, false, "overload");
    account.take(6, true, undefined);
    expect(account.skipped.snapshot()).toEqual({ restarted: 1, overload: 3 });
    expect(account.step).toBe(6);
  });

  it("does not count steps of before again when an older one comes back", () => {
    const account = createStepAccount();
    account.take(5, true, "restarted");
    account.take(3, false, undefined);
    expect(account.step).toBe(5);
    expect(account.skipped.total).toBe(4);
  });

  it("refuses a second application of one batch", () => {
    const account = createStepAccount();
    for (const step of [1, 2, 3]) account.apply(step);
    expect(() => {
      account.apply(2);
    }).toThrow(expect.objectContaining({ code: "KN_INVARIANT", value: "step 2" }));
    account.apply(4);
  });

  it("notices it among as many batches as can be under way, not for ever", () => {
    const account = createStepAccount();
    for (let step = 1; step <= 4097; step += 1) account.apply(step);
    account.apply(1);
    expect(() => {
      account.apply(4000);
    }).toThrow(expect.objectContaining({ code: "KN_INVARIANT" }));
  });

  it("goes on from what it saved", () => {
    const before = createStepAccount();
    before.take(3, true, "restarted");
    before.skipped.count("unanswered", 2);
    const after = createStepAccount(before.save());
    expect(after.step).toBe(3);
    expect(after.skipped.snapshot()).toEqual({ restarted: 2, unanswered: 2 });
    after.take(6, true, "restarted");
    expect(after.skipped.snapshot()).toEqual({ restarted: 4, unanswered: 2 });
  });
});
