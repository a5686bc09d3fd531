import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { createMailbox, createMessageLoop, type PerformOutcome } from "../../../../src/runtime/actor/index.ts";

interface Note {
  readonly kind: "save" | "batch" | "gradient";
  readonly name: string;
  readonly reject?: (reason: Error) => void;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function start() {
  const mailbox = createMailbox<Note>({ depth: 8 });
  const log: string[] = [];
  const outcomes = new Map<string, () => Promise<PerformOutcome>>();
  const loop = createMessageLoop<Note>(
    { idleKinds: ["save", "batch"], awaitingKinds: ["save", "gradient"] },
    {
      mailbox,
      perform: ({ name }) => {
        log.push(name);
        return outcomes.get(name)?.() ?? Promise.resolve({ isAwaiting: false });
      },
      onTaken: () => log.push("taken"),
      onSettled: (isAwaiting) => log.push(isAwaiting ? "awaiting" : "idle"),
      onDropped: () => log.push("dropped"),
      onFailed: ({ message }) => log.push(`failed: ${message}`),
    },
  );
  loop.start();
  return {
    mailbox,
    loop,
    log,
    outcomes,
    async put(kind: Note["kind"], name: string) {
      mailbox.put({ kind, name });
      await settle();
    },
  };
}

const error = (code: "KN_STALE" | "KN_NUMERIC") => new KnowledgeNetError(code, { attempt: "test", rule: "none" });

describe("createMessageLoop", () => {
  it("takes one message after the other, and reports each", async () => {
    const test = start();
    await test.put("batch", "1");
    await test.put("batch", "2");
    expect(test.log).toEqual(["taken", "1", "idle", "taken", "2", "idle"]);
  });

  it("takes only the messages of an awaiting actor while an answer is missing", async () => {
    const test = start();
    test.outcomes.set("1", () => Promise.resolve({ isAwaiting: true }));
    await test.put("batch", "1");
    await test.put("batch", "2");
    expect(test.log).toEqual(["taken", "1", "awaiting"]);
    await test.put("gradient", "3");
    expect(test.log.slice(3)).toEqual(["taken", "3", "idle", "taken", "2", "idle"]);
  });

  it("drops a message whose error concerns it alone, and awaits on when it awaited", async () => {
    const test = start();
    test.outcomes.set("1", () => Promise.resolve({ isAwaiting: true }));
    test.outcomes.set("2", () => Promise.reject(error("KN_STALE")));
    await test.put("batch", "1");
    await test.put("gradient", "2");
    expect(test.log.slice(-2)).toEqual(["dropped", "awaiting"]);
  });

  it("ends with any other error", async () => {
    const test = start();
    test.outcomes.set("1", () => Promise.reject(error("KN_NUMERIC")));
    await test.put("batch", "1");
    await test.put("batch", "2");
    expect(test.log).toEqual(["taken", "1", expect.stringMatching(/^failed: /)]);
    await test.loop.finish();
  });

  it("finishes the message at hand and takes no other", async () => {
    const test = start();
    let release: (outcome: PerformOutcome) => void = () => undefined;
    test.outcomes.set("1", () => new Promise((resolve) => (release = resolve)));
    await test.put("batch", "1");
    test.mailbox.put({ kind: "batch", name: "2" });
    let isFinished = false;
    const finishing = test.loop.finish().then(() => (isFinished = true));
    await settle();
    expect(isFinished).toBe(false);
    release({ isAwaiting: false });
    await finishing;
    expect(test.log).toEqual(["taken", "1", "idle"]);
    expect(test.mailbox.size).toBe(1);
  });

  it("leaves a message in the mailbox that arrives in the moment in which it finishes", async () => {
    const test = start();
    await settle();
    const rejected: Error[] = [];
    test.mailbox.put({ kind: "batch", name: "1", reject: (reason) => rejected.push(reason) });
    await test.loop.finish(); // before the loop has taken it
    expect(test.log).toEqual([]);
    test.mailbox.close(new Error("stopped"));
    expect(rejected).toEqual([new Error("stopped")]);
  });
});
