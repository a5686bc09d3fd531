import { describe, expect, it } from "vitest";
import {
  encodeUpdaterRecord,
  fullToGet,
  isOver,
  judgeLive,
  judgeShadow,
  NO_RECORD,
  parseUpdaterRecord,
  partialsToGet,
  withPromotion,
} from "../../../../src/actors/updater/updater-state.ts";
import { type LiveChange, NOTHING_LIVE } from "../../../../src/models/index.ts";
import { openDeviceUpdates, type ShelvedUpdate } from "../../../../src/models/updates/index.ts";

const change = (number: number, from: number, to: number): LiveChange => ({
  ...{ change: number, atMs: 0, kind: "promoted", from, to, by: "somebody", reason: "", numbers: {} },
});
const live = (release: number) => ({ ...NOTHING_LIVE, live: release });

describe("judgeLive", () => {
  const record = { ...NO_RECORD, promotion: { release: 5, after: 7 } };

  it.each([
    ["own", "it has promoted nothing yet", NO_RECORD, live(4), []],
    ["own", "what it promoted is live", record, live(5), [change(8, 4, 5)]],
    ["own", "what it promoted is live again", record, live(5), [change(8, 4, 5), change(9, 5, 4), change(10, 4, 5)]],
    ["promote", "it crashed before it promoted", record, live(4), [change(7, 3, 4)]],
    ["promote", "it crashed before it promoted what had been live before", record, live(4), [change(7, 5, 4)]],
    ["promote", "a candidate was started meanwhile", record, live(4), [change(7, 3, 4), change(8, 4, 4)]],
    ["other", "somebody went back to the one before", record, live(4), [change(8, 4, 5), change(9, 5, 4)]],
    ["other", "somebody promoted another one before it could", record, live(3), [change(8, 4, 3)]],
  ] as const)("is %s when %s", (verdict, _, given, now, history) => {
    expect(judgeLive(given, now, history)).toBe(verdict);
  });

  it("is other when the model was removed, and promote when nothing was live yet", () => {
    const { to: _to, ...removed } = change(9, 5, 0);
    expect(judgeLive(record, NOTHING_LIVE, [{ ...removed, kind: "removed" }])).toBe("other");
    expect(judgeLive({ ...NO_RECORD, promotion: { release: 1, after: 0 } }, NOTHING_LIVE, [])).toBe("promote");
  });
});

const offered = { number: 3, digest: "c", content: "of c", release: 9, after: 7 };
const newest = { number: 2, digest: "b", full: 1 };
const candidate = { number: 3, digest: "c", content: "of c", kind: "partial" } as const;

describe("isOver", () => {
  it.each([
    [false, "it is offered", { ...newest, candidate }],
    [false, "it is promoted", { number: 3, digest: "c", full: 1 }],
    [false, "it is promoted, and another one offered", { number: 3, digest: "c", full: 1, candidate }],
    [true, "it is withdrawn", newest],
    [true, "another one is offered", { ...newest, candidate: { ...candidate, content: "of d" } }],
    [true, "another one is promoted in its place", { number: 3, digest: "d", full: 1 }],
    [true, "the shelf is empty", undefined],
  ] as const)("is %s when %s", (over, _, head) => {
    expect(isOver(offered, head)).toBe(over);
  });
});

describe("judgeShadow", () => {
  const shadow = { release: 9, mode: "shadow", percent: 100 } as const;
  const started = { ...change(8, 4, 4), kind: "candidate-started", candidate: shadow } as const;
  const ended = { ...change(9, 4, 4), kind: "candidate-ended", candidate: shadow } as const;
  const replaced = { ...change(9, 4, 5), candidate: shadow };

  it.each([
    ["own", "it is the shadow", { ...live(4), candidate: shadow }, [started]],
    ["other", "another release is", { ...live(4), candidate: { ...shadow, release: 8 } }, [started]],
    ["other", "somebody gives it a share", { ...live(4), candidate: { ...shadow, mode: "canary" } }, [started]],
    ["start", "it was not yet", live(4), []],
    ["start", "an earlier offer of it has ended", live(4), [{ ...ended, change: 7 }]],
    ["start", "a promotion has ended it", live(5), [started, replaced]],
    ["ended", "somebody has ended it", live(4), [started, ended]],
  ] as const)("is %s when %s", (verdict, _, now, history) => {
    expect(judgeShadow(offered, now, history)).toBe(verdict);
  });
});

describe("withPromotion", () => {
  it("names the release of all weights that are kept, and ends a pause", () => {
    const before = { ...NO_RECORD, kept: [{ number: 2, digest: "b", release: 8 }], newest: 2, pausedAt: 2 };
    const kept = ["c", "b"].map((digest, index) => ({ number: 3 - index, digest }));
    const made = { number: 3, digest: "c", release: 9 };
    expect(withPromotion(before, { model: "m", kept, newest: 4 }, made, 7)).toEqual({
      format: 1,
      kept: [made, { number: 2, digest: "b", release: 8 }],
      newest: 4,
      promotion: { release: 9, after: 7 },
    });
  });
});

describe("partialsToGet, fullToGet", () => {
  const shelved = (number: number, kind: ShelvedUpdate["kind"]): ShelvedUpdate => ({
    ...{ number, kind, digest: "d", content: `${number}${kind}` },
  });
  const device = (number: number) =>
    openDeviceUpdates(
      { model: "m", kept: number === 0 ? [] : [{ number, digest: "d" }], newest: number },
      { nowMs: 0, jitter: 0 },
    ).state;
  const list = [
    shelved(1, "full"),
    shelved(2, "partial"),
    shelved(3, "full"),
    ...[3, 4].map((n) => shelved(n, "partial")),
  ];
  const names = (updates: readonly ShelvedUpdate[]) => updates.map(({ content }) => content);

  it("get the partial ones after what the device has, newest first", () => {
    expect(names(partialsToGet(list, device(2)))).toEqual(["4partial", "3partial"]);
    expect(partialsToGet(list, device(4))).toEqual([]);
    expect(partialsToGet(list, device(0))).toEqual([]);
  });

  it("get the full one in place of a long chain, or the first of the chain where there is none", () => {
    const long = Array.from({ length: 40 }, (_, index) => shelved(index + 1, "partial"));
    expect(partialsToGet([...long, shelved(40, "full")], device(1))).toEqual([]);
    expect(partialsToGet([...long, shelved(40, "full")], device(20))).toHaveLength(20);
    expect(partialsToGet(long, device(1)).map(({ number }) => number)).toEqual(
      Array.from({ length: 30 }, (_, index) => 31 - index),
    );
  });

  it("get the newest full one and those after it, unless it is older than what the device has", () => {
    expect(names(fullToGet(list, device(0)))).toEqual(["4partial", "3full"]);
    expect(fullToGet(list, device(3))).toEqual([]);
    expect(fullToGet([], device(0))).toEqual([]);
  });
});

describe("parseUpdaterRecord", () => {
  it("reads what was written, and rejects with KN_CHECKPOINT what is of another version", () => {
    const record = { ...NO_RECORD, kept: [{ number: 2, digest: "a", release: 7 }], newest: 3, pausedAt: 3 };
    expect(parseUpdaterRecord("m", encodeUpdaterRecord(record))).toEqual(record);
    expect(() => parseUpdaterRecord("m", new TextEncoder().encode('{"format":2}'))).toThrow(
      /KN_CHECKPOINT.*"format":2/,
    );
  });
});
