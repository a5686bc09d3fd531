import { describe, expect, it } from "vitest";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import {
  failAlways,
  failingStore,
  failTimes,
  randomFaults,
  type StoreFault,
  switchedFaults,
} from "../../support/failing-store.ts";
import { randomFrom } from "../../support/random.ts";

const ONE = new TextEncoder().encode("one");
const AWAY = { code: "KN_UNAVAILABLE" };

async function scene() {
  const clock = simulatedClock();
  const inner = await memoryStore({ clock });
  const faults = switchedFaults();
  return { clock, inner, faults, store: failingStore(inner, faults, clock) };
}

describe("failingStore", () => {
  it("fails the chosen calls, then lets them through", async () => {
    const { store, faults } = await scene();
    const kv = await store.kv("records");
    faults.now = failTimes(1, { operation: "put" });
    await expect(kv.put("a", ONE)).rejects.toMatchObject(AWAY);
    expect(await kv.get("a")).toBeUndefined();
    await kv.put("a", ONE);
    faults.now = failAlways({ kind: "blobs" });
    expect((await kv.get("a"))?.value).toEqual(ONE);
    await expect((await store.blobs("b")).list()).rejects.toMatchObject(AWAY);
    faults.now = failAlways();
    await expect(kv.get("a")).rejects.toMatchObject(AWAY);
    await expect(store.kv("records")).rejects.toMatchObject(AWAY);
  });

  it.each([
    ["refused", { kind: "refused" }, [0, 0]],
    ["unanswered", { kind: "unanswered" }, [1, 1]],
    ["late", { kind: "late", delayMs: 10 }, [0, 1]],
  ] satisfies [string, StoreFault, number[]][])(
    "%s changes have their effect when they say",
    async (_, fault, counts) => {
      const { store, inner, faults, clock } = await scene();
      const log = await store.log("run");
      const count = async (): Promise<number> => (await inner.logs()).length;
      faults.now = failAlways({ operation: "append" }, fault);
      await expect(log.append(ONE)).rejects.toMatchObject(AWAY);
      const before = await count();
      await clock.advance(10);
      expect([before, await count()]).toEqual(counts);
    },
  );

  it("slow calls answer when their time has come", async () => {
    const { store, faults, clock } = await scene();
    const blobs = await store.blobs("states");
    faults.now = failAlways({}, { kind: "slow", delayMs: 1_000 });
    let isDone = false;
    const putting = blobs.put("a", ONE).then(() => {
      isDone = true;
    });
    await clock.advance(999);
    expect(isDone).toBe(false);
    await clock.advance(1);
    await putting;
  });

  it("randomFaults are the same for one seed", async () => {
    const outcomes = async (seed: number): Promise<string> => {
      const { store, faults, clock } = await scene();
      const kv = await store.kv("records");
      faults.now = randomFaults({ draw: randomFrom(seed), rate: 0.5 });
      let seen = "";
      for (let i = 0; i < 40; i += 1) {
        const putting = kv.put(`k${i}`, ONE).then(
          () => (seen += "."),
          (error: unknown) => (seen += (error as { code: string }).code),
        );
        await clock.advance(5_000);
        await putting;
      }
      return seen;
    };
    const first = await outcomes(7);
    expect(await outcomes(7)).toBe(first);
    expect(first).toContain(".");
    expect(first).toContain("KN_UNAVAILABLE");
    expect(first).toContain("KN_CHECKPOINT");
    expect(await outcomes(8)).not.toBe(first);
  });
});
