/** Real threads; they run the compiled entry, which `npm test` builds first. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type BackendPreference,
  type BlockHandle,
  type BlockUnitOptions,
  type ComputeWorker,
  createComputeWorker,
  type GradientModelHandle,
  openBlock,
  openGradientModel,
  type TensorData,
} from "../../../../src/compute/index.ts";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { layersOfBlocks, parseTrainingSpec } from "../../../../src/run-spec/index.ts";
import { BLOCK_DEFAULTS, CONV_LAYERS, HEAD_LAYERS, labelData } from "../reference.ts";

const BATCH = 4;
const CONSTANT = { peak: 1e-3, schedule: "constant", totalSteps: 1000 } as const;

function convBlock(changes: Partial<BlockUnitOptions> = {}): BlockUnitOptions {
  return {
    inputShape: [8, 8, 2],
    layers: CONV_LAYERS,
    seed: 3,
    optimizer: { kind: "adam", learningRate: 1e-3 },
    learningRate: CONSTANT,
    source: "locked",
    wantsInputGradient: true,
    ...BLOCK_DEFAULTS,
    ...changes,
  };
}

/** Values between -1 and 1, without a tensor library on this thread. */
function data(shape: readonly number[], phase = 0): TensorData {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { dtype: "f32", shape, values: Float32Array.from({ length: size }, (_, index) => Math.sin(index + phase)) };
}

const labels = labelData(BATCH, 5);

describe("createComputeWorker", () => {
  it("reports its backend, answers calls in order and gives the activation before the result", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    expect(worker.backend).toMatchObject({ name: "cpu", tfjsBackend: "cpu", threads: 1 });
    const block = await openBlock(worker, "block-0", convBlock());
    expect(block.parameters).toBe(3 * 3 * 2 * 3 + 4 * 3);
    const seen: string[] = [];
    const train = (step: number): Promise<unknown> =>
      block
        .train({ step, input: data([BATCH, 8, 8, 2], step), labels }, (activation, version) => {
          expect(activation.shape).toEqual([BATCH, 27]);
          seen.push(`activation ${step} of version ${version}`);
        })
        .then(({ result, computeMs }) => {
          expect(computeMs).toBeGreaterThan(0);
          seen.push(`result ${step} of version ${result.version}`);
        });
    const receive = (step: number): Promise<unknown> =>
      block.receive(step, data([BATCH, 27], step), "true").then(({ result }) => {
        expect(result.inputGradient?.shape).toEqual([BATCH, 8, 8, 2]);
        seen.push(`update ${step} to version ${result.version}`);
      });
    await Promise.all([train(1), receive(1), train(2), receive(2)]);
    expect(seen).toEqual([
      "activation 1 of version 0",
      "result 1 of version 0",
      "update 1 to version 1",
      "activation 2 of version 1",
      "result 2 of version 1",
      "update 2 to version 2",
    ]);
  });

  it("moves samples to the thread and copies labels", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    const block = await openBlock(worker, "block-0", convBlock());
    const input = data([BATCH, 8, 8, 2]);
    await block.evaluate(input, labels);
    expect(input.values).toHaveLength(0);
    expect(labels.values).toHaveLength(BATCH);
  });

  it("copies a view on a larger buffer: what lies around it stays with the caller", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    const block = await openBlock(worker, "block-0", convBlock());
    const whole = new Float32Array(BATCH * 128 + 1).fill(0.5);
    const { result } = await block.evaluate(
      { dtype: "f32", shape: [BATCH, 8, 8, 2], values: whole.subarray(1) },
      labels,
    );
    expect(result.output?.shape).toEqual([BATCH, 27]);
    expect(whole).toHaveLength(BATCH * 128 + 1);
  });

  it("errors keep their code and their parts, and the thread goes on", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    const block = await openBlock(worker, "block-0", convBlock());
    await block.train({ step: 1, input: data([BATCH, 8, 8, 2]), labels }, () => undefined);
    await expect(block.receive(1, data([BATCH, 26]), "true")).rejects.toMatchObject({
      name: "KnowledgeNetError",
      code: "KN_SHAPE",
      attempt: "apply a gradient",
      value: "[4, 26]",
    });
    await expect(worker.call("snapshot", { unit: "block-9" })).rejects.toMatchObject({ code: "KN_INVARIANT" });
    await expect(openBlock(worker, "block-1", convBlock({ source: "synthetic" }), "gradient-9")).rejects.toMatchObject({
      code: "KN_INVARIANT",
    });
    await expect(openBlock(worker, "block-1", convBlock({ inputShape: [2, 2, 2] }))).rejects.toMatchObject({
      code: "KN_SHAPE",
    });
    await expect(block.evaluate(data([BATCH, 3]), labels)).rejects.toThrow(/incompatible with layer conv/);
    expect((await block.snapshot()).version).toBe(0);
  });

  it("an error of the activation callback rejects that call alone: the thread and the process go on", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    const block = await openBlock(worker, "block-0", convBlock());
    const overflow = new KnowledgeNetError("KN_NUMERIC", { attempt: "encode", rule: "it must fit the codec" });
    const train = (step: number, onActivation: () => void): Promise<unknown> =>
      block.train({ step, input: data([BATCH, 8, 8, 2], step), labels }, onActivation);
    const failing = train(1, () => {
      throw overflow;
    });
    const next = train(2, () => undefined);
    await expect(failing).rejects.toBe(overflow);
    await expect(next).resolves.toMatchObject({ result: { isApplied: false } });
  });

  it("a call whose arguments cannot cross to the thread rejects, and nothing waits for its answer", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    const uncloneable = { unit: "block-0", source: (() => undefined) as never };
    await expect(worker.call("use", uncloneable)).rejects.toThrow(/could not be cloned/);
    await expect(worker.call("memory", {})).resolves.toMatchObject({ result: { tensors: 0 } });
  });

  it("a snapshot goes through the thread and back: the restored block trains on equally", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    const original = await openBlock(worker, "original", convBlock());
    const train = async (block: typeof original, step: number): Promise<void> => {
      await block.train({ step, input: data([BATCH, 8, 8, 2], step), labels }, () => undefined);
      await block.receive(step, data([BATCH, 27], step), "true");
    };
    await train(original, 1);
    const restored = await openBlock(worker, "restored", convBlock({ seed: 99 }));
    await restored.restore(await original.snapshot());
    await train(original, 2);
    await train(restored, 2);
    expect(await restored.snapshot()).toEqual(await original.snapshot());
  });

  it("use and forget reach the block, with a gradient model elsewhere", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    const block = await openBlock(worker, "block-0", convBlock({ source: "auto", isGradientModelElsewhere: true }));
    const train = async (step: number): Promise<unknown> => {
      const input = data([BATCH, 8, 8, 2], step);
      return (await block.train({ step, input, labels }, () => undefined)).result;
    };
    expect(await train(1)).toMatchObject({ isApplied: false, retained: 1, forgotten: 0 });
    expect(await train(2)).toMatchObject({ isApplied: false, retained: 2, forgotten: 0 });
    expect(await block.forget()).toBe(2);
    await block.use("auxiliary");
    expect(await train(3)).toMatchObject({ isApplied: true, origin: "synthetic", retained: 0, forgotten: 2 });
    const { tensors } = await block.snapshot();
    expect(tensors["auxiliary/version"]).toEqual({ dtype: "i32", shape: [1], values: Int32Array.of(1) });
    const locked = await openBlock(worker, "block-1", convBlock());
    await expect(locked.use("synthetic")).rejects.toMatchObject({ code: "KN_INVARIANT" });
  });

  it("close rejects what is pending and what comes later with KN_UNAVAILABLE, and resolves `closed`", async () => {
    const worker = await createComputeWorker({ backend: "cpu" });
    const block = await openBlock(worker, "block-0", convBlock());
    const pending = Array.from({ length: 20 }, (_, step) => block.evaluate(data([BATCH, 8, 8, 2], step), labels));
    const settled = Promise.allSettled(pending);
    await worker.close();
    const last = (await settled).at(-1);
    expect(last).toMatchObject({ status: "rejected", reason: { code: "KN_UNAVAILABLE" } });
    await expect(worker.call("memory", {})).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    await expect(worker.closed).resolves.toBeUndefined();
    await worker.close(); // safe to call twice
  });

  it("rejects with KN_UNAVAILABLE when the backend asked for is absent", async () => {
    // No name of ours is absent on every machine; to the thread, one that nobody has is the same.
    const backend = "abacus" as BackendPreference;
    await expect(createComputeWorker({ backend })).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      attempt: "compute on the abacus backend",
    });
  });

  it("rejects with KN_UNAVAILABLE when no thread can be started", async () => {
    // A function cannot be given to a thread, so the constructor throws, as it does when the system is out of threads.
    const backend = (() => "cpu") as unknown as BackendPreference;
    await expect(createComputeWorker({ backend })).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      attempt: "start a compute worker",
    });
  });

  it("describes a cut model: shapes, parameters and multiplications counted by hand", async () => {
    await using worker = await createComputeWorker({ backend: "cpu" });
    const model = { input: [8, 8, 2], classes: 5, layers: [...CONV_LAYERS, ...HEAD_LAYERS], cuts: ["flat"] };
    const { result } = await worker.call("describeModel", { model });
    expect(result).toEqual([
      {
        inputShape: [8, 8, 2],
        outputShape: [27],
        layers: ["conv", "norm", "relu", "pool", "flat"],
        parameters: 9 * 2 * 3 + 4 * 3, // kernel; gamma, beta, mean, variance
        macs: 6 * 6 * 9 * 2 * 3, // each of 36 positions sees 3 x 3 x 2 for 3 filters
      },
      {
        inputShape: [27],
        outputShape: [5],
        layers: ["dense", "norm2", "relu2", "logits"],
        parameters: 27 * 12 + 4 * 12 + 12 * 5 + 5,
        macs: 27 * 12 + 12 * 5,
      },
    ]);
    const wrong = worker.call("describeModel", { model: { ...model, classes: 6 } });
    await expect(wrong).rejects.toMatchObject({ code: "KN_SHAPE", value: "[5]" });
  });
});

describe("a compute worker that trains the four-layer net", () => {
  it("keeps tensors and bytes flat over 200 steps of four blocks with gradient models (native)", async (context) => {
    await using worker = await createComputeWorker();
    context.skip(worker.backend.name !== "native", "needs the native backend: run `npm run setup`");
    const blocks = await openFourLayerNet(worker);
    const figures = [];
    for (let step = 1; step <= 200; step += 1) {
      await blocks.step(step);
      if (step === 20 || step === 200) figures.push((await worker.call("memory", {})).result);
    }
    expect(figures[1]).toEqual(figures[0]);
  });
});

/** All blocks and gradient models of examples/mnist-synthetic.yaml in one worker, and a step of training through them. */
async function openFourLayerNet(worker: ComputeWorker): Promise<{ step(step: number): Promise<void> }> {
  const file = new URL("../../../../examples/mnist-synthetic.yaml", import.meta.url);
  // Narrower, for speed: the same tensors come and go.
  const set = ["model.layers.1.filters=4", "model.layers.6.units=16", "model.layers.9.units=16"];
  const spec = parseTrainingSpec(readFileSync(file, "utf8"), { file: file.pathname, set });
  const slices = (await worker.call("describeModel", { model: spec.model })).result;
  const last = slices.length - 1;
  const units: { readonly model: GradientModelHandle | undefined; readonly block: BlockHandle }[] = [];
  for (const [index, layers] of layersOfBlocks(spec.model).entries()) {
    const { inputShape, outputShape } = slices[index] as (typeof slices)[number];
    const model =
      index === last
        ? undefined
        : await openGradientModel(
            worker,
            `gradient-${index}`,
            {
              boundaryShape: outputShape,
              classes: 10,
              spec: { ...spec.gradients.gradientModel, hidden: 16 },
              seed: index,
              retain: 4,
            },
            CONSTANT,
          );
    const options = convBlock({
      inputShape,
      layers,
      source: index === last ? "task-loss" : "synthetic",
      wantsInputGradient: index > 0,
    });
    units.push({
      model,
      block: await openBlock(worker, `block-${index}`, options, model === undefined ? undefined : `gradient-${index}`),
    });
  }
  return {
    async step(step) {
      const samples = Uint8Array.from({ length: BATCH * 784 }, (_, index) => (index * step) % 256);
      let input: TensorData = { dtype: "u8", shape: [BATCH, 28, 28, 1], values: samples };
      for (const [index, { block }] of units.entries()) {
        let output: TensorData | undefined;
        const { result } = await block.train({ step, input, labels }, (activation) => {
          output = activation;
        });
        expect(result.isApplied).toBe(true);
        const below = units[index - 1]?.model;
        if (below !== undefined && result.inputGradient !== undefined) {
          const quality = (await below.learn(step, result.inputGradient)).result;
          expect(quality?.updates).toBe(step);
        }
        if (output !== undefined) input = output;
      }
    },
  };
}
