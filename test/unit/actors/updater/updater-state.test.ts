import { describe, expect, it } from "vitest";
import {
  encodeUpdaterRecord,
  fullToGet,
  judgeLive,
  NO_RECORD,
  parseUpdaterRecord,
  partialsToGet,
} from "../../../../src/actors/updater/updater-state.ts";
import { type LiveChange, NOTHING_LIVE } from "../../../../src/models/index.ts";
import { openDeviceUpdates, type ShelvedUpdate } from "../../../../src/models/updates/index.ts";

const change = (to: number, by: string): LiveChange => ({
  ...{ change: 1, atMs: 0, kind: "promoted", to, by, reason: "", numbers: {} },
});
const live = (release: number) => ({ ...NOTHING_LIVE, live: release });

describe("judgeLive", () => {
  const record = { ...NO_RECORD, promotion: { release: 5, instead: 4 } };

  it.each([
    ["own", "it has promoted nothing yet", NO_RECORD, live(4), []],
    ["own", "what it promoted is live", record, live(5), [change(5, "kn-updater")]],
    ["promote", "it crashed before it promoted", record, live(4), [change(4, "kn-updater")]],
    [
      "promote",
      "it crashed before it promoted what somebody had tried before",
      record,
      live(4),
      [change(5, "kn promote")],
    ],
    [
      "other",
      "somebody went back to the one before",
      record,
      live(4),
      [change(5, "kn-updater"), change(4, "kn promote")],
    ],
    ["other", "somebody promoted another one before it could", record, live(3), []],
    ["other", "the model was removed", record, NOTHING_LIVE, [change(5, "kn-updater")]],
  ] as const)("is %s when %s", (verdict, _, given, now, history) => {
    expect(judgeLive(given, now, history)).toBe(verdict);
  });

  it("promotes the first release of a model that nothing was live of", () => {
    expect(judgeLive({ ...NO_RECORD, promotion: { release: 1 } }, NOTHING_LIVE, [])).toBe("promote");
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

  it("get no chain that is longer than a full update", () => {
    const long = Array.from({ length: 40 }, (_, index) => shelved(index + 1, "partial"));
    expect(partialsToGet(long, device(1))).toEqual([]);
    expect(partialsToGet(long, device(20))).toHaveLength(20);
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
