import { describe, expect, it } from "vitest";
import { randomDraws } from "../../../../src/data/index.ts";
import { applyDomain, type Change, type Corruption, CORRUPTIONS } from "../../../../src/data/drift/index.ts";
import { scaleDomain } from "../../../../src/data/drift/apply-domain.ts";
import { fog } from "../../../../src/data/drift/fog.ts";
import type { Picture } from "../../../../src/data/picture/picture.ts";
import { chiSquarePerDegree, floatsOf, pictureOf, references } from "./references.ts";

const changeOf = (kind: string, value: number): Change => {
  if (kind === "rotation") return { kind, degrees: value };
  if (kind === "thickness") return { kind, pixels: value };
  return { kind: kind as Corruption, severity: value };
};
const FOG = [
  [0.2, 3],
  [0.5, 3],
  [0.75, 2.5],
  [1, 2],
  [1.5, 1.75],
] as const;

/** The numbers of the reference's height map. */
function goldenNumbers(): () => number {
  let drawn = 0;
  return () => {
    drawn += 1;
    return (drawn * 0.6180339887498949) % 1;
  };
}

const apply = (picture: Picture, change: Change, seed = 1): Float64Array =>
  applyDomain(picture, [change], randomDraws(seed)).values;
const flat = (value: number): Picture => ({
  height: 100,
  width: 100,
  channels: 3,
  values: new Float64Array(30_000).fill(value),
});
const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: ArrayLike<number>): number => {
  const middle = mean(values);
  return Math.sqrt(mean(Array.from(values, (value) => (value - middle) ** 2)));
};

describe("applyDomain, against SciPy, Pillow and scikit-image", () => {
  it.each(references.cases)("$kind $value of the image $image, to 1e-6", ({ image, kind, value, changed }) => {
    const picture = pictureOf(image);
    const [amount = 0, decay = 0] = FOG[value - 1] ?? [];
    const ours =
      kind === "fog" ? fog(picture, amount, decay, goldenNumbers()).values : apply(picture, changeOf(kind, value));
    const expected = floatsOf(changed);
    expect(ours.length).toBe(expected.length);
    expect(Math.max(...ours.map((sample, at) => Math.abs(sample - (expected[at] ?? NaN))))).toBeLessThan(1e-6);
  });
});

describe("applyDomain, random changes", () => {
  it.each([0.04, 0.06, 0.08, 0.09, 0.1].map((sigma, index) => [index + 1, sigma]))(
    "gaussian-noise %d has mean 0 and standard deviation %d",
    (severity, sigma) => {
      const noise = apply(flat(0.5), { kind: "gaussian-noise", severity }).map((value) => (value - 0.5) / sigma);
      expect(chiSquarePerDegree(noise, references.normal)).toBeLessThan(10);
    },
  );

  it.each([500, 250, 100, 75, 50].map((c, index) => [index + 1, c]))(
    "shot-noise %d counts photons: whole multiples of 1/%d with the variance of their mean",
    (severity, c) => {
      const values = apply(flat(0.4), { kind: "shot-noise", severity });
      expect(Math.max(...values.map((value) => Math.abs(value * c - Math.round(value * c))))).toBeLessThan(1e-9);
      const sigma = Math.sqrt(0.4 / c);
      expect(Math.abs(mean(values) - 0.4)).toBeLessThan((4 * sigma) / Math.sqrt(values.length));
      expect(Math.abs(deviation(values) / sigma - 1)).toBeLessThan(4 / Math.sqrt(2 * values.length));
    },
  );

  it.each([0.01, 0.02, 0.03, 0.05, 0.07].map((amount, index) => [index + 1, amount]))(
    "salt-and-pepper %d changes the share %d, half of it to white",
    (severity, amount) => {
      const values = apply(flat(0.5), { kind: "salt-and-pepper", severity });
      const share = (value: number): number => mean(values.map((found) => (found === value ? 1 : 0)));
      const error = 4 * Math.sqrt(amount / 2 / values.length);
      expect(Math.abs(share(0) - amount / 2)).toBeLessThan(error);
      expect(Math.abs(share(1) - amount / 2)).toBeLessThan(error);
      expect(share(0) + share(1) + share(0.5)).toBeCloseTo(1, 12);
    },
  );

  it("speckle-noise grows with the value", () => {
    for (const value of [0.2, 0.5]) {
      const values = apply(flat(value), { kind: "speckle-noise", severity: 3 });
      expect(Math.abs(deviation(values) / (value * 0.12) - 1)).toBeLessThan(4 / Math.sqrt(2 * values.length));
    }
    expect(apply(flat(0), { kind: "speckle-noise", severity: 5 })).toEqual(flat(0).values);
  });

  it("fog depends on the draws, and brightens what is dark", () => {
    const dark = pictureOf("grey");
    const fogged = apply(dark, { kind: "fog", severity: 5 });
    expect(apply(dark, { kind: "fog", severity: 5 }, 2)).not.toEqual(fogged);
    expect(deviation(fogged)).toBeLessThan(deviation(dark.values));
  });

  it.each(CORRUPTIONS)(
    "%s: severity 0 changes nothing; 5 stays within 0 to 1, and equal seeds give equal bits",
    (kind) => {
      const picture = pictureOf("colour");
      expect(apply(picture, { kind, severity: 0 })).toEqual(picture.values);
      const worst = apply(picture, { kind, severity: 5 }, 9);
      expect(apply(picture, { kind, severity: 5 }, 9)).toEqual(worst);
      expect(worst.every((value) => value >= 0 && value <= 1)).toBe(true);
      expect(worst).not.toEqual(picture.values);
    },
  );

  it("a severity between two interpolates their constants", () => {
    const values = apply(flat(0.5), { kind: "gaussian-noise", severity: 0.5 });
    expect(Math.abs(deviation(values) / 0.02 - 1)).toBeLessThan(4 / Math.sqrt(2 * values.length));
    const brighter = apply(flat(0.5), { kind: "brightness", severity: 1.5 });
    expect(brighter[0]).toBeCloseTo(0.575, 12);
  });
});

describe("applyDomain", () => {
  it("inversion 1 is the negative, 0 the image", () => {
    const picture = pictureOf("grey");
    expect(apply(picture, { kind: "inversion", amount: 1 })).toEqual(picture.values.map((value) => 1 - value));
    expect(apply(picture, { kind: "inversion", amount: 0 })).toEqual(picture.values);
  });

  it("four quarter turns are the image", () => {
    const picture = pictureOf("grey");
    const turn: Change = { kind: "rotation", degrees: 90 };
    expect(applyDomain(picture, [turn, turn, turn, turn], randomDraws(1)).values).toEqual(picture.values);
  });

  it("applies the changes in their order", () => {
    const picture = pictureOf("grey");
    const invert: Change = { kind: "inversion", amount: 1 };
    const thicken: Change = { kind: "thickness", pixels: 1 };
    const inverted = applyDomain(picture, [invert], randomDraws(1));
    expect(applyDomain(picture, [invert, thicken], randomDraws(1)).values).toEqual(
      applyDomain(inverted, [thicken], randomDraws(1)).values,
    );
  });

  it("scaleDomain scales each change's own measure", () => {
    expect(
      scaleDomain(
        [
          { kind: "rotation", degrees: 90 },
          { kind: "fog", severity: 4 },
          { kind: "thickness", pixels: -2 },
          { kind: "inversion", amount: 1 },
        ],
        0.5,
      ),
    ).toEqual([
      { kind: "rotation", degrees: 45 },
      { kind: "fog", severity: 2 },
      { kind: "thickness", pixels: -1 },
      { kind: "inversion", amount: 0.5 },
    ]);
  });
});
