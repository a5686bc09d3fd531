import { describe, expect, it } from "vitest";
import { createMailbox } from "../../../../src/runtime/actor/index.ts";

interface Note {
  readonly kind: "save" | "batch";
  readonly number: number;
  readonly reject?: (reason: Error) => void;
}

describe("createMailbox", () => {
  it("gives messages out by kind in the order named, each kind in the order of arrival", () => {
    const mailbox = createMailbox<Note>({ depth: 4 });
    for (const note of [
      { kind: "batch", number: 1 },
      { kind: "batch", number: 2 },
      { kind: "save", number: 3 },
    ] as const)
      mailbox.put(note);
    const taken = Array.from({ length: 4 }, () => mailbox.take(["save", "batch"])?.number);
    expect(taken).toEqual([3, 1, 2, undefined]);
  });

  it("reports once that a message of the kinds waits, and leaves it in its queue until it is taken", () => {
    const mailbox = createMailbox<Note>({ depth: 4 });
    let calls = 0;
    mailbox.whenAvailable(["save"], () => (calls += 1));
    mailbox.put({ kind: "batch", number: 1 });
    expect(calls).toBe(0);
    mailbox.put({ kind: "save", number: 2 });
    mailbox.put({ kind: "save", number: 3 });
    expect(calls).toBe(1);
    expect(mailbox.size).toBe(3);
    mailbox.whenAvailable(["save"], () => (calls += 1));
    expect(calls).toBe(2);
  });

  it("replaces the request before by a newer one", () => {
    const mailbox = createMailbox<Note>({ depth: 4 });
    const called: string[] = [];
    mailbox.whenAvailable(["save"], () => called.push("older"));
    mailbox.whenAvailable(["batch"], () => called.push("newer"));
    mailbox.put({ kind: "save", number: 1 });
    mailbox.put({ kind: "batch", number: 2 });
    expect(called).toEqual(["newer"]);
  });

  it("refuses messages beyond the depth of their kind", () => {
    const mailbox = createMailbox<Note>({ depth: 1 });
    expect(mailbox.put({ kind: "batch", number: 1 })).toBe(true);
    expect(mailbox.put({ kind: "batch", number: 2 })).toBe(false);
    expect(mailbox.put({ kind: "save", number: 3 })).toBe(true);
  });

  it("close rejects the messages that wait, counts them, and refuses later ones", () => {
    const { put, close, take, ...mailbox } = createMailbox<Note>({ depth: 2 }); // no method needs `this`
    const reason = new Error("the actor stops");
    const rejected: unknown[] = [];
    put({ kind: "batch", number: 1 });
    put({ kind: "save", number: 2, reject: (error) => rejected.push(error) });
    mailbox.whenAvailable(["save"], () => undefined);
    expect(close(reason)).toBe(2);
    expect(rejected).toEqual([reason]);
    expect(put({ kind: "save", number: 3 })).toBe(false);
    expect(take(["save", "batch"])).toBeUndefined();
    expect(close(reason)).toBe(0);
  });
});
