import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSplit } from "../../../../src/data/index.ts";
import {
  createDriftStream,
  type DriftInput,
  type DriftSource,
  type DriftStream,
  parseDriftOptions,
  planWindows,
} from "../../../../src/data/drift/index.ts";
import { randomFrom } from "../../../support/random.ts";

const CLASSES = 5;
/** `count` images of [4, 5, channels] of noise; the class of image n is n modulo 5. */
function sourceOf(count: number, channels = 1): DriftSource {
  const random = randomFrom(20);
  const sampleShape = [4, 5, channels];
  const samples = Uint8Array.from({ length: count * 20 * channels }, () => Math.floor(random() * 256));
  const labels = Uint8Array.from({ length: count }, (_, index) => index % CLASSES);
  const images = createSplit({ samples, labels, sampleShape });
  return { name: "noise", sampleShape, classes: CLASSES, fingerprint: "noise 1", images };
}

const FOGGY = [
  { kind: "fog" as const, severity: 3 },
  { kind: "gaussian-noise" as const, severity: 2 },
];
const SCHEDULES: readonly DriftInput["schedule"][] = [
  { kind: "ramp", domain: FOGGY },
  { kind: "abrupt", domain: FOGGY, at: 2 },
  { kind: "recurring", second: FOGGY, periodWindows: 1 },
  { kind: "label-shift", concentration: 0.5, domain: FOGGY },
  { kind: "new-class", classes: [3, 4], at: 2, domain: FOGGY },
  { kind: "mixture", domains: [FOGGY, [{ kind: "inversion", amount: 1 }]], share: 0.6 },
];
const optionsOf = (schedule: DriftInput["schedule"], seed = 3): DriftInput => ({
  seed,
  windows: 4,
  samples: 50,
  testSamples: 20,
  schedule,
});
const all = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const sharesOf = (labels: ArrayLike<number>): number[] =>
  all(CLASSES).map((label) => Array.from(labels).filter((found) => found === label).length / labels.length);
const imageOf = (stream: DriftStream, pool: "live" | "test", window: number, index: number): string => {
  const { samples, labels } = stream.window(window)[pool].batch([index]);
  return `${samples.values.join()} ${labels.values.join()}`;
};

describe.each(SCHEDULES)("createDriftStream, $kind", (schedule) => {
  it("equal seed, window and index give equal bits in any order and any batch", () => {
    const source = sourceOf(300);
    const whole = createDriftStream(source, optionsOf(schedule));
    const expected = all(4).map((window) => {
      const { samples } = whole.window(window).live.batch(all(50));
      return all(50).map((index) => samples.values.slice(index * 20, (index + 1) * 20).join());
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 49 })), { minLength: 1, maxLength: 20 }),
        (asked) => {
          const stream = createDriftStream(source, optionsOf(schedule));
          for (const [window, index] of asked) {
            expect(imageOf(stream, "live", window, index).split(" ")[0]).toBe(expected[window]?.[index]);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("another seed gives other images", () => {
    const source = sourceOf(300);
    const images = [3, 4].map((seed) => imageOf(createDriftStream(source, optionsOf(schedule, seed)), "live", 3, 0));
    expect(images[0]).not.toBe(images[1]);
  });

  it("no source image is in both pools, in any window", () => {
    const stream = createDriftStream(sourceOf(60), optionsOf(schedule));
    const seen = { live: new Set<number>(), test: new Set<number>() };
    for (const window of all(4)) {
      const { live, test } = stream.window(window);
      for (const index of all(live.count)) seen.live.add(live.sourceOf(index));
      for (const index of all(test.count)) seen.test.add(test.sourceOf(index));
    }
    expect(seen.test.size).toBeGreaterThan(10);
    expect([...seen.test].filter((image) => seen.live.has(image))).toEqual([]);
  });

  it("labels are those of the source images, and ids are unique in the stream", () => {
    const stream = createDriftStream(sourceOf(300), optionsOf(schedule));
    const ids = new Set<number>();
    for (const window of all(4)) {
      for (const split of [stream.window(window).live, stream.window(window).test]) {
        const { labels } = split.batch(all(split.count));
        expect(Array.from(labels.values)).toEqual(all(split.count).map((index) => split.sourceOf(index) % CLASSES));
        for (const index of all(split.count)) ids.add(split.idOf(index));
      }
    }
    expect(ids.size).toBe(4 * 70);
    expect(Math.max(...ids)).toBe(4 * 70 - 1);
  });
});

describe("createDriftStream", () => {
  it("window 0 of a ramp shows the source images; bytes are the exact values, rounded", () => {
    const source = sourceOf(300);
    const stream = createDriftStream(source, optionsOf({ kind: "ramp", domain: FOGGY }));
    const { live } = stream.window(0);
    expect(live.batch([7]).samples).toEqual(source.images.batch([live.sourceOf(7)]).samples);
    const last = stream.window(3).live;
    const exact = last.exactBatch([1, 2]).samples;
    expect(exact).toMatchObject({ dtype: "f32", shape: [2, 4, 5, 1] });
    expect(Array.from(last.batch([1, 2]).samples.values)).toEqual(
      Array.from(exact.values, (value) => Math.round(value * 255)),
    );
  });

  it("no image comes again before its pool is used up", () => {
    const stream = createDriftStream(sourceOf(300), optionsOf({ kind: "abrupt", domain: FOGGY, at: 2 }));
    const sources = all(4).flatMap((window) => all(50).map((index) => stream.window(window).live.sourceOf(index)));
    expect(new Set(sources).size).toBe(200); // of 210 in the pool
  });

  it("leaves an image out of the training pool when the test pool has its bytes", () => {
    const sampleShape = [1, 1, 1];
    const labels = new Uint8Array(40);
    const samples = Uint8Array.from({ length: 40 }, (_, index) => index % 20); // each image twice
    const images = createSplit({ samples, labels, sampleShape });
    const stream = createDriftStream(
      { name: "twins", sampleShape, classes: 1, fingerprint: "twins", images },
      { ...optionsOf({ kind: "abrupt", domain: [], at: 1 }), windows: 2 },
    );
    const seen = (pool: "live" | "test"): number[] => {
      const split = stream.window(0)[pool];
      return Array.from(split.batch(all(split.count)).samples.values);
    };
    expect(seen("live").filter((value) => seen("test").includes(value))).toEqual([]);
  });

  it("new classes come at their window, then as often as the others", () => {
    const options = { ...optionsOf({ kind: "new-class", classes: [3, 4], at: 2 }), samples: 3000 };
    const stream = createDriftStream(sourceOf(300), options);
    const shares = (window: number): number[] => sharesOf(stream.window(window).live.batch(all(3000)).labels.values);
    expect(shares(1).slice(3)).toEqual([0, 0]);
    for (const share of shares(2)) expect(Math.abs(share - 0.2)).toBeLessThan(4 * Math.sqrt(0.16 / 3000));
  });

  it("label shift draws each window's classes by the planned shares", () => {
    const options = { ...optionsOf({ kind: "label-shift" }), samples: 3000 };
    const stream = createDriftStream(sourceOf(300), options);
    for (const window of all(4)) {
      const { plan, live } = stream.window(window);
      const shares = sharesOf(live.batch(all(3000)).labels.values);
      for (const [label, planned] of (plan.classShares ?? []).entries()) {
        expect(Math.abs((shares[label] ?? NaN) - planned)).toBeLessThan(4 * Math.sqrt(0.25 / 3000));
      }
    }
  });

  it("a mixture has its domains by their shares", () => {
    const options = { ...optionsOf(SCHEDULES[5] as DriftInput["schedule"]), samples: 3000 };
    const { live } = createDriftStream(sourceOf(300), options).window(2);
    const domains = all(3000).map(live.domainOf);
    for (const [domain, expected] of [0.3, 0.3, 0.4].entries()) {
      const share = domains.filter((found) => found === domain).length / 3000;
      expect(Math.abs(share - expected)).toBeLessThan(4 * Math.sqrt(0.24 / 3000));
    }
  });

  it("the fingerprint follows source and options", () => {
    const fingerprintOf = (source: DriftSource, seed = 3): string =>
      createDriftStream(source, optionsOf({ kind: "ramp", domain: FOGGY }, seed)).fingerprint;
    const source = sourceOf(100);
    expect(fingerprintOf(source)).toBe(fingerprintOf(source));
    expect(fingerprintOf(source, 4)).not.toBe(fingerprintOf(source));
    expect(fingerprintOf({ ...source, fingerprint: "noise 2" })).not.toBe(fingerprintOf(source));
  });

  it("refuses what lies outside: a window, an image", () => {
    const stream = createDriftStream(sourceOf(100), optionsOf({ kind: "ramp", domain: FOGGY }));
    expect(() => stream.window(4)).toThrow(RangeError);
    expect(() => stream.window(0).live.batch([50])).toThrow(RangeError);
    expect(() => stream.window(0).test.idOf(-1)).toThrow(RangeError);
  });

  it("refuses images that the schedule cannot use, with KN_CONFIG", () => {
    const grey = sourceOf(100);
    const saturate = optionsOf({ kind: "ramp", domain: [{ kind: "saturate", severity: 2 }] });
    expect(() => createDriftStream(grey, saturate)).toThrow(
      /KN_CONFIG.*saturate needs images of 3 channels.*1 in noise/,
    );
    expect(() => createDriftStream(sourceOf(100, 3), saturate)).not.toThrow();
    const rare = { ...grey, classes: 6 };
    expect(() => createDriftStream(rare, optionsOf({ kind: "label-shift" }))).toThrow(/KN_CONFIG.*none of class 5/);
    const unlabelled = createSplit({
      samples: new Uint8Array(200),
      labels: new Uint8Array(10),
      sampleShape: [4, 5, 1],
      labelled: 9,
    });
    expect(() => createDriftStream({ ...grey, images: unlabelled }, saturate)).toThrow(/KN_CONFIG/);
  });
});

describe("planWindows", () => {
  const planOf = (schedule: DriftInput["schedule"], windows = 5) =>
    planWindows(parseDriftOptions({ seed: 1, windows, samples: 10, testSamples: 10, schedule }), CLASSES);
  const degrees = (schedule: DriftInput["schedule"]): (number | undefined)[] =>
    planOf(schedule).map(({ domains: [first] }) => {
      const change = first?.domain[0];
      return change?.kind === "rotation" ? change.degrees : undefined;
    });
  const TURNED = [{ kind: "rotation" as const, degrees: 80 }];

  it("a ramp rises from nothing to the whole, an abrupt change comes at once, recurring domains alternate", () => {
    expect(degrees({ kind: "ramp", domain: TURNED })).toEqual([0, 20, 40, 60, 80]);
    const none = undefined;
    expect(degrees({ kind: "abrupt", domain: TURNED, at: 3 })).toEqual([none, none, none, 80, 80]);
    expect(degrees({ kind: "recurring", second: TURNED, periodWindows: 2 })).toEqual([none, none, 80, 80, none]);
  });

  it("shares of a label shift have the mean and variance of their Dirichlet distribution", () => {
    const concentration = 0.5;
    const shares = planOf({ kind: "label-shift", concentration }, 4000)
      .slice(1)
      .map(({ classShares }) => classShares ?? []);
    for (const each of shares) expect(each.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    const first = shares.map(([share = NaN]) => share);
    const mean = first.reduce((sum, share) => sum + share, 0) / first.length;
    const variance = first.reduce((sum, share) => sum + (share - mean) ** 2, 0) / first.length;
    const expected = ((1 / CLASSES) * (1 - 1 / CLASSES)) / (CLASSES * concentration + 1);
    expect(Math.abs(mean - 1 / CLASSES)).toBeLessThan(4 * Math.sqrt(expected / first.length));
    expect(Math.abs(variance / expected - 1)).toBeLessThan(0.1);
  });

  it("refuses classes that are not there, and to begin with none", () => {
    expect(() => planOf({ kind: "new-class", classes: [5], at: 1 })).toThrow(/KN_CONFIG.*below the 5 classes/);
    expect(() => planOf({ kind: "new-class", classes: [0, 1, 2, 3, 4], at: 1 })).toThrow(/KN_CONFIG.*window 0/);
  });
});

describe("parseDriftOptions", () => {
  it("has the defaults of 20 windows of 2,000", () => {
    expect(parseDriftOptions({ seed: 1, schedule: { kind: "ramp", domain: [] } })).toMatchObject({
      windows: 20,
      samples: 2000,
    });
  });

  it.each([
    [{ seed: -1 }, /seed/],
    [{ windows: 1 }, /windows.*current value is 1/],
    [{ windows: 10_000, samples: 10_000 }, /at most 10000000 images/],
    [{ testShare: 1 }, /testShare/],
    [{ schedule: { kind: "sideways" } }, /schedule/],
    [{ schedule: { kind: "abrupt", domain: [], at: 20 } }, /schedule\.at: must be a window of the stream.*20/],
    [{ schedule: { kind: "ramp", domain: [{ kind: "fog", severity: 6 }] } }, /schedule\.domain\.0\.severity.*is 6/],
    [{ schedule: { kind: "ramp", domain: [{ kind: "rotation", severity: 1 }] } }, /schedule\.domain\.0/],
    [{ speed: 3 }, /speed/],
  ])("refuses %j with KN_CONFIG that names the key", (part, message) => {
    const parse = (): unknown => parseDriftOptions({ seed: 1, schedule: { kind: "ramp", domain: [] }, ...part });
    expect(parse).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    expect(parse).toThrow(message);
  });
});
