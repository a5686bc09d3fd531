import { describe, expect, it } from "vitest";
import { createObservationRounds } from "../../../../src/actors/learner/observation-rounds.ts";
import type { ObservedInput } from "../../../../src/messages/index.ts";
import type { ObservationEntry } from "../../../../src/models/observations/index.ts";

const SHAPE = { sampleShape: [2], dtype: "f32", window: { observations: 4, roundObservations: 2 } } as const;
const NOW = 1_000;

function observed(number: number, changes: Partial<ObservedInput> = {}): ObservedInput {
  return {
    ...{ model: "points", observer: "observer-0", epoch: "one", number, atMs: 0, expiresAtMs: 2_000, release: 1 },
    ...{ stratum: "uniform", inclusion: 1, weight: 1 },
    interest: { disagreement: 0, uncertainty: 0, novelty: 0 },
    input: { dtype: "f32", shape: [2], values: Float32Array.of(number, 0) },
    logits: { dtype: "f32", shape: [2], values: new Float32Array(2) },
    ...changes,
  };
}

/** Entries at positions 10, 20, ... */
function logOf(observations: readonly (ObservedInput | undefined)[]) {
  const entries = observations.map(
    (observation, index): ObservationEntry => ({ position: 10 * (index + 1), observation }),
  );
  return {
    read: ({ from = 0 } = {}) => ({
      async *[Symbol.asyncIterator]() {
        for (const entry of entries) if (entry.position >= from) yield await Promise.resolve(entry);
      },
    }),
    add(observation: ObservedInput) {
      entries.push({ position: 10 * (entries.length + 1), observation });
    },
  };
}

const rounds = (log: ReturnType<typeof logOf>) => createObservationRounds(log, SHAPE, () => NOW);

describe("createObservationRounds", () => {
  it("gives rounds in the order of the log, and none that is not full", async () => {
    const log = logOf([observed(0), observed(1), observed(2)]);
    const reader = rounds(log);
    const first = await reader.next(-1);
    expect(first?.map(({ position }) => position)).toEqual([10, 20]);
    expect(await reader.next(20)).toBeUndefined();
    log.add(observed(3));
    expect((await reader.next(20))?.map(({ position }) => position)).toEqual([30, 40]);
    expect(reader.counts).toMatchObject({ followed: 4, lost: 0 });
  });

  it("leaves out what does not fit, with a reason for each", async () => {
    const reader = rounds(
      logOf([
        observed(0),
        undefined,
        observed(1, { input: { dtype: "f32", shape: [3], values: new Float32Array(3) } }),
        observed(2, { expiresAtMs: NOW }),
        observed(2),
        observed(6),
      ]),
    );
    expect((await reader.next(-1))?.map(({ position }) => position)).toEqual([10, 60]);
    expect(reader.counts).toEqual({ followed: 2, undecodable: 1, otherShape: 1, expired: 1, repeated: 1, lost: 3 });
  });

  it("counts an observation once, however often its round is looked for", async () => {
    const log = logOf([undefined, observed(0)]);
    const reader = rounds(log);
    for (let look = 0; look < 3; look += 1) expect(await reader.next(-1)).toBeUndefined();
    log.add(observed(1));
    await reader.next(-1);
    expect(reader.counts).toMatchObject({ undecodable: 1, followed: 2, repeated: 0 });
  });

  it("passes on what the edge has compared, by the start of its observer", async () => {
    const comparison = { candidate: 3, disagrees: true, compared: 40, disagreements: 7 };
    const reader = rounds(logOf([observed(0, { comparison }), observed(1)]));
    const [first, second] = (await reader.next(-1)) ?? [];
    expect(first?.comparison).toEqual({ epoch: "one", ...comparison });
    expect(second).not.toHaveProperty("comparison");
  });

  it("takes bytes as floats, another start of an observer as no loss", async () => {
    const reader = rounds(
      logOf([
        observed(7, { input: { dtype: "u8", shape: [2], values: Uint8Array.of(3, 255) } }),
        observed(0, { epoch: "two" }),
      ]),
    );
    const [first] = (await reader.next(-1)) ?? [];
    expect(first?.values).toEqual(Float32Array.of(3, 255));
    expect(reader.counts.lost).toBe(0);
  });
});
