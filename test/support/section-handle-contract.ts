/**
 * The contract of the handles that the actors of student and teacher sections hold, run on the real units behind a compute
 * worker and on the fakes that stand for them in the actors' tests.
 */
import { describe, expect, it } from "vitest";
import type { SectionHandle, TeacherHandle, TensorData } from "../../src/compute/index.ts";

export interface SectionSetupOptions {
  /** It ends in the logits; else at a boundary of the teacher. */
  readonly isLast: boolean;
}

export interface SectionSetup extends AsyncDisposable {
  readonly handle: SectionHandle;
  /** A batch, of its own buffer; that of `BAD_SECTION_STEP` makes the training fail with KN_NUMERIC. */
  input(step: number): TensorData;
  /** What the teacher has at the section's output, of its own buffer. */
  hint(): TensorData;
  readonly labels: TensorData;
}

export const BAD_SECTION_STEP = 13;

export function sectionHandleContract(
  name: string,
  setup: (options: SectionSetupOptions) => Promise<SectionSetup>,
): void {
  const request = (scene: SectionSetup, step: number) =>
    ({ step, input: scene.input(step), labels: scene.labels, hint: scene.hint(), ownShare: 0 }) as const;

  describe(`${name} as a SectionHandle`, () => {
    it("train emits the output once, of the shape that it names, with the version of its forward", async () => {
      await using scene = await setup({ isLast: false });
      const { handle, labels } = scene;
      const emitted: unknown[] = [];
      for (const step of [1, 2]) {
        await handle.train(request(scene, step), ({ shape }, version) => emitted.push([version, shape]));
      }
      const shape = [labels.shape[0], ...handle.outputShape];
      expect(emitted).toEqual([
        [0, shape],
        [1, shape],
      ]);
    });

    it("train counts updates, with the loss and what of it is the hint's; without a receiver the output stays", async () => {
      for (const isLast of [false, true]) {
        await using scene = await setup({ isLast });
        for (const version of [1, 2]) {
          const { result } = await scene.handle.train(request(scene, version), undefined);
          expect(result).toEqual({ version, loss: expect.any(Number), hintLoss: expect.any(Number) });
        }
      }
    });

    it("train without a teacher learns from the labels at the logits, and is refused at a boundary", async () => {
      await using last = await setup({ isLast: true });
      const { hint: _none, ...untaught } = request(last, 1);
      const { result } = await last.handle.train(untaught, undefined);
      expect(result).toEqual({ version: 1, loss: expect.any(Number) });
      await using boundary = await setup({ isLast: false });
      const { hint: _lost, ...unhinted } = request(boundary, 1);
      await expect(boundary.handle.train(unhinted, undefined)).rejects.toThrow();
      expect((await boundary.handle.snapshot()).version).toBe(0);
    });

    it("evaluate at a boundary gives the output, with a hint or without, and trains nothing", async () => {
      await using scene = await setup({ isLast: false });
      const { handle, labels } = scene;
      const shape = [labels.shape[0], ...handle.outputShape];
      for (const hint of [undefined, scene.hint()]) {
        const { result } = await handle.evaluate(scene.input(1), labels, hint);
        expect(result).toMatchObject({ output: { shape } });
        expect(result).not.toHaveProperty("correct");
      }
      expect((await handle.snapshot()).version).toBe(0);
    });

    it("evaluate at the logits gives correct samples and loss, and with a hint how it compares to the teacher", async () => {
      await using scene = await setup({ isLast: true });
      const { handle, labels } = scene;
      const own = { correct: expect.any(Number), lossSum: expect.any(Number) };
      expect((await handle.evaluate(scene.input(1), labels)).result).toEqual(own);
      const { result } = await handle.evaluate(scene.input(1), labels, scene.hint());
      expect(result).toEqual({ ...own, agreeing: expect.any(Number), teacherCorrect: expect.any(Number) });
      for (const count of [result.correct, result.agreeing, result.teacherCorrect]) {
        expect(count).toBeLessThanOrEqual(labels.shape[0] ?? 0);
      }
    });

    it("recalibrate is no update", async () => {
      await using scene = await setup({ isLast: false });
      await scene.handle.train(request(scene, 1), undefined);
      for (const n of [1, 2]) await scene.handle.recalibrate(n, scene.input(n));
      expect((await scene.handle.snapshot()).version).toBe(1);
    });

    it("focus is no update, borrows its places, and training goes on within them", async () => {
      await using scene = await setup({ isLast: false });
      const places = Uint32Array.of(0);
      await scene.handle.focus({ "weights/dense/kernel": places });
      expect(places).toEqual(Uint32Array.of(0));
      expect((await scene.handle.train(request(scene, 1), undefined)).result.version).toBe(1);
      await scene.handle.focus(undefined);
      expect((await scene.handle.snapshot()).version).toBe(1);
    });

    it("snapshot and restore carry version and tensors: training goes on from there", async () => {
      await using scene = await setup({ isLast: false });
      const train = async (step: number) => (await scene.handle.train(request(scene, step), undefined)).result.version;
      await train(1);
      const saved = await scene.handle.snapshot();
      expect(saved.version).toBe(1);
      expect(await train(2)).toBe(2);
      await scene.handle.restore(saved);
      expect(await scene.handle.snapshot()).toEqual(saved);
      expect(await train(3)).toBe(2);
    });

    it("a training that fails with KN_NUMERIC emits nothing, and the snapshot before undoes it", async () => {
      await using scene = await setup({ isLast: false });
      const before = await scene.handle.snapshot();
      const emitted: TensorData[] = [];
      const training = scene.handle.train(request(scene, BAD_SECTION_STEP), (output) => emitted.push(output));
      await expect(training).rejects.toMatchObject({ code: "KN_NUMERIC" });
      expect(emitted).toEqual([]);
      await scene.handle.restore(before);
      expect(await scene.handle.snapshot()).toEqual(before);
    });

    it("takes over samples, its own input and hints: the caller's buffers are gone, labels stay", async () => {
      await using scene = await setup({ isLast: true });
      const { handle, labels } = scene;
      const [input, ownInput, hint] = [scene.input(1), scene.input(2), scene.hint()];
      await handle.train({ step: 1, input, ownInput, hint, labels, ownShare: 0.5 }, undefined);
      const [evaluated, compared, recalibrated] = [scene.input(3), scene.hint(), scene.input(4)];
      await handle.evaluate(evaluated, labels, compared);
      await handle.recalibrate(1, recalibrated);
      const taken = [input, ownInput, hint, evaluated, compared, recalibrated];
      expect(taken.map(({ values }) => values.length)).toEqual(taken.map(() => 0));
      expect(labels.values.length).toBeGreaterThan(0);
    });
  });
}

export interface TeacherSetup extends AsyncDisposable {
  readonly handle: TeacherHandle;
  /** A batch of these samples, of its own buffer: equal numbers are equal samples. */
  input(samples: readonly number[]): TensorData;
  /** [height, width, channels] u8 */
  readonly image: TensorData;
}

export function teacherHandleContract(name: string, setup: () => Promise<TeacherSetup>): void {
  describe(`${name} as a TeacherHandle`, () => {
    it("infer gives each sample's output, of the shape that it names, whatever else is in the batch", async () => {
      await using scene = await setup();
      const { handle } = scene;
      const [width = 0] = handle.outputShape;
      const all = (await handle.infer(scene.input([1, 2, 3]))).result;
      expect(all.shape).toEqual([3, width]);
      const rows = [1, 2, 3].map((_, row) => Array.from(all.values.subarray(row * width, (row + 1) * width)));
      for (const [row, sample] of [1, 2, 3].entries()) {
        const alone = Array.from((await handle.infer(scene.input([sample]))).result.values);
        alone.forEach((element, index) => {
          expect(element).toBeCloseTo(rows[row]?.[index] ?? Number.NaN, 5);
        });
      }
      expect(rows[0]).not.toEqual(rows[1]);
    });

    it("classify gives a probability for each class, and leaves the image to the caller", async () => {
      await using scene = await setup();
      const probabilities = await scene.handle.classify(scene.image);
      expect(probabilities).toHaveLength(scene.handle.outputShape[0] ?? 0);
      expect(probabilities.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
      expect(scene.image.values.length).toBeGreaterThan(0);
    });

    it("takes over samples", async () => {
      await using scene = await setup();
      const input = scene.input([1]);
      await scene.handle.infer(input);
      expect(input.values.length).toBe(0);
    });
  });
}
