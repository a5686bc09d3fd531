import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { type Actor } from "../../../../src/runtime/actor/index.ts";
import { createLeasedActor, type Lease } from "../../../../src/runtime/lease/index.ts";

const FENCE = 7;
const failure = (code: KnowledgeNetError["code"]): KnowledgeNetError =>
  new KnowledgeNetError(code, { attempt: "test", rule: "the test wants it to fail" });

/** A promise that the test settles. */
function pending<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A lease and an actor that do what the test says; `diary` has what was done with them, in order. */
function scene({ startsWith }: { readonly startsWith?: Error } = {}) {
  const diary: string[] = [];
  const lost = pending<void | Error>();
  const acting = pending<void | Error>();
  const granted = pending<Lease>();
  const lease: Lease = {
    fence: FENCE,
    isConfirmed: true,
    ended: lost.promise,
    [Symbol.asyncDispose]: () => lease.release(),
    release() {
      diary.push("release");
      lost.resolve();
      return Promise.resolve();
    },
  };
  const create = (fence: number): Actor => {
    diary.push(`create ${fence}`);
    return {
      id: "block-1",
      state: "running.idle",
      ended: acting.promise,
      start() {
        diary.push("start");
        if (startsWith === undefined) return Promise.resolve();
        acting.resolve(startsWith);
        return Promise.reject(startsWith);
      },
      stop({ isSaving = false } = {}) {
        diary.push(isSaving ? "save and stop" : "stop");
        acting.resolve();
        return Promise.resolve();
      },
    };
  };
  const actor = createLeasedActor({
    id: "block-1",
    acquire: (signal) =>
      Promise.race([
        granted.promise,
        new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => {
            queueMicrotask(() => {
              reject(signal.reason as Error);
            });
          });
        }),
      ]),
    create,
  });
  return {
    actor,
    diary,
    end: acting.resolve,
    lose: () => {
      lost.resolve(failure("KN_FENCED"));
    },
    grant: () => {
      granted.resolve(lease);
    },
  };
}

describe("createLeasedActor", () => {
  it("waits for its lease, begins with its fence, saves, and gives it back at the end", async () => {
    const { actor, diary, grant } = scene();
    const starting = actor.start();
    expect(actor.state).toBe("waiting");
    expect(diary).toEqual([]);
    grant();
    await starting;
    expect(actor.state).toBe("running.idle");
    await actor.stop();
    expect(await actor.ended).toBeUndefined();
    expect(diary).toEqual([`create ${FENCE}`, "start", "save and stop", "release"]);
  });

  it("stops its actor when the lease is lost, without saving over whoever has it now, and ends with KN_FENCED", async () => {
    const { actor, diary, grant, lose } = scene();
    grant();
    await actor.start();
    lose();
    expect(await actor.ended).toMatchObject({ code: "KN_FENCED" });
    expect(diary).toContain("stop");
    await actor.stop();
    expect(diary).not.toContain("save and stop");
  });

  it("gives the lease back when its actor fails, and ends with what it failed of", async () => {
    const { actor, diary, grant, end } = scene();
    grant();
    await actor.start();
    end(failure("KN_NUMERIC"));
    expect(await actor.ended).toMatchObject({ code: "KN_NUMERIC" });
    expect(diary.at(-1)).toBe("release");
  });

  it("gives the lease back when its actor does not start, has ended with the reason, and can be stopped", async () => {
    const error = failure("KN_UNAVAILABLE");
    const { actor, diary, grant } = scene({ startsWith: error });
    grant();
    await expect(actor.start()).rejects.toBe(error);
    expect(diary).toEqual([`create ${FENCE}`, "start", "release"]);
    expect(await actor.ended).toBe(error);
    await actor.stop();
  });

  it("ends while it waits for its lease when it is told to", async () => {
    const { actor, diary } = scene();
    const starting = actor.start();
    starting.catch(() => undefined); // looked at below
    await actor.stop();
    expect(await actor.ended).toBeUndefined();
    await expect(starting).rejects.toThrow("block-1 was stopped");
    expect(diary).toEqual([]);
  });

  it("gives back a lease that became its own in the moment of the stop", async () => {
    const { actor, diary, grant } = scene();
    const starting = actor.start();
    starting.catch(() => undefined); // looked at below
    grant();
    await actor.stop();
    await expect(starting).rejects.toThrow("block-1 was stopped");
    expect(diary).toEqual(["release"]);
  });
});
