import { describe, expect, it } from "vitest";
import { createHeldReleases, type HeldReleases, KEPT_MS } from "../../../../src/actors/replica/held-releases.ts";
import type { Failure } from "../../../../src/messages/index.ts";

const FAILURE: Failure = {
  kind: "Failure",
  code: "KN_NUMERIC",
  directive: "restart",
  message: "KN_NUMERIC: Cannot use it as it is NaN",
};

/** Wants them, and loads what lacks. */
const hold = (held: HeldReleases, releases: readonly number[], nowMs = 0): void => {
  held.want(releases, nowMs);
  for (let next = held.nextToLoad(); next !== undefined; next = held.nextToLoad()) held.loaded(next, nowMs);
};
const use = (held: HeldReleases, release: number): void => {
  held.use(release);
  held.unuse(release);
};
const states = (held: HeldReleases): string[] => held.list.map(({ release, state }) => `${release} ${state}`);

describe("createHeldReleases", () => {
  it("loads what is wanted, the most urgent first", () => {
    const held = createHeldReleases();
    held.want([3, 1, 2, 1], 0);
    expect([held.nextToLoad(), held.isAnyReady]).toEqual([3, false]);
    held.loaded(3, 0);
    expect([held.nextToLoad(), held.isAnyReady, held.isReady(3), held.isReady(1)]).toEqual([1, true, true, false]);
    expect(states(held)).toEqual(["3 ready", "1 loading", "2 loading"]);
  });

  it("does not load again what it refused, until it is wanted anew", () => {
    const held = createHeldReleases();
    held.want([2, 1], 0);
    held.refused(2, FAILURE);
    expect(held.nextToLoad()).toBe(1);
    expect(held.list[0]).toEqual({ release: 2, state: "refused", failure: FAILURE });
    held.want([1], 0);
    held.want([2, 1], 0);
    expect(held.nextToLoad()).toBe(2);
  });

  it("forgets a refusal that came too late", () => {
    const held = createHeldReleases();
    held.want([1], 0);
    held.refused(2, FAILURE);
    expect(states(held)).toEqual(["1 loading"]);
  });

  it("lets an unwanted release go when a batch of the live one has come", () => {
    const held = createHeldReleases();
    hold(held, [1]);
    use(held, 1);
    hold(held, [3, 2]);
    expect(held.takeUnwanted(0)).toEqual([]);
    use(held, 2); // by number, perhaps: says nothing of the gateways
    expect(held.hasUnwanted(0)).toBe(false);
    use(held, 3);
    expect(held.hasUnwanted(0)).toBe(true);
    expect(held.takeUnwanted(0)).toEqual([1]);
    expect([held.isReady(1), held.hasUnwanted(0), states(held)]).toEqual([false, false, ["3 ready", "2 ready"]]);
  });

  it("keeps it for a while without batches, and as long as it is in use", () => {
    const held = createHeldReleases();
    hold(held, [1]);
    hold(held, [3, 2], 1_000);
    expect(held.hasUnwanted(1_000 + KEPT_MS - 1)).toBe(false);
    held.use(1);
    expect(held.hasUnwanted(1_000 + KEPT_MS)).toBe(false);
    held.unuse(1);
    expect(held.takeUnwanted(1_000 + KEPT_MS)).toEqual([1]);
  });

  it("keeps two of many that became unwanted at once: those that were used last", () => {
    const held = createHeldReleases();
    hold(held, [1]);
    for (const live of [2, 4, 6, 8]) {
      hold(held, [live]);
      use(held, 1); // gateways have not gone over
    }
    expect(states(held)).toEqual(["8 ready", "2 ready", "4 ready", "6 ready", "1 ready"]);
    expect(held.takeUnwanted(0)).toEqual([2, 4]);
    expect(held.isReady(1)).toBe(true);
  });

  it("has a release that is wanted again at once", () => {
    const held = createHeldReleases();
    hold(held, [1]);
    hold(held, [3, 2]);
    held.want([1, 3], 0);
    expect(held.nextToLoad()).toBeUndefined();
    use(held, 1);
    expect(held.takeUnwanted(0)).toEqual([2]);
  });

  it("keeps an unwanted release that a gateway uses after the live one: it may know of its promotion already", () => {
    const held = createHeldReleases();
    hold(held, [1]);
    hold(held, [3, 2]);
    use(held, 3);
    use(held, 1);
    expect(held.takeUnwanted(0)).toEqual([]);
    hold(held, [1, 3]);
    use(held, 1);
    expect(held.takeUnwanted(0)).toEqual([2]);
  });

  it("counts uses: two batches of one release", () => {
    const held = createHeldReleases();
    hold(held, [1]);
    held.use(1);
    held.use(1);
    hold(held, [2]);
    use(held, 2);
    held.unuse(1);
    expect(held.takeUnwanted(0)).toEqual([]);
    held.unuse(1);
    expect(held.takeUnwanted(0)).toEqual([1]);
  });

  it("lets a release go that was not wanted any more when it was loaded", () => {
    const held = createHeldReleases();
    held.want([1], 0);
    held.want([2], 0);
    held.loaded(1, 5);
    expect(held.takeUnwanted(5 + KEPT_MS)).toEqual([1]);
  });
});
