/**
 * The contract of the handles that block and gradient model actors hold, run on the real units behind a compute worker
 * and on the fakes that stand for them in the actors' tests.
 */
import { describe, expect, it } from "vitest";
import type { BlockHandle, GradientModelHandle, TensorData } from "../../src/compute/index.ts";

export interface BlockSetupOptions {
  /** `later`: the update waits for the next block's gradient; `at-once`: a local one; `last`: the task loss. */
  readonly source: "later" | "at-once" | "last";
  readonly isFirst?: boolean;
  /** Batches kept for their gradient. @default 4 */
  readonly retain?: number;
}

export interface BlockSetup extends AsyncDisposable {
  readonly handle: BlockHandle;
  /** A batch, of its own buffer; that of `BAD_STEP` makes the training fail with KN_NUMERIC. */
  input(step: number): TensorData;
  readonly labels: TensorData;
  /** A gradient for the block's output, of its own buffer. */
  gradient(): TensorData;
}

export const BAD_STEP = 13;
const nothing = (): void => undefined;

export function blockHandleContract(name: string, setup: (options: BlockSetupOptions) => Promise<BlockSetup>): void {
  describe(`${name} as a BlockHandle`, () => {
    it("train of a block before the last emits the activation once, with the version of its forward", async () => {
      await using scene = await setup({ source: "at-once" });
      const emitted: [number, number | undefined][] = [];
      for (const step of [1, 2]) {
        await scene.handle.train({ step, input: scene.input(step), labels: scene.labels }, ({ shape }, version) => {
          emitted.push([version, shape[0]]);
        });
      }
      const batch = scene.labels.shape[0];
      expect(emitted).toEqual([
        [0, batch],
        [1, batch],
      ]);
    });

    it("train with a local gradient applies it at once: synthetic, of age 0, nothing retained", async () => {
      await using scene = await setup({ source: "at-once" });
      const input = scene.input(1);
      const { shape } = input;
      const { result } = await scene.handle.train({ step: 1, input, labels: scene.labels }, nothing);
      expect(result).toMatchObject({ isApplied: true, version: 1, age: 0, origin: "synthetic" });
      expect(result).toMatchObject({ retained: 0, pending: 0, forgotten: 0, inputGradient: { shape } });
      expect(result.loss).toBeUndefined();
    });

    it("train of the last block emits nothing, gives the loss, and its gradient is a true one", async () => {
      await using scene = await setup({ source: "last" });
      const emitted: TensorData[] = [];
      const request = { step: 1, input: scene.input(1), labels: scene.labels };
      const { result } = await scene.handle.train(request, (activation) => emitted.push(activation));
      expect(emitted).toEqual([]);
      expect(result).toMatchObject({ isApplied: true, version: 1, origin: "true", loss: expect.any(Number) });
    });

    it("train of the first block gives no gradient at its input", async () => {
      await using scene = await setup({ source: "at-once", isFirst: true });
      const { result } = await scene.handle.train({ step: 1, input: scene.input(1), labels: scene.labels }, nothing);
      expect(result).not.toHaveProperty("inputGradient");
    });

    it("receive applies a later gradient to its batch once, with its origin and its age in updates", async () => {
      await using scene = await setup({ source: "later" });
      for (const step of [1, 2]) {
        const request = { step, input: scene.input(step), labels: scene.labels };
        const { result } = await scene.handle.train(request, nothing);
        expect(result).toMatchObject({ isApplied: false, version: 0, retained: step, pending: step });
      }
      const first = (await scene.handle.receive(1, scene.gradient(), "bootstrapped")).result;
      expect(first).toMatchObject({ isApplied: true, version: 1, age: 0, origin: "bootstrapped", pending: 1 });
      expect(first.inputGradient?.shape).toEqual(scene.input(1).shape);
      const second = (await scene.handle.receive(2, scene.gradient(), "true")).result;
      expect(second).toMatchObject({ isApplied: true, version: 2, age: 1, origin: "true", pending: 0 });
      for (const step of [1, 2, 9]) {
        const { result } = await scene.handle.receive(step, scene.gradient(), "true");
        expect(result).toMatchObject({ isApplied: false, version: 2, retained: 0, pending: 0, forgotten: 0 });
        expect(result).not.toHaveProperty("inputGradient");
      }
    });

    it("train beyond the bound gives up the oldest batch, and a batch trained again is the newest", async () => {
      await using scene = await setup({ source: "later", retain: 2 });
      const train = async (step: number) =>
        (await scene.handle.train({ step, input: scene.input(step), labels: scene.labels }, nothing)).result;
      await train(1);
      await train(2);
      expect(await train(1)).toMatchObject({ retained: 2, pending: 2, forgotten: 0 });
      expect(await train(3)).toMatchObject({ retained: 2, pending: 2, forgotten: 1 });
      expect((await scene.handle.receive(2, scene.gradient(), "true")).result.isApplied).toBe(false);
      expect((await scene.handle.receive(1, scene.gradient(), "true")).result.isApplied).toBe(true);
    });

    it("forget gives up every pending batch and counts it", async () => {
      await using scene = await setup({ source: "later" });
      for (const step of [1, 2]) {
        await scene.handle.train({ step, input: scene.input(step), labels: scene.labels }, nothing);
      }
      expect(await scene.handle.forget()).toBe(2);
      expect(await scene.handle.forget()).toBe(0);
      const { result } = await scene.handle.receive(1, scene.gradient(), "true");
      expect(result).toMatchObject({ isApplied: false, retained: 0, pending: 0, forgotten: 2 });
    });

    it("evaluate gives the output, of the last block the correct samples and the loss, and trains nothing", async () => {
      await using middle = await setup({ source: "at-once" });
      const { result } = await middle.handle.evaluate(middle.input(1), middle.labels);
      expect(result.output?.shape[0]).toBe(middle.labels.shape[0]);
      expect(result).not.toHaveProperty("correct");
      expect((await middle.handle.snapshot()).version).toBe(0);
      await using last = await setup({ source: "last" });
      const measured = (await last.handle.evaluate(last.input(1), last.labels)).result;
      expect(measured).toEqual({ correct: expect.any(Number), lossSum: expect.any(Number) });
      expect(measured.correct).toBeLessThanOrEqual(last.labels.shape[0] ?? 0);
    });

    it("snapshot and restore carry version and tensors, and retained batches are gone without being counted", async () => {
      await using scene = await setup({ source: "later" });
      const train = (step: number) =>
        scene.handle.train({ step, input: scene.input(step), labels: scene.labels }, nothing);
      await train(1);
      await scene.handle.receive(1, scene.gradient(), "true");
      const saved = await scene.handle.snapshot();
      expect(saved.version).toBe(1);
      await train(2);
      await scene.handle.receive(2, scene.gradient(), "true");
      await train(3);
      await scene.handle.restore(saved);
      expect(await scene.handle.snapshot()).toEqual(saved);
      const { result } = await scene.handle.receive(3, scene.gradient(), "true");
      expect(result).toMatchObject({ isApplied: false, version: 1, retained: 0, pending: 0, forgotten: 0 });
    });

    it("a training that fails with KN_NUMERIC changes no weight and retains nothing", async () => {
      await using scene = await setup({ source: "later" });
      const request = { step: BAD_STEP, input: scene.input(BAD_STEP), labels: scene.labels };
      await expect(scene.handle.train(request, nothing)).rejects.toMatchObject({ code: "KN_NUMERIC" });
      const { result } = await scene.handle.receive(BAD_STEP, scene.gradient(), "true");
      expect(result).toMatchObject({ isApplied: false, version: 0, retained: 0, pending: 0 });
    });

    it("takes over samples and gradients: the caller's buffers are gone, labels stay", async () => {
      await using scene = await setup({ source: "later" });
      const [input, evaluated, gradient] = [scene.input(1), scene.input(2), scene.gradient()];
      await scene.handle.train({ step: 1, input, labels: scene.labels }, nothing);
      await scene.handle.evaluate(evaluated, scene.labels);
      await scene.handle.receive(1, gradient, "true");
      expect([input, evaluated, gradient].map(({ values }) => values.length)).toEqual([0, 0, 0]);
      expect(scene.labels.values.length).toBeGreaterThan(0);
    });
  });
}

export interface GradientModelSetup extends AsyncDisposable {
  readonly handle: GradientModelHandle;
  readonly labels: TensorData;
  /** An activation or a gradient of the boundary, of its own buffer. */
  tensor(): TensorData;
  /** A step whose prediction it does not keep. */
  readonly unknownStep: number;
}

export function gradientModelHandleContract(name: string, setup: () => Promise<GradientModelSetup>): void {
  describe(`${name} as a GradientModelHandle`, () => {
    it("predict gives a gradient of the activation's shape, learn counts updates of predicted steps alone", async () => {
      await using scene = await setup();
      const { shape } = scene.tensor();
      for (const step of [1, 2]) {
        expect((await scene.handle.predict(step, scene.tensor(), scene.labels)).result.shape).toEqual(shape);
        const quality = (await scene.handle.learn(step, scene.tensor())).result;
        expect(quality).toEqual({ updates: step, cosine: expect.any(Number), relativeError: expect.any(Number) });
      }
      expect((await scene.handle.learn(scene.unknownStep, scene.tensor())).result).toBeUndefined();
      expect((await scene.handle.snapshot()).version).toBe(2);
    });

    it("snapshot and restore carry the updates: learning goes on from there", async () => {
      await using scene = await setup();
      const learn = async (step: number) => {
        await scene.handle.predict(step, scene.tensor(), scene.labels);
        return (await scene.handle.learn(step, scene.tensor())).result?.updates;
      };
      await learn(1);
      const saved = await scene.handle.snapshot();
      expect(await learn(2)).toBe(2);
      await scene.handle.restore(saved);
      expect(await scene.handle.snapshot()).toEqual(saved);
      expect(await learn(3)).toBe(2);
    });

    it("takes over activations and gradients", async () => {
      await using scene = await setup();
      const [activation, gradient] = [scene.tensor(), scene.tensor()];
      await scene.handle.predict(1, activation, scene.labels);
      await scene.handle.learn(1, gradient);
      expect([activation.values.length, gradient.values.length]).toEqual([0, 0]);
    });
  });
}
