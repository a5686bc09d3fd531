import { describe, expect, it } from "vitest";
import {
  parseStateName,
  type SavedState,
  scopeOf,
  stateName,
} from "../../../../src/runtime/artifacts/artifact-names.ts";
import type { Manifest } from "../../../../src/runtime/artifacts/manifest.ts";
import { statesToDelete } from "../../../../src/runtime/artifacts/state-retention.ts";

const digest = (generation: number, attempt = 1): string => String(attempt * 1000 + generation).padStart(64, "0");
const state = (generation: number, attempt = 1): SavedState => ({
  name: stateName("run.r", "block-0", { attempt, generation }, digest(generation, attempt)),
  digest: digest(generation, attempt),
  attempt,
  generation,
});
const manifest = (generation: number, actor = "block-0"): Manifest => ({
  attempt: 1,
  generation,
  sequence: generation,
  step: generation,
  epoch: 0,
  phase: "training",
  actors: { [actor]: digest(generation) },
});
const deleted = (states: readonly SavedState[], manifests: readonly Manifest[]): string[] =>
  statesToDelete("block-0", states, manifests).map(({ attempt, generation }) => `${attempt}-${generation}`);

describe("statesToDelete", () => {
  it("keeps the two newest, in whatever order they are listed, and all that a manifest names", () => {
    const states = [3, 1, 5, 2, 4].map((generation) => state(generation));
    expect(deleted(states, [manifest(5), manifest(2)])).toEqual(["1-3", "1-1"]);
  });

  it("keeps four that wait for their manifest, and no more", () => {
    const states = [1, 2, 3, 4, 5, 6].map((generation) => state(generation));
    expect(deleted(states, [])).toEqual(["1-2", "1-1"]);
    expect(deleted(states, [manifest(1)])).toEqual(["1-2"]);
    expect(deleted(states, [manifest(4)])).toEqual(["1-3", "1-2", "1-1"]);
  });

  it("does not take a manifest without the actor for one that lets its states go", () => {
    const states = [1, 2, 3].map((generation) => state(generation));
    expect(deleted(states, [manifest(3, "block-1")])).toEqual([]);
  });

  it("lets the states of an earlier attempt go once a later one has committed", () => {
    const states = [state(7, 1), state(1, 2), state(2, 2), state(3, 2)];
    const committed = { ...manifest(3), attempt: 2, actors: { "block-0": digest(3, 2) } };
    expect(deleted(states, [committed])).toEqual(["2-1", "1-7"]);
  });
});

describe("parseStateName, scopeOf", () => {
  it("read the names of states, and none of another kind", () => {
    expect(parseStateName(state(7, 2).name)).toEqual({ ...state(7, 2), actor: "block-0" });
    for (const name of [`run.r.part.${digest(1)}`, "run.r.block-0.1-2.abc", "run.r", "checkpoints"])
      expect(parseStateName(name)).toBeUndefined();
    expect(scopeOf(state(1).name)).toBe("run.r");
    expect(scopeOf(`model.digits.part.${digest(1)}`)).toBe("model.digits");
    for (const name of ["run", "other.r.x", ""]) expect(scopeOf(name)).toBeUndefined();
  });
});
