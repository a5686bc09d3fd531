/**
 * The contract of the handle that replicas hold on a slice of a served network, run on the real unit behind a compute
 * worker and on the fake that stands for it in the actors' tests.
 */
import { describe, expect, it } from "vitest";
import type { InferenceHandle, NamedTensorData, TensorData } from "../../src/compute/index.ts";

export interface InferenceSetup extends AsyncDisposable {
  readonly handle: InferenceHandle;
  readonly inputShape: readonly number[];
  /** All weights of a release, at least two, of buffers of their own; another release has other ones. */
  tensors(release: number): NamedTensorData;
  /** The value with which every element of a sample overflows, with the weights of release 1. */
  readonly overflow: number;
}

export function inferenceHandleContract(name: string, setup: () => Promise<InferenceSetup>): void {
  const input = ({ inputShape }: InferenceSetup, ...fills: number[]): TensorData => {
    const shape = [fills.length, ...inputShape];
    const size = inputShape.reduce((product, extent) => product * extent, 1);
    const values = Float32Array.from(
      { length: fills.length * size },
      (_, index) => fills[Math.floor(index / size)] ?? 0,
    );
    return { dtype: "f32", shape, values };
  };
  const open = async (scene: InferenceSetup, ...releases: number[]): Promise<void> => {
    for (const release of releases) {
      await scene.handle.load(release, scene.tensors(release));
      await scene.handle.complete(release);
    }
  };
  const rowsOf = ({ shape, values }: TensorData): number[][] => {
    const rows = shape[0] ?? 0;
    const size = values.length / rows;
    return Array.from({ length: rows }, (_, row) => Array.from(values.slice(row * size, (row + 1) * size)));
  };
  const answer = async (scene: InferenceSetup, release: number, ...fills: number[]): Promise<number[][]> =>
    rowsOf((await scene.handle.infer(release, input(scene, ...fills))).result.output);

  describe(`${name} as an InferenceHandle`, () => {
    it("infer gives f32 [n, ...output] and the time, equal for equal samples", async () => {
      await using scene = await setup();
      await open(scene, 1);
      const { result, computeMs } = await scene.handle.infer(1, input(scene, 1, 2, 1));
      expect(result.output).toMatchObject({ dtype: "f32", shape: [3, ...scene.handle.outputShape] });
      expect(result.nonFiniteRows).toEqual([]);
      expect(computeMs).toBeGreaterThan(0);
      const [first, second, third] = rowsOf(result.output);
      expect(third).toEqual(first);
      expect(second).not.toEqual(first);
    });

    it("infer takes u8 as its f32 values", async () => {
      await using scene = await setup();
      await open(scene, 1);
      const { shape, values } = input(scene, 3, 250);
      const bytes: TensorData = { dtype: "u8", shape, values: Uint8Array.from(values) };
      expect(rowsOf((await scene.handle.infer(1, bytes)).result.output)).toEqual(await answer(scene, 1, 3, 250));
    });

    it("infer computes with the release that it is given, in any order", async () => {
      await using scene = await setup();
      await open(scene, 1, 2);
      const [one, two] = [await answer(scene, 1, 5), await answer(scene, 2, 5)];
      expect(two).not.toEqual(one);
      expect(await answer(scene, 1, 5)).toEqual(one);
      expect(await answer(scene, 2, 5)).toEqual(two);
    });

    it("load in pieces gives the same release, and others answer meanwhile", async () => {
      await using scene = await setup();
      await open(scene, 1, 2);
      const [before, expected] = [await answer(scene, 1, 4), await answer(scene, 2, 4)];
      for (const [tensor, data] of Object.entries(scene.tensors(2))) {
        await scene.handle.load(3, { [tensor]: data });
        expect(await answer(scene, 1, 4)).toEqual(before);
      }
      await scene.handle.complete(3);
      expect(await answer(scene, 3, 4)).toEqual(expected);
    });

    it("load ignores tensors of other slices and optimisers", async () => {
      await using scene = await setup();
      const other = (): TensorData => ({ dtype: "i32", shape: [1], values: Int32Array.of(7) });
      await scene.handle.load(1, {
        ...scene.tensors(1),
        "weights/elsewhere/kernel": other(),
        "optimizer/step": other(),
      });
      await scene.handle.complete(1);
      await open(scene, 2);
      await expect(answer(scene, 1, 4)).resolves.toHaveLength(1);
    });

    it("a complete release does not change: load rejects with KN_INVARIANT, complete does nothing", async () => {
      await using scene = await setup();
      await open(scene, 1);
      const before = await answer(scene, 1, 5);
      await expect(scene.handle.load(1, scene.tensors(2))).rejects.toMatchObject({ code: "KN_INVARIANT" });
      await scene.handle.complete(1);
      expect(await answer(scene, 1, 5)).toEqual(before);
    });

    it("complete rejects with KN_CHECKPOINT when a weight is missing or of another shape, and drops it", async () => {
      await using scene = await setup();
      await open(scene, 1);
      const before = await answer(scene, 1, 5);
      const [[first, data], ...others] = Object.entries(scene.tensors(2)) as [[string, TensorData]];
      await scene.handle.load(2, Object.fromEntries(others));
      await expect(scene.handle.complete(2)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
      await scene.handle.load(2, { [first]: data });
      await expect(scene.handle.complete(2)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
      await scene.handle.load(2, { ...scene.tensors(2), [first]: f32(9, 11) });
      await expect(scene.handle.complete(2)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
      await expect(answer(scene, 2, 5)).rejects.toMatchObject({ code: "KN_STALE" });
      expect(await answer(scene, 1, 5)).toEqual(before);
    });

    it("complete rejects with KN_NUMERIC when a value is not finite, and drops it", async () => {
      await using scene = await setup();
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const tensors = scene.tensors(2);
        Object.values(tensors).at(-1)?.values.fill(value, 0, 1);
        await scene.handle.load(2, tensors);
        await expect(scene.handle.complete(2)).rejects.toMatchObject({ code: "KN_NUMERIC" });
        await expect(answer(scene, 2, 5)).rejects.toMatchObject({ code: "KN_STALE" });
      }
      await open(scene, 2);
      await expect(answer(scene, 2, 5)).resolves.toHaveLength(1);
    });

    it("infer rejects with KN_STALE for a release that is absent, incomplete or dropped", async () => {
      await using scene = await setup();
      await expect(answer(scene, 1, 5)).rejects.toMatchObject({ code: "KN_STALE" });
      await scene.handle.load(1, scene.tensors(1));
      await expect(answer(scene, 1, 5)).rejects.toMatchObject({ code: "KN_STALE" });
      await scene.handle.complete(1);
      await answer(scene, 1, 5);
      await scene.handle.drop(1);
      await scene.handle.drop(1);
      await expect(answer(scene, 1, 5)).rejects.toMatchObject({ code: "KN_STALE" });
      await expect(scene.handle.warm(1, [1])).rejects.toMatchObject({ code: "KN_STALE" });
    });

    it("infer rejects with KN_SHAPE what is no batch of samples", async () => {
      await using scene = await setup();
      await open(scene, 1);
      const { shape, values } = input(scene, 1, 2);
      const wrong: TensorData[] = [
        f32(...scene.inputShape),
        f32(2, 1, ...scene.inputShape),
        f32(0, ...scene.inputShape),
        { ...f32(...shape), shape: [3, ...scene.inputShape] },
        { dtype: "i32", shape, values: Int32Array.from(values) },
      ];
      for (const batch of wrong) {
        await expect(scene.handle.infer(1, batch)).rejects.toMatchObject({ code: "KN_SHAPE" });
      }
    });

    it("a sample that overflows is zero and listed, and its neighbours are not harmed", async () => {
      await using scene = await setup();
      await open(scene, 1);
      const [one, , , four] = await answer(scene, 1, 1, 2, 3, 4);
      const batch = input(scene, 1, scene.overflow, Number.NaN, 4);
      const { output, nonFiniteRows } = (await scene.handle.infer(1, batch)).result;
      expect(nonFiniteRows).toEqual([1, 2]);
      const zero = one?.map(() => 0);
      expect(rowsOf(output)).toEqual([one, zero, zero, four]);
    });

    it("warm computes each size and gives a time for each", async () => {
      await using scene = await setup();
      await open(scene, 1);
      const times = await scene.handle.warm(1, [1, 2, 8]);
      expect(times).toHaveLength(3);
      for (const ms of times) expect(ms).toBeGreaterThan(0);
    });

    it("takes over samples and weights: the caller's buffers are gone", async () => {
      await using scene = await setup();
      const tensors = scene.tensors(1);
      const samples = input(scene, 1);
      await scene.handle.load(1, tensors);
      await scene.handle.complete(1);
      await scene.handle.infer(1, samples);
      expect([samples, ...Object.values(tensors)].map(({ values }) => values.length)).not.toContainEqual(
        expect.toSatisfy((length: number) => length > 0),
      );
    });
  });
}

/** Zeros. */
function f32(...shape: number[]): TensorData & { readonly dtype: "f32" } {
  return { dtype: "f32", shape, values: new Float32Array(shape.reduce((product, extent) => product * extent, 1)) };
}
