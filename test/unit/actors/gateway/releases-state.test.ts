import { describe, expect, it } from "vitest";
import { createReleasesState } from "../../../../src/actors/gateway/releases-state.ts";
import { changeLive, type LiveCommand, type LiveRecord, NOTHING_LIVE } from "../../../../src/models/live-record.ts";

const BY = { by: "test" };
const after = (record: LiveRecord, command: LiveCommand, nowMs: number): LiveRecord =>
  changeLive("digits", record, command, BY, nowMs);
const first = after(NOTHING_LIVE, { kind: "promote", release: 1 }, 1);
const second = after(first, { kind: "promote", release: 2 }, 2);

describe("createReleasesState", () => {
  it("is behind from the first record with another live release until it goes over", () => {
    const state = createReleasesState();
    state.take(first, 100);
    state.goOver(1, 100);
    state.take(second, 200);
    expect([state.isSwapping, state.behindMs(250)]).toEqual([true, 50]);
    state.take(after(second, { kind: "promote", release: 3 }, 3), 260);
    expect(state.behindMs(300)).toBe(100);
    state.goOver(3, 300);
    expect([state.isSwapping, state.behindMs(400)]).toEqual([false, 0]);
    expect([state.current, state.former, state.wanted]).toEqual([3, 1, [3, 2]]);
  });

  it("leaves out a record that is older than a change of its own", () => {
    const state = createReleasesState();
    expect([state.take(second, 10), state.take(first, 20)]).toEqual([true, false]);
    expect(state.record.live).toBe(2);
  });

  it("tries a release that was promoted, not one that a rollback made live, nor the first", () => {
    const state = createReleasesState();
    state.take(first, 0);
    state.goOver(1, 0);
    expect(state.trial).toBeUndefined();
    state.take(second, 10);
    state.goOver(2, 20);
    expect(state.trial).toEqual({ release: 2, before: 1, sinceMs: 20 });
    state.take(after(second, { kind: "rollback" }, 30), 30);
    state.goOver(1, 40);
    expect(state.trial).toBeUndefined();
  });
});
