import { describe, expect, it } from "vitest";
import { createMailbox } from "../../../../src/runtime/actor/index.ts";

interface Note {
  readonly kind: "save" | "batch";
  readonly number: number;
}

describe("createMailbox", () => {
  it("serves the kinds in the order in which they are asked for, each in the order of arrival", () => {
    const mailbox = createMailbox<Note>({ depth: 4 });
    const taken: Note[] = [];
    for (const note of [
      { kind: "batch", number: 1 },
      { kind: "batch", number: 2 },
      { kind: "save", number: 3 },
    ] as const)
      mailbox.put(note);
    for (let count = 0; count < 3; count += 1) mailbox.request(["save", "batch"], (note) => taken.push(note));
    expect(taken.map(({ number }) => number)).toEqual([3, 1, 2]);
  });

  it("keeps a request until mail of its kind comes, and answers it once", () => {
    const mailbox = createMailbox<Note>({ depth: 4 });
    const taken: number[] = [];
    mailbox.request(["save"], ({ number }) => taken.push(number));
    mailbox.put({ kind: "batch", number: 1 });
    expect(taken).toEqual([]);
    mailbox.put({ kind: "save", number: 2 });
    mailbox.put({ kind: "save", number: 3 });
    expect(taken).toEqual([2]);
    expect(mailbox.size).toBe(2);
  });

  it("a newer request takes the place of the one before", () => {
    const mailbox = createMailbox<Note>({ depth: 4 });
    const taken: string[] = [];
    mailbox.request(["save"], () => taken.push("older"));
    mailbox.request(["batch"], () => taken.push("newer"));
    mailbox.put({ kind: "save", number: 1 });
    mailbox.put({ kind: "batch", number: 2 });
    expect(taken).toEqual(["newer"]);
  });

  it("refuses what exceeds the depth of its kind, and clear says what is lost", () => {
    const mailbox = createMailbox<Note>({ depth: 1 });
    expect(mailbox.put({ kind: "batch", number: 1 })).toBe(true);
    expect(mailbox.put({ kind: "batch", number: 2 })).toBe(false);
    expect(mailbox.put({ kind: "save", number: 3 })).toBe(true);
    expect(mailbox.clear()).toBe(2);
    expect(mailbox.size).toBe(0);
  });
});
