import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createReplicaTable, type ReplicaTable } from "../../../../src/actors/gateway/replica-table.ts";
import type { Failure, HeldRelease, ReplicaState } from "../../../../src/messages/index.ts";

const FAILURE: Failure = {
  kind: "Failure",
  code: "KN_NUMERIC",
  directive: "restart",
  message: "KN_NUMERIC: Cannot use it as it is NaN",
};

interface Facts {
  readonly slice?: number;
  readonly slices?: number;
  readonly instance?: string;
  readonly ready?: readonly number[];
  readonly loading?: readonly number[];
  readonly refused?: readonly number[];
  readonly inFlight?: number;
}

const stateOf = ({
  slice = 0,
  slices = 1,
  instance = "i",
  ready = [1],
  loading = [],
  refused = [],
  inFlight = 0,
}: Facts) =>
  ({
    kind: "ReplicaState",
    instance,
    slice,
    slices,
    state: "ready",
    held: [
      ...ready.map((release): HeldRelease => ({ release, state: "ready" })),
      ...loading.map((release): HeldRelease => ({ release, state: "loading" })),
      ...refused.map((release): HeldRelease => ({ release, state: "refused", failure: FAILURE })),
    ],
    inFlight,
    host: "machine",
  }) satisfies ReplicaState;

const tableOf = (replicas: Readonly<Record<string, Facts>>): ReplicaTable => {
  const table = createReplicaTable();
  for (const [id, facts] of Object.entries(replicas)) table.observe(id, stateOf(facts), 0);
  return table;
};

describe("coverage", () => {
  it("needs a ready replica of each slice", () => {
    const table = tableOf({ a: { slices: 2 }, b: { slices: 2, slice: 1, ready: [], loading: [1] } });
    expect([table.isCovered(1), table.isEverywhere(1), table.lanes(1), table.route(1, 0)]).toEqual([
      false,
      false,
      0,
      undefined,
    ]);
    table.observe("b", stateOf({ slices: 2, slice: 1 }), 1);
    expect([table.isCovered(1), table.isEverywhere(1), table.lanes(1)]).toEqual([true, true, 1]);
    expect(table.route(1, 0)).toEqual(["a", "b"]);
  });

  it("is everywhere when all that compute anything have it: one that loads its first release holds nobody back", () => {
    const table = tableOf({ a: { ready: [1, 2] }, b: { ready: [1], loading: [2] }, c: { ready: [], loading: [2] } });
    expect([table.isCovered(2), table.isEverywhere(2)]).toEqual([true, false]);
    table.observe("b", stateOf({ ready: [1, 2] }), 1);
    expect(table.isEverywhere(2)).toBe(true);
  });

  it("lanes is the number of copies of the slice that has the fewest", () => {
    const two = { slices: 2 };
    const table = tableOf({ a: two, b: two, c: two, d: { ...two, slice: 1 }, e: { ...two, slice: 1 } });
    expect(table.lanes(1)).toBe(2);
  });

  it("stays with the topology that is covered while replicas of another one come", () => {
    const table = tableOf({ whole: { ready: [1] }, "part-0": { slices: 2, ready: [1] } });
    expect(table.route(1, 0)).toEqual(["whole"]);
    table.observe("part-1", stateOf({ slices: 2, slice: 1, ready: [1] }), 1);
    expect(table.route(1, 0)).toEqual(["part-0", "part-1"]);
    table.lose("part-0");
    expect(table.route(1, 0)).toEqual(["whole"]);
  });

  it.each([
    [
      "retire",
      (table: ReplicaTable) => {
        table.retire("a");
      },
    ],
    [
      "lose",
      (table: ReplicaTable) => {
        table.lose("a");
      },
    ],
    [
      "lacks",
      (table: ReplicaTable) => {
        table.lacks("a", 1);
      },
    ],
  ])("%s ends it at once, and the next state restores it", (_, change) => {
    const table = tableOf({ a: { ready: [1] } });
    expect(table.isCovered(1)).toBe(true);
    change(table);
    expect([table.isCovered(1), table.route(1, 0)]).toEqual([false, undefined]);
    table.observe("a", stateOf({ ready: [1] }), 1);
    expect(table.isCovered(1)).toBe(true);
  });

  it("lacks leaves the other releases of a replica", () => {
    const table = tableOf({ a: { ready: [1, 2] } });
    table.lacks("a", 2);
    expect([table.isCovered(1), table.isCovered(2)]).toEqual([true, false]);
  });
});

describe("credits", () => {
  it("of a pipeline of n slices are n + 1 for each replica", () => {
    for (const slices of [1, 2, 4]) {
      const replicas = Array.from({ length: slices }, (_, slice) => [`r${slice}`, { slices, slice }] as const);
      const table = tableOf(Object.fromEntries(replicas));
      let sent = 0;
      for (let route = table.route(1, 0); route !== undefined; route = table.route(1, 0)) {
        table.begin(route);
        sent += 1;
      }
      expect(sent).toBe(slices + 1);
      table.end(replicas.map(([id]) => id));
      expect(table.route(1, 0)).toBeDefined();
    }
  });

  it("go to the least busy replica, and are its own through every announcement", () => {
    const table = tableOf({ a: {}, b: {} });
    const first = table.route(1, 0) ?? [];
    table.begin(first);
    table.observe("a", stateOf({}), 1);
    expect(table.route(1, 0)).not.toEqual(first);
  });

  it("begin anew with another process of that name", () => {
    const table = tableOf({ a: {} });
    table.begin(["a"]);
    table.begin(["a"]);
    expect(table.route(1, 0)).toBeUndefined();
    expect(table.observe("a", stateOf({ instance: "i" }), 1)).toBe(true);
    expect(table.observe("a", stateOf({ instance: "j" }), 2)).toBe(false);
    expect(table.replicas).toMatchObject([{ id: "a", inFlight: 0 }]);
    table.end(["a"]); // of the process before
    expect(table.replicas).toMatchObject([{ id: "a", inFlight: 0 }]);
  });

  it("are never below 0 nor above the bound, and a route has one replica of each slice that has the release", () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant("begin" as const), release: fc.integer({ min: 1, max: 2 }) }),
      fc.record({ kind: fc.constant("end" as const) }),
      fc.record({
        kind: fc.constant("observe" as const),
        which: fc.nat(3),
        instance: fc.constantFrom("i", "j"),
        ready: fc.subarray([1, 2]),
      }),
      fc.record({ kind: fc.constant("lose" as const), which: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const ids = ["0a", "0b", "1a", "1b"];
        const sliceOf = (id: string): number => Number(id[0]);
        const table = tableOf(Object.fromEntries(ids.map((id) => [id, { slices: 2, slice: sliceOf(id) }])));
        const underWay: (readonly string[])[] = [];
        for (const each of events) {
          if (each.kind === "begin") {
            const route = table.route(each.release, 0);
            if (route === undefined) continue;
            expect(route.map(sliceOf)).toEqual([0, 1]);
            for (const id of route)
              expect(table.replicas.find((replica) => replica.id === id)?.ready.has(each.release)).toBe(true);
            table.begin(route);
            underWay.push(route);
          } else if (each.kind === "end") {
            table.end(underWay.shift() ?? []);
          } else {
            const id = ids[each.which] ?? "0a";
            if (each.kind === "lose") table.lose(id);
            else {
              const { instance, ready } = each;
              table.observe(id, stateOf({ slices: 2, slice: sliceOf(id), instance, ready }), 0);
            }
          }
          for (const { inFlight } of table.replicas) {
            expect(inFlight).toBeGreaterThanOrEqual(0);
            expect(inFlight).toBeLessThanOrEqual(3);
          }
        }
      }),
    );
  });
});

describe("avoid and fill", () => {
  it("a replica that is avoided gets nothing for its time, however busy the others are, unless all are avoided", () => {
    const table = tableOf({ a: {}, b: {} });
    table.avoid("a", 100);
    table.begin(["b"]);
    expect(table.route(1, 99)).toEqual(["b"]);
    table.begin(["b"]);
    expect(table.route(1, 99)).toBeUndefined();
    expect(table.route(1, 100)).toEqual(["a"]);
    table.avoid("a", 300);
    table.avoid("a", 200); // does not shorten it
    table.avoid("b", 300);
    expect(table.route(1, 250)).toEqual(["a"]);
  });

  it("a replica that is full gets nothing for its time", () => {
    const table = tableOf({ a: {} });
    table.fill("a", 50);
    expect(table.route(1, 49)).toBeUndefined();
    table.observe("a", stateOf({}), 49);
    expect(table.route(1, 49)).toBeUndefined();
    expect(table.route(1, 50)).toEqual(["a"]);
  });
});

describe("what replicas say", () => {
  it("silent are those without a state for too long", () => {
    const table = tableOf({ a: {}, b: {} });
    table.observe("b", stateOf({}), 2_000);
    expect(table.silent(3_500, 3_500)).toEqual([]);
    expect(table.silent(3_501, 3_500)).toEqual(["a"]);
  });

  it("refusalOf names the replica and its failure", () => {
    const table = tableOf({ a: {}, b: { ready: [1], refused: [2] } });
    expect(table.refusalOf(2)).toEqual({ replica: "b", failure: FAILURE });
    expect(table.refusalOf(1)).toBeUndefined();
  });

  it("isIdleSince needs an announcement without batches that the batch would have been in", () => {
    const table = tableOf({ a: {} });
    table.observe("a", stateOf({ inFlight: 0 }), 1_400);
    expect(table.isIdleSince("a", 1_000)).toBe(false);
    table.observe("a", stateOf({ inFlight: 1 }), 2_400);
    expect(table.isIdleSince("a", 1_000)).toBe(false);
    table.observe("a", stateOf({ inFlight: 0 }), 3_400);
    expect(table.isIdleSince("a", 1_000)).toBe(true);
    expect(table.isIdleSince("gone", 1_000)).toBe(true);
  });
});
