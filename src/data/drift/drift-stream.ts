/**
 * A stream of windows of images that drift away from the first: the live images of each window, from the training pool,
 * and the images that measure it, from the test pool. Source images are divided between the pools once for all windows,
 * so no image that measures is ever trained on, as it is or changed. A source image whose bytes are also in the test pool
 * is left out of the training pool.
 *
 * Every image is a function of (options, source images, window, index), whatever was read before. A pool is used up
 * before an image of it comes again; where a schedule sets class shares, that holds for each class.
 */
import { createHash } from "node:crypto";
import type { TensorView } from "../../messages/index.ts";
import { fingerprintOf, type Split } from "../dataset.ts";
import { epochOrder } from "../epoch-order.ts";
import { randomDraws } from "../random-draws.ts";
import { applyDomain } from "./apply-domain.ts";
import { type DriftInput, type DriftOptions, parseDriftOptions, refuseDrift } from "./drift-options.ts";
import { planWindows, type WindowPlan } from "./plan-windows.ts";

/** The source images. */
export interface DriftSource {
  readonly name: string;
  /** [height, width, channels] */
  readonly sampleShape: readonly number[];
  readonly classes: number;
  readonly fingerprint: string;
  /** All of them, with their labels. */
  readonly images: Split;
}

export interface DriftSplit extends Split {
  /** Index of the image among the source images. */
  sourceOf(index: number): number;
  /** Which of the window's domains it is in. */
  domainOf(index: number): number;
  /** As `batch`, before rounding to bytes: [n, ...sample shape] f32 in [0, 1], owned by the caller. */
  exactBatch(indices: ArrayLike<number>): { readonly samples: TensorView; readonly labels: TensorView };
}

export interface DriftWindow {
  readonly plan: WindowPlan;
  /** The live images. Ids are unique within the stream. */
  readonly live: DriftSplit;
  readonly test: DriftSplit;
}

export interface DriftStream {
  readonly options: DriftOptions;
  /** Of source and options: equal fingerprints name equal images. */
  readonly fingerprint: string;
  /** @throws RangeError beyond the last window. */
  window(index: number): DriftWindow;
}

const POOLS = { live: 1, test: 2 } as const;
type Pool = keyof typeof POOLS;
const SOURCES = 0x736f7572;
const DIVISION = 0x64697600;
const MAX_BYTE = 255;

/**
 * @throws KnowledgeNetError KN_CONFIG for options that break a rule, images that are none, a pool without an image of a
 * class that the schedule asks for, and `saturate` on images without colour.
 */
export function createDriftStream(source: DriftSource, input: DriftInput): DriftStream {
  const options = parseDriftOptions(input);
  const { seed, windows, samples, testSamples } = options;
  const { labels, contents } = checkSource(source, options);
  const plans = planWindows(options, source.classes);

  const order = epochOrder(source.images.count, seed, DIVISION);
  const testCount = Math.round(source.images.count * options.testShare);
  const testMembers = order.subarray(0, testCount);
  const measured = new Set(Array.from(testMembers, contents));
  const liveMembers = order.subarray(testCount).filter((image) => !measured.has(contents(image)));
  const sources: Readonly<Record<Pool, Uint32Array>> = {
    test: assignSources(testMembers, labels, plans, { pool: "test", perWindow: testSamples, seed }),
    live: assignSources(liveMembers, labels, plans, { pool: "live", perWindow: samples, seed }),
  };

  const splitOf = (pool: Pool, window: number, plan: WindowPlan): DriftSplit => {
    const count = pool === "live" ? samples : testSamples;
    const firstId = window * count + (pool === "live" ? 0 : windows * samples);
    const checked = (index: number | undefined): number => {
      if (index !== undefined && Number.isInteger(index) && index >= 0 && index < count) return index;
      throw new RangeError(`image ${index} is outside 0 to ${count - 1}`);
    };
    const sourceOf = (index: number): number => sources[pool][window * count + checked(index)] as number;
    const drawsOf = (index: number) => randomDraws(seed, POOLS[pool], window, index);
    const domainOf = (index: number): number =>
      pickByShare(
        plan.domains.map(({ share }) => share),
        drawsOf(checked(index)).uniform(),
      );
    const changed = (index: number): Float64Array => {
      const draws = drawsOf(index);
      const chosen = pickByShare(
        plan.domains.map(({ share }) => share),
        draws.uniform(),
      );
      const [height = 0, width = 0, channels = 0] = source.sampleShape;
      const { values } = source.images.batch([sourceOf(index)]).samples;
      const picture = { height, width, channels, values: Float64Array.from(values, (value) => value / MAX_BYTE) };
      return applyDomain(picture, plan.domains[chosen]?.domain ?? [], draws).values;
    };
    const labelsOf = (indices: ArrayLike<number>): TensorView => ({
      dtype: "i32",
      shape: [indices.length],
      values: Int32Array.from(indices, (index) => labels[sourceOf(index)] as number),
    });
    const shapeOf = (indices: ArrayLike<number>): readonly number[] => [indices.length, ...source.sampleShape];
    const elements = source.sampleShape.reduce((product, extent) => product * extent, 1);
    return {
      count,
      idOf: (index) => firstId + checked(index),
      sourceOf,
      domainOf,
      batch(indices) {
        const values = new Uint8Array(indices.length * elements);
        for (let row = 0; row < indices.length; row += 1) {
          const image = changed(checked(indices[row]));
          for (const [at, value] of image.entries()) values[row * elements + at] = Math.round(value * MAX_BYTE);
        }
        return { samples: { dtype: "u8", shape: shapeOf(indices), values }, labels: labelsOf(indices) };
      },
      exactBatch(indices) {
        const values = new Float32Array(indices.length * elements);
        for (let row = 0; row < indices.length; row += 1) values.set(changed(checked(indices[row])), row * elements);
        return { samples: { dtype: "f32", shape: shapeOf(indices), values }, labels: labelsOf(indices) };
      },
    };
  };

  return {
    options,
    fingerprint: `${source.name} drift sha256:${fingerprintOf([source.fingerprint, JSON.stringify(options)])}`,
    window(index) {
      const plan = plans[index];
      if (plan === undefined) throw new RangeError(`window ${index} is outside 0 to ${windows - 1}`);
      return { plan, live: splitOf("live", index, plan), test: splitOf("test", index, plan) };
    },
  };
}

interface CheckedSource {
  readonly labels: Int32Array;
  /** Digest of an image's bytes. */
  contents(image: number): string;
}

function checkSource({ name, sampleShape, images }: DriftSource, options: DriftOptions): CheckedSource {
  if (sampleShape.length !== 3 || images.count < 2) {
    throw refuseDrift(
      `${name} must have two or more images of [height, width, channels]`,
      `${images.count} of [${sampleShape.join(", ")}]`,
    );
  }
  const { samples, labels } = images.batch(Uint32Array.from({ length: images.count }, (_, index) => index));
  if (samples.dtype !== "u8") throw refuseDrift(`the images of ${name} must be bytes`, samples.dtype);
  if (sampleShape[2] !== 3 && JSON.stringify(options.schedule).includes('"saturate"')) {
    throw refuseDrift("schedule: saturate needs images of 3 channels", `${sampleShape[2]} in ${name}`);
  }
  const unlabelled = labels.values.findIndex((label) => label < 0);
  if (unlabelled >= 0) throw refuseDrift(`every image of ${name} must have a label`, `none for image ${unlabelled}`);
  const { values } = samples;
  const bytes = values.length / images.count;
  return {
    labels: Int32Array.from(labels.values),
    contents: (image) =>
      createHash("sha256")
        .update(values.subarray(image * bytes, (image + 1) * bytes))
        .digest("base64"),
  };
}

/** The source image of each position of the pool's stream. */
function assignSources(
  members: Uint32Array,
  labels: Int32Array,
  plans: readonly WindowPlan[],
  { pool, perWindow, seed }: { readonly pool: Pool; readonly perWindow: number; readonly seed: number },
): Uint32Array {
  const everything = cycle(members, () => 0);
  const byClass = cycle(members, (image) => labels[image] as number);
  const sources = new Uint32Array(plans.length * perWindow);
  for (const [window, { classShares }] of plans.entries()) {
    const draws = randomDraws(seed, SOURCES, POOLS[pool], window);
    for (let index = 0; index < perWindow; index += 1) {
      const label = classShares === undefined ? undefined : pickByShare(classShares, draws.uniform());
      const image = label === undefined ? everything(0) : byClass(label);
      if (image === undefined) {
        throw refuseDrift(
          `the ${pool === "live" ? "training" : "test"} pool must have images of each class that the schedule asks for`,
          `none ${label === undefined ? "at all" : `of class ${label}`} among ${members.length}`,
        );
      }
      sources[window * perWindow + index] = image;
    }
  }
  return sources;
}

/** The next member of a group, each in its turn; undefined for a group without members. `members` are in random order. */
function cycle(members: Uint32Array, groupOf: (member: number) => number): (group: number) => number | undefined {
  const groups = new Map<number, { readonly images: number[]; next: number }>();
  for (const member of members) {
    const group = groups.get(groupOf(member));
    if (group === undefined) groups.set(groupOf(member), { images: [member], next: 0 });
    else group.images.push(member);
  }
  return (group) => {
    const found = groups.get(group);
    if (found === undefined) return undefined;
    const image = found.images[found.next % found.images.length];
    found.next += 1;
    return image;
  };
}

/** The first index at which the running sum of the shares is above `uniform`. */
function pickByShare(shares: readonly number[], uniform: number): number {
  let sum = 0;
  for (const [index, share] of shares.entries()) {
    sum += share;
    if (uniform < sum) return index;
  }
  return shares.findLastIndex((share) => share > 0); // rounding left the sum below 1
}
