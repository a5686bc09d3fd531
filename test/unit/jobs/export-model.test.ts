import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../src/compute/backend/index.ts";
import { createTeacherUnit } from "../../../src/compute/distillation/teacher-unit.ts";
import { exportModel, type ExportFormat } from "../../../src/jobs/export-model.ts";
import { importModelFile } from "../../../src/jobs/import-model.ts";
import type { ModelSpec } from "../../../src/run-spec/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { EVERY_LAYER, GLOBALLY_POOLED, pixelsOf, weightsOf } from "./every-layer.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  await selectBackend("cpu");
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

const exported = async (model: ModelSpec, format: ExportFormat, name: string) => {
  const directory = join(folder.path, name);
  await exportModel(
    { model, tensors: weightsOf(model) },
    { name, format, directory, classNames: ["a", "b", "c", "d"] },
  );
  return directory;
};

/** What a run's own network answers to the pixels of the tests. */
function ownProbabilities(model: ModelSpec): number[] {
  const network = createTeacherUnit({ inputShape: model.input, layers: model.layers, weights: weightsOf(model) });
  try {
    return network.classify({ dtype: "u8", shape: model.input, values: pixelsOf(model.input) });
  } finally {
    network.dispose();
  }
}

function expectClose(values: ArrayLike<number>, expected: readonly number[]): void {
  expect(values).toHaveLength(expected.length);
  expect(Math.max(...expected.map((each, index) => Math.abs(each - (values[index] ?? NaN))))).toBeLessThan(2e-6);
}

describe("exportModel", () => {
  it.each([
    ["every-layer", EVERY_LAYER],
    ["globally-pooled", GLOBALLY_POOLED],
  ])("writes what stock tfjs loads, with the same probabilities: %s", async (name, model) => {
    const directory = await exported(model, "tfjs", `tfjs-${name}`);
    const json = JSON.parse(await readFile(join(directory, "model.json"), "utf8")) as {
      modelTopology: object;
      weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
    };
    const loaded = await tf.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: json.modelTopology,
        weightSpecs: json.weightsManifest.flatMap(({ weights }) => weights),
        weightData: Uint8Array.from(await readFile(join(directory, "weights.bin"))).buffer,
      }),
    );
    const pixels = tf.tensor(Float32Array.from(pixelsOf(model.input)), [1, ...model.input]);
    const probabilities = tf.softmax(loaded.predict(pixels) as tf.Tensor2D).dataSync();
    expectClose(probabilities, ownProbabilities(model));
  });

  it.each([EVERY_LAYER, GLOBALLY_POOLED])("writes what importModelFile reads back unchanged", async (model) => {
    const directory = await exported(model, "tfjs", `back-${model.layers[7]?.type}`);
    const back = await importModelFile(join(directory, "model.json"));
    const again = join(folder.path, `again-${model.layers[7]?.type}`);
    const name = `back-${model.layers[7]?.type}`;
    await exportModel(back, { name, format: "tfjs", directory: again, classNames: back.classNames ?? [] });
    for (const file of ["model.json", "weights.bin"]) {
      expect(await readFile(join(again, file))).toEqual(await readFile(join(directory, file)));
    }
    expect(back.tensors).toEqual(weightsOf(model));
    expect(back).toMatchObject({ classNames: ["a", "b", "c", "d"], notes: [] });
  });

  it("writes for Keras the files that Keras 2.15, 3.5 and 3.15 have read, with the same probabilities", async () => {
    const directory = await exported(EVERY_LAYER, "keras-json", "keras");
    const files = {
      "model.json": await readFile(join(directory, "model.json"), "utf8"),
      "load.py": await readFile(join(directory, "load.py"), "utf8"),
      "weights.safetensors": await readFile(join(directory, "weights.safetensors"), "base64"),
    };
    // After a change here run `vitest -u`, then scripts/keras-references.py: it lets each Keras load these files.
    await expect(`${JSON.stringify(files, undefined, 2)}\n`).toMatchFileSnapshot("exported.json");
    const references = JSON.parse(
      await readFile(new URL("./keras-references.json", import.meta.url), "utf8"),
    ) as Record<string, { exported?: number[] }>;
    const versions = ["keras 2.15.0", "keras 3.15.1", "keras 3.5.0"];
    expect(Object.keys(references)).toEqual(versions);
    for (const version of versions) expectClose(references[version]?.exported ?? [], ownProbabilities(EVERY_LAYER));
  });

  it("refuses a network that lacks a weight, and a folder that cannot be made", async () => {
    const { "weights/conv/kernel": _, ...tensors } = weightsOf(EVERY_LAYER);
    const options = { name: "n", format: "tfjs", directory: join(folder.path, "lacking"), classNames: [] } as const;
    await expect(exportModel({ model: EVERY_LAYER, tensors }, options)).rejects.toMatchObject({
      code: "KN_CHECKPOINT",
      message: expect.stringMatching(/conv.*kernel \[3, 2, 3, 5\].*absent/) as string,
    });
    await mkdir(join(folder.path, "taken"));
    await writeFile(join(folder.path, "taken/file"), "");
    await expect(
      exportModel(
        { model: EVERY_LAYER, tensors: weightsOf(EVERY_LAYER) },
        { ...options, directory: join(folder.path, "taken/file") },
      ),
    ).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  });
});
