import { readFile } from "node:fs/promises";
import type { Picture } from "../../../../src/data/picture/picture.ts";

interface Distribution {
  /** Bounds of the bins between the first, which begins at -infinity, and the last. */
  readonly edges: readonly number[];
  /** Probability of each bin. */
  readonly shares: readonly number[];
}

interface References {
  readonly images: Readonly<Record<string, { readonly shape: [number, number, number]; readonly pixels: string }>>;
  readonly cases: readonly {
    readonly image: string;
    readonly kind: string;
    readonly value: number;
    readonly changed: string;
  }[];
  readonly logFactorials: readonly (readonly [count: number, value: number])[];
  readonly poisson: readonly (Distribution & { readonly mean: number })[];
  readonly normal: Distribution;
  readonly gamma: readonly (Distribution & { readonly shape: number })[];
}

/** Written by scripts/drift-references.py with SciPy, Pillow and scikit-image. */
export const references = JSON.parse(
  await readFile(new URL("./drift-references.json", import.meta.url), "utf8"),
) as References;

export function pictureOf(name: string): Picture {
  const image = references.images[name];
  if (image === undefined) throw new TypeError(`no reference image ${name}`);
  const [height, width, channels] = image.shape;
  const pixels = Uint8Array.from(Buffer.from(image.pixels, "base64"));
  return { height, width, channels, values: Float64Array.from(pixels, (pixel) => pixel / 255) };
}

export function floatsOf(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
}

/** Pearson's statistic of `draws` against a distribution, over its degrees of freedom: 1 on average. */
export function chiSquarePerDegree(draws: ArrayLike<number>, { edges, shares }: Distribution): number {
  const counts = shares.map(() => 0);
  for (const value of Array.from(draws)) {
    const above = edges.findIndex((edge) => value < edge);
    const bin = above === -1 ? edges.length : above;
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const statistic = counts.reduce((sum, count, bin) => {
    const expected = draws.length * (shares[bin] ?? 0);
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  return statistic / (shares.length - 1);
}
