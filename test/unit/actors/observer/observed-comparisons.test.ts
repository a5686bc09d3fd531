/** What observations say of a candidate: which one, whether it disagrees, and how often it did in all. */
import { describe, expect, it } from "vitest";
import type { LiveInputs } from "../../../../src/messages/index.ts";
import { failAlways } from "../../../support/failing-store.ts";
import { bytesInput, CLASSES, numberOf, OBSERVER, observerScene } from "./observer-scene.ts";

const PER_SLOT = OBSERVER.budget.inputsPerMinute / OBSERVER.slotsPerMinute;
const SLOT_MS = 60_000 / OBSERVER.slotsPerMinute;

/** Logits whose classes are these. */
function logitsOf(classes: readonly number[]): LiveInputs["logits"] {
  const values = new Float32Array(classes.length * CLASSES);
  for (const [row, label] of classes.entries()) values[row * CLASSES + label] = 4;
  return { dtype: "f32", shape: [classes.length, CLASSES], values };
}

/** A live release that says 0 of each input, and a candidate that disagrees about some of them. */
const compared = (candidateRelease: number, disagrees: readonly boolean[]): Partial<LiveInputs> => ({
  ...{ logits: logitsOf(disagrees.map(() => 0)), candidateRelease },
  candidateLogits: logitsOf(disagrees.map((each) => (each ? 2 : 0))),
});

async function comparisonScene() {
  const scene = await observerScene();
  await scene.release();
  await scene.startObserver();
  let sent = 0;
  let read = 0;
  return Object.assign(scene, {
    /** Sends inputs that a candidate computed. */
    sendCompared(release: number, disagrees: readonly boolean[]): void {
      scene.send(bytesInput(disagrees.length, sent), compared(release, disagrees));
      sent += disagrees.length;
    },
    /** The observer knows the candidate's update from now on; an input is spent on it. */
    async introduce(release: number): Promise<void> {
      scene.send(bytesInput(1), compared(release, [false]));
      await scene.clock.advance(SLOT_MS + 1);
      read = (await scene.logged()).length;
    },
    /** What the observations of the slot under way say. */
    async comparisons() {
      await scene.clock.advance(SLOT_MS + 1);
      const fresh = (await scene.logged()).slice(read);
      read += fresh.length;
      return fresh.map(({ comparison }) => comparison);
    },
  });
}

describe("observations of compared inputs", () => {
  it("name the update, the disagreement and the counts so far, once the release is known", async () => {
    await using scene = await comparisonScene();
    const release = await scene.updateRelease(12);
    scene.sendCompared(release, [true]); // not known yet: not counted
    await scene.clock.advance(1);
    scene.sendCompared(release, [false, true]);
    scene.sendCompared(release, [false]);
    expect(await scene.comparisons()).toEqual([
      undefined,
      { candidate: 12, disagrees: false, compared: 1, disagreements: 0 },
      { candidate: 12, disagrees: true, compared: 2, disagreements: 1 },
      { candidate: 12, disagrees: false, compared: 3, disagreements: 1 },
    ]);
  });

  it("count all inputs that were compared, chosen or not, up to each one", async () => {
    await using scene = await comparisonScene();
    const release = await scene.updateRelease(12);
    await scene.introduce(release);
    const disagrees = Array.from({ length: 60 }, (_, index) => index % 7 === 3);
    for (let from = 0; from < 60; from += 20) {
      scene.sendCompared(release, disagrees.slice(from, from + 20));
      await scene.clock.advance(SLOT_MS + 1);
    }
    const logged = (await scene.logged()).slice(1);
    expect(logged).toHaveLength(3 * PER_SLOT);
    for (const observed of logged) {
      const index = numberOf(observed);
      expect(observed.comparison).toEqual({
        ...{ candidate: 12, disagrees: disagrees[index], compared: index + 1 },
        disagreements: disagrees.slice(0, index + 1).filter(Boolean).length,
      });
    }
  });

  it("say nothing when the candidate has ended, and begin at 0 with the next one", async () => {
    await using scene = await comparisonScene();
    const [first, second] = [await scene.updateRelease(12), await scene.updateRelease(13)];
    await scene.introduce(first);
    await scene.introduce(second);
    scene.sendCompared(first, [true, true]);
    expect(await scene.comparisons()).toMatchObject([{ compared: 1 }, { compared: 2, disagreements: 2 }]);
    scene.send(bytesInput(1));
    scene.sendCompared(second, [true]);
    scene.sendCompared(first, [false]); // a copy that comes late
    expect(await scene.comparisons()).toEqual([
      undefined,
      { candidate: 13, disagrees: true, compared: 1, disagreements: 1 },
      { candidate: 12, disagrees: false, compared: 3, disagreements: 2 },
    ]);
  });

  it("begin at 0 with each start of the observer", async () => {
    await using scene = await comparisonScene();
    const release = await scene.updateRelease(12);
    await scene.introduce(release);
    scene.sendCompared(release, [true]);
    expect(await scene.comparisons()).toMatchObject([{ compared: 1 }]);
    await scene.startObserver({ id: "observer-1" });
    const seen = async (): Promise<(readonly [string, number])[]> =>
      (await scene.logged()).flatMap(({ epoch, comparison }) =>
        comparison === undefined ? [] : [[epoch, comparison.compared] as const],
      );
    for (let round = 0; round < 40; round += 1) {
      scene.sendCompared(release, [true]);
      await scene.clock.advance(SLOT_MS + 1);
    }
    const counts = (epoch: string, all: readonly (readonly [string, number])[]): number[] =>
      all.filter(([each]) => each === epoch).map(([, count]) => count);
    const all = await seen();
    for (const epoch of ["epoch-1", "epoch-2"]) {
      const own = counts(epoch, all);
      expect(own.length).toBeGreaterThan(1);
      expect(own).toEqual(own.map((_, index) => index + 1));
    }
  });

  it("say nothing of a candidate that is made of no update", async () => {
    await using scene = await comparisonScene();
    const { release } = await scene.publish(2);
    await scene.introduce(release);
    scene.sendCompared(release, [true, false]);
    expect(await scene.comparisons()).toEqual([undefined, undefined]);
  });

  it("say nothing while the store is away and the release unknown, and go on when it is back", async () => {
    await using scene = await comparisonScene();
    const release = await scene.updateRelease(12);
    scene.fail(failAlways());
    scene.sendCompared(release, [true]);
    await scene.clock.advance(SLOT_MS + 1);
    scene.sendCompared(release, [true]);
    scene.fail();
    await scene.clock.advance(SLOT_MS);
    scene.sendCompared(release, [true]);
    await scene.until(async () => (await scene.logged()).length === 3, "the observations");
    expect((await scene.logged()).map(({ comparison }) => comparison)).toEqual([
      undefined,
      undefined,
      { candidate: 12, disagrees: true, compared: 1, disagreements: 1 },
    ]);
  });
});
