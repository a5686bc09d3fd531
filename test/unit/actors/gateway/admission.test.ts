import { describe, expect, it } from "vitest";
import { type AdmissionFacts, admit } from "../../../../src/actors/gateway/admission.ts";
import { type BatchTimes, createBatchTimes } from "../../../../src/actors/gateway/batch-times.ts";
import type { KnownRelease } from "../../../../src/actors/gateway/gateway-releases.ts";
import type { InferenceRequest } from "../../../../src/actors/gateway/inference.ts";
import { FACTS } from "../serving/serving-scene.ts";

const RELEASE: KnownRelease = { release: 3, sampleShape: "2,2,1", manifest: { ...FACTS, format: 1, model: "digits" } };

/** 10 ms + 1 ms for each sample, and 1 ms of hops. */
function known(): BatchTimes {
  const times = createBatchTimes();
  for (let n = 1; n <= 8; n += 1) times.observe(n, [1_000 * (10 + n)], 11 + n, 0);
  return times;
}

const factsOf = (parts: Partial<AdmissionFacts> = {}): AdmissionFacts => ({
  model: "digits",
  maxBatch: 8,
  maxBulkBatch: 4,
  targetMs: 100,
  limitMs: 1_000,
  isClosed: false,
  isObservable: false,
  releases: { live: RELEASE, served: [RELEASE], resolve: (release) => (release === 3 ? RELEASE : undefined) },
  table: { lanes: () => 1 },
  times: known(),
  bulkPace: { msPerSample: 0 },
  samplesBefore: 0,
  underWay: { count: 0, samples: 0 },
  ...parts,
});

const requestOf = (samples = 1, parts: Partial<InferenceRequest> = {}): InferenceRequest => ({
  input: { dtype: "f32", shape: [samples, 2, 2, 1], values: new Float32Array(4 * samples) },
  ...parts,
});

describe("admit", () => {
  it("takes in what can be answered", () => {
    expect(admit(requestOf(8), factsOf())).toBeUndefined();
    expect(admit(requestOf(1, { release: 3 }), factsOf())).toBeUndefined();
  });

  it("refuses with KN_UNAVAILABLE and a time while nothing is live, and once it is closed", () => {
    const releases = { live: undefined, served: [], resolve: () => undefined };
    for (const facts of [factsOf({ releases }), factsOf({ isClosed: true })]) {
      expect(admit(requestOf(), facts)).toMatchObject({
        cause: "unavailable",
        refusal: { error: { code: "KN_UNAVAILABLE" }, retryAfterMs: 1_000 },
      });
    }
  });

  it("refuses a release that is not served with KN_CONFIG, and names those that are", () => {
    const refused = admit(requestOf(1, { release: 2 }), factsOf());
    expect(refused).toMatchObject({ cause: "invalid", refusal: { error: { code: "KN_CONFIG", value: "2" } } });
    expect(refused?.refusal.error.message).toContain("(3)");
  });

  it.each<[string, InferenceRequest]>([
    ["another shape", { input: { dtype: "f32", shape: [1, 4], values: new Float32Array(4) } }],
    ["no samples", requestOf(0)],
    ["too many samples", requestOf(9)],
    ["fewer values than its shape", { input: { dtype: "f32", shape: [2, 2, 2, 1], values: new Float32Array(4) } }],
  ])("refuses an input of %s with KN_SHAPE", (_, request) => {
    expect(admit(request, factsOf())).toMatchObject({ cause: "invalid", refusal: { error: { code: "KN_SHAPE" } } });
  });

  it("takes in anything that is computed at once, however long it takes", () => {
    expect(admit(requestOf(8), factsOf({ targetMs: 1, limitMs: 1 }))).toBeUndefined();
  });

  it("refuses what would wait beyond the target, and says when to come back", () => {
    // 5 batches of 8 before it: 90 ms; itself: 12 ms.
    expect(admit(requestOf(1), factsOf({ samplesBefore: 36 }))).toBeUndefined();
    const refused = admit(requestOf(1), factsOf({ samplesBefore: 44 }));
    expect(refused).toMatchObject({ cause: "overloaded", refusal: { error: { code: "KN_OVERLOADED" } } });
    // 44 / 8 * 18 + 12 - 100
    expect(refused?.refusal.retryAfterMs).toBe(11);
  });

  it("counts batches under way by their size", () => {
    const large = { count: 5, samples: 40 };
    expect(admit(requestOf(1), factsOf({ underWay: large, targetMs: 101 }))).toMatchObject({ cause: "overloaded" });
    expect(admit(requestOf(1), factsOf({ underWay: { count: 5, samples: 5 }, targetMs: 101 }))).toBeUndefined();
  });

  it("divides the wait by the lanes", () => {
    const facts = { samplesBefore: 80, underWay: { count: 2, samples: 16 } };
    expect(admit(requestOf(1), factsOf(facts))).toMatchObject({ cause: "overloaded" });
    expect(admit(requestOf(1), factsOf({ ...facts, table: { lanes: () => 3 } }))).toBeUndefined();
  });

  it("keeps bulk requests to their own limit only", () => {
    const facts = factsOf({ samplesBefore: 200 });
    expect(admit(requestOf(1), facts)).toMatchObject({ cause: "overloaded" });
    expect(admit(requestOf(1, { priority: "bulk" }), facts)).toBeUndefined();
    expect(admit(requestOf(1, { priority: "bulk" }), { ...facts, limitMs: 400 })).toMatchObject({
      cause: "overloaded",
    });
  });

  it("expects bulk requests to move on as they did", () => {
    const bulk = requestOf(1, { priority: "bulk" });
    expect(admit(bulk, factsOf({ samplesBefore: 100, bulkPace: { msPerSample: 7 } }))).toBeUndefined();
    // 100 x 8 ms, and 12 ms for itself, against 800 ms.
    expect(admit(bulk, factsOf({ samplesBefore: 100, bulkPace: { msPerSample: 8 } }))).toMatchObject({
      cause: "overloaded",
    });
  });

  it("takes in what waits while no time of a batch is known", () => {
    expect(admit(requestOf(1), factsOf({ times: createBatchTimes(), samplesBefore: 1_000 }))).toBeUndefined();
  });
});
