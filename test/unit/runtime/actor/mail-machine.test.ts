import { describe, expect, it } from "vitest";
import { createActor, fromPromise } from "xstate";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { mailMachine, type PerformOutcome } from "../../../../src/runtime/actor/index.ts";

/** A promise that the test settles. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

function start() {
  const requested: (readonly string[])[] = [];
  const dropped: unknown[] = [];
  const opened = deferred<void>();
  const closed = deferred<void>();
  let performing = deferred<PerformOutcome>();
  const machine = mailMachine({ id: "test", idleMail: ["save", "batch"], awaitingMail: ["save", "gradient"] }).provide({
    actors: {
      open: fromPromise(() => opened.promise),
      close: fromPromise(() => closed.promise),
      perform: fromPromise(() => performing.promise),
    },
    actions: {
      requestMail: (_, kinds) => {
        requested.push(kinds);
      },
      dropCurrent: (_, error) => {
        dropped.push(error);
      },
    },
  });
  const actor = createActor(machine);
  actor.subscribe({ error: () => undefined });
  actor.start();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    actor,
    requested,
    dropped,
    opened,
    closed,
    state: () => actor.getSnapshot().value,
    async open() {
      opened.resolve();
      await settle();
    },
    async mail() {
      performing = deferred<PerformOutcome>();
      actor.send({ type: "Mail" });
      await settle();
    },
    async done(isAwaiting: boolean) {
      performing.resolve({ isAwaiting });
      await settle();
    },
    async fail(error: unknown) {
      performing.reject(error);
      await settle();
    },
    settle,
  };
}

const stale = new KnowledgeNetError("KN_STALE", { attempt: "test", rule: "none" });
const numeric = new KnowledgeNetError("KN_NUMERIC", { attempt: "test", rule: "none" });

describe("mailMachine", () => {
  it("opens, then asks for the mail of a free actor", async () => {
    const test = start();
    expect(test.state()).toBe("starting");
    await test.open();
    expect(test.state()).toEqual({ running: "idle" });
    expect(test.requested).toEqual([["save", "batch"]]);
  });

  it("fails with the error when it cannot open, after closing", async () => {
    const test = start();
    test.opened.reject(numeric);
    await test.settle();
    expect(test.state()).toBe("failing");
    test.closed.resolve();
    await test.settle();
    expect(test.actor.getSnapshot()).toMatchObject({ status: "done", value: "failed", output: { error: numeric } });
  });

  it("performs one mail and asks for the next", async () => {
    const test = start();
    await test.open();
    await test.mail();
    expect(test.state()).toEqual({ running: "performing" });
    await test.done(false);
    expect(test.state()).toEqual({ running: "idle" });
    expect(test.requested).toHaveLength(2);
  });

  it("takes only the mail of a waiting actor while an answer is missing, and goes on when it came", async () => {
    const test = start();
    await test.open();
    await test.mail();
    await test.done(true);
    expect(test.state()).toEqual({ running: "awaiting" });
    expect(test.requested.at(-1)).toEqual(["save", "gradient"]);
    await test.mail();
    await test.done(false);
    expect(test.state()).toEqual({ running: "idle" });
  });

  it("gives up a message whose error concerns it alone, and waits on when it waited", async () => {
    const test = start();
    await test.open();
    await test.mail();
    await test.done(true);
    await test.mail();
    await test.fail(stale);
    expect(test.dropped).toEqual([stale]);
    expect(test.state()).toEqual({ running: "awaiting" });
  });

  it("fails on any other error, after closing", async () => {
    const test = start();
    await test.open();
    await test.mail();
    await test.fail(numeric);
    expect(test.state()).toBe("failing");
    test.closed.reject(new Error("closing failed too"));
    await test.settle();
    expect(test.actor.getSnapshot()).toMatchObject({ value: "failed", output: { error: numeric } });
  });

  for (const isAwaiting of [false, true]) {
    it(`fails at once on Failed when ${isAwaiting ? "awaiting" : "idle"}`, async () => {
      const test = start();
      await test.open();
      if (isAwaiting) {
        await test.mail();
        await test.done(true);
      }
      test.actor.send({ type: "Failed", error: numeric });
      test.closed.resolve();
      await test.settle();
      expect(test.actor.getSnapshot()).toMatchObject({ value: "failed", output: { error: numeric } });
    });
  }

  it("finishes the message at hand before it fails with the first error that was reported", async () => {
    const test = start();
    await test.open();
    await test.mail();
    test.actor.send({ type: "Failed", error: numeric });
    test.actor.send({ type: "Failed", error: stale });
    expect(test.state()).toEqual({ running: "performing" });
    await test.done(false);
    test.closed.resolve();
    await test.settle();
    expect(test.actor.getSnapshot()).toMatchObject({ value: "failed", output: { error: numeric } });
  });

  it("ends without an error when Failed comes while it stops", async () => {
    const test = start();
    await test.open();
    test.actor.send({ type: "Stop" });
    test.actor.send({ type: "Failed", error: numeric });
    test.closed.resolve();
    await test.settle();
    expect(test.actor.getSnapshot()).toMatchObject({ value: "stopped", output: {} });
  });

  it("turns what is no Error into one", async () => {
    const test = start();
    await test.open();
    await test.mail();
    await test.fail("a word");
    test.closed.resolve();
    await test.settle();
    expect(test.actor.getSnapshot().output).toEqual({ error: new Error("a word") });
  });

  for (const isAwaiting of [false, true]) {
    it(`stops at once when ${isAwaiting ? "awaiting" : "idle"}, without an error`, async () => {
      const test = start();
      await test.open();
      if (isAwaiting) {
        await test.mail();
        await test.done(true);
      }
      test.actor.send({ type: "Stop" });
      expect(test.state()).toBe("stopping");
      test.closed.resolve();
      await test.settle();
      expect(test.actor.getSnapshot()).toMatchObject({ status: "done", value: "stopped", output: {} });
    });
  }

  it("finishes the message at hand before it stops", async () => {
    const test = start();
    await test.open();
    await test.mail();
    test.actor.send({ type: "Stop" });
    expect(test.state()).toEqual({ running: "performing" });
    await test.done(false);
    expect(test.state()).toBe("stopping");
  });

  it("stops right after opening when it was asked to while opening", async () => {
    const test = start();
    test.actor.send({ type: "Stop" });
    expect(test.state()).toBe("starting");
    await test.open();
    expect(test.state()).toBe("stopping");
    expect(test.requested).toEqual([]);
  });
});
