import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { augment, viewOf } from "../../../src/data/index.ts";
import { rotation } from "../../../src/data/picture/rotation.ts";

const OPTIONS = { flip: true, shift: 2, views: 4 };
/** A 5 x 5 image whose pixels all differ, none of them zero. */
const PIXELS = Uint8Array.from({ length: 25 }, (_, index) => index + 1);
const image = (count: number) => ({
  dtype: "u8" as const,
  shape: [count, 5, 5, 1],
  values: Uint8Array.from({ length: count * 25 }, (_, index) => PIXELS[index % 25] ?? 0),
});
const viewsOf = (id: number, view: number, options = OPTIONS, seed = 7): number[] =>
  Array.from(augment(image(1), [id], view, seed, options).values);

/** Every shifted and mirrored version, by definition and not by our loops. */
function allVersions(shift: number, flips: readonly boolean[]): string[] {
  const versions: string[] = [];
  for (const isFlipped of flips) {
    for (let down = -shift; down <= shift; down += 1) {
      for (let right = -shift; right <= shift; right += 1) {
        const rows = Array.from({ length: 5 }, (_, y) => {
          const row = Array.from({ length: 5 }, (_, x) => {
            const [fromY, fromX] = [y - down, x - right];
            return fromY < 0 || fromX < 0 || fromY > 4 || fromX > 4 ? 0 : (PIXELS[fromY * 5 + fromX] ?? 0);
          });
          return isFlipped ? row.reverse() : row;
        });
        versions.push(rows.flat().join());
      }
    }
  }
  return versions;
}

describe("augment", () => {
  it("view 0 is the sample as it is, without a copy", () => {
    const samples = image(2);
    expect(augment(samples, [1, 2], 0, 7, OPTIONS)).toBe(samples);
  });

  it("every other view is the sample, shifted and perhaps mirrored, the rim zero", () => {
    const versions = new Set(allVersions(2, [false, true]));
    fc.assert(
      fc.property(fc.nat({ max: 60_000 }), fc.integer({ min: 1, max: 64 }), (id, view) => {
        expect(versions).toContain(viewsOf(id, view).join());
      }),
    );
  });

  it("shows every version in the end", () => {
    const seen = new Set(Array.from({ length: 3000 }, (_, id) => viewsOf(id, 1).join()));
    expect([...seen].sort()).toEqual(allVersions(2, [false, true]).sort());
  });

  it("depends on seed, sample and view, not on the batch", () => {
    const alone = viewsOf(41, 3);
    const together = augment(image(3), [5, 41, 9], 3, 7, OPTIONS).values.slice(25, 50);
    expect(Array.from(together)).toEqual(alone);
    const others = [viewsOf(42, 3), viewsOf(41, 2), viewsOf(41, 3, OPTIONS, 8)];
    expect(others.some((other) => other.join() !== alone.join())).toBe(true);
  });

  it("without flip nothing is mirrored, without shift nothing moves", () => {
    const versions = new Set(allVersions(2, [false]));
    for (let id = 0; id < 200; id += 1) {
      expect(versions).toContain(viewsOf(id, 1, { ...OPTIONS, flip: false }).join());
      const still = viewsOf(id, 1, { ...OPTIONS, shift: 0 }).join();
      expect(allVersions(0, [false, true])).toContain(still);
    }
  });

  it("keeps the channels of a pixel together", () => {
    const values = Uint8Array.from({ length: 2 * 2 * 3 }, (_, index) => index + 1);
    const seen = augment({ dtype: "u8", shape: [1, 2, 2, 3], values }, [0], 1, 1, { flip: true, shift: 0, views: 1 });
    const pixels = Array.from({ length: 4 }, (_, pixel) =>
      Array.from(seen.values.slice(pixel * 3, pixel * 3 + 3)).join(),
    );
    expect(pixels.sort()).toEqual(["1,2,3", "10,11,12", "4,5,6", "7,8,9"]);
  });

  it("refuses what is no batch of images with RangeError", () => {
    expect(() => augment({ dtype: "u8", shape: [1, 4], values: new Uint8Array(4) }, [0], 1, 1, OPTIONS)).toThrow(
      RangeError,
    );
    expect(() => augment(image(2), [0], 1, 1, OPTIONS)).toThrow(RangeError);
  });
});

describe("viewOf", () => {
  it("shows each view in its turn, and begins again", () => {
    expect([0, 1, 2, 3, 4, 5].map((epoch) => viewOf(epoch, OPTIONS))).toEqual([1, 2, 3, 4, 1, 2]);
    expect(viewOf(9, { ...OPTIONS, views: 0 })).toBe(0);
  });

  it("turns each view by an angle of its own, as drift does", () => {
    const turned = (id: number, rotate: readonly [number, number]): Uint8Array =>
      augment(image(1), [id], 1, 7, { flip: false, shift: 0, views: 4, rotate }).values as Uint8Array;
    const picture = { height: 5, width: 5, channels: 1, values: Float64Array.from(PIXELS) };
    for (const id of [1, 2, 3]) {
      const own = turned(id, [-30, 60]);
      // Some angle between both: the nearest of a fine grid is nearly it.
      const distances = Array.from({ length: 901 }, (_, tenth) => {
        const { values } = rotation(picture, tenth / 10 - 30);
        return values.reduce((sum, value, place) => sum + Math.abs(value - (own[place] as number)), 0) / 25;
      });
      expect(Math.min(...distances)).toBeLessThan(0.6);
    }
    expect(turned(1, [-30, 60])).not.toEqual(turned(2, [-30, 60]));
    expect(turned(1, [0, 0])).toEqual(PIXELS);
  });
});
