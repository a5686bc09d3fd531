import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../src/compute/backend/index.ts";
import { createTeacherUnit } from "../../../src/compute/distillation/teacher-unit.ts";
import { importModelFile, importModelLayers } from "../../../src/jobs/import-model.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { pixelsOf, weightValue } from "./every-layer.ts";

interface Reference {
  readonly topology: string;
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly input: readonly number[];
  readonly probabilities: readonly number[];
}
/** Written by scripts/keras-references.py: models as Keras saves them, and what it computes. */
const references = JSON.parse(await readFile(new URL("./keras-references.json", import.meta.url), "utf8")) as Readonly<
  Record<string, { readonly models: Readonly<Record<string, Reference>> }>
>;
const KERAS_3 = "keras 3.15.1";

function reference(version: string, name: string): Reference {
  const found = references[version]?.models[name];
  if (found === undefined) throw new TypeError(`no reference ${version} ${name}`);
  return found;
}

/** The weights of scripts/keras-references.py. */
function weightValues(position: number, { name, shape }: Reference["weights"][number]): Float32Array {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return Float32Array.from({ length: count }, (_, index) => weightValue(position, name, index));
}

interface Layer {
  class_name: string;
  config: Record<string, unknown>;
  registered_name?: string | null;
  inbound_nodes?: unknown[];
  name?: string;
}
interface Topology {
  class_name: string;
  config: { layers: Layer[]; output_layers?: unknown; input_layers?: unknown };
}
interface ModelJson {
  modelTopology: Topology;
  weightsManifest: { paths: string[]; weights: { name: string; shape: readonly number[]; dtype: string }[] }[];
  userDefinedMetadata?: unknown;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let count = 0;
beforeAll(async () => {
  await selectBackend("cpu");
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

/** Writes a reference as `model.json` and `weights.bin`, changed by `change`. @returns the path of the first. */
async function written(
  { topology, weights }: Reference,
  change: (json: ModelJson) => void = () => undefined,
  encode: (text: string) => string = (text) => text,
): Promise<string> {
  count += 1;
  const file = join(folder.path, String(count), "model.json");
  await mkdir(dirname(file));
  const json: ModelJson = {
    modelTopology: JSON.parse(topology) as Topology,
    weightsManifest: [{ paths: ["weights.bin"], weights: weights.map((entry) => ({ ...entry, dtype: "float32" })) }],
  };
  change(json);
  const values = weights.map((entry, position) => Buffer.from(weightValues(position, entry).buffer));
  await writeFile(join(dirname(file), "weights.bin"), Buffer.concat(values));
  await writeFile(file, encode(JSON.stringify(json)));
  return file;
}

async function classify(file: string, shape: readonly number[]): Promise<number[]> {
  const { model, tensors } = await importModelFile(file);
  const network = createTeacherUnit({ inputShape: model.input, layers: model.layers, weights: tensors });
  const values = pixelsOf(shape);
  try {
    return network.classify({ dtype: "u8", shape: shape.length === 1 ? [1, ...shape, 1] : shape, values });
  } finally {
    network.dispose();
  }
}

const layerOf = ({ modelTopology }: ModelJson, className: string): Layer => {
  const found = modelTopology.config.layers.find(({ class_name: name }) => name === className);
  if (found === undefined) throw new TypeError(`no ${className}`);
  return found;
};

describe("importModelFile", () => {
  const all = Object.entries(references).flatMap(([version, models]) =>
    Object.entries(models.models).map(([name, model]) => ({ version, name, model })),
  );
  it.each(all)("gives the probabilities of $version: $name", async ({ model }) => {
    const probabilities = await classify(await written(model), model.input);
    expect(probabilities).toHaveLength(model.probabilities.length);
    probabilities.forEach((probability, index) => {
      expect(Math.abs(probability - (model.probabilities[index] ?? NaN))).toBeLessThan(2e-6);
    });
  });

  it.each<[what: string, className: string, option: string, value: unknown, refusal: RegExp]>([
    ["an activation that is a layer", "Conv2D", "activation", { class_name: "LeakyReLU", config: {} }, /LeakyReLU/],
    [
      "an option of that layer",
      "Conv2D",
      "activation",
      { class_name: "ReLU", config: { threshold: 1 } },
      /threshold.*1/,
    ],
    ["an activation by another name", "Dense", "activation", "tanh", /activation.*tanh/],
    [
      "an activation function of the user's",
      "Dense",
      "activation",
      { class_name: "function", config: "f" },
      /function/,
    ],
    ["channels first", "MaxPooling2D", "data_format", "channels_first", /data_format.*channels_first/],
    ["channels first in a flatten", "Flatten", "data_format", "channels_first", /data_format.*channels_first/],
    ["dilation", "Conv2D", "dilation_rate", [2, 2], /dilation_rate.*\[2,2\]/],
    ["groups", "Conv2D", "groups", 2, /groups.*2/],
    ["another axis of batch norm", "BatchNormalization", "axis", 1, /axis.*1/],
    ["batch norm without a scale", "BatchNormalization", "scale", false, /scale.*false/],
    ["renormalisation", "BatchNormalization", "renorm", true, /renorm.*true/],
    ["a low-rank addition", "Dense", "lora_rank", 4, /lora_rank.*4/],
    ["a quantised layer", "Dense", "dtype", { config: { name: "int8_from_float32" } }, /dtype.*int8_from_float32/],
    ["a leaking ReLU", "ReLU", "negative_slope", 0.2, /negative_slope.*0\.2/],
    ["a scale per channel", "Rescaling", "scale", [1, 2, 3], /scale.*\[1,2,3\]/],
    ["no bias by null", "Dense", "use_bias", null, /use_bias.*null/],
    ["an option that nobody knows", "Dropout", "new_option", "x", /new_option.*"x"/],
    ["sparse inputs", "InputLayer", "sparse", true, /sparse.*true/],
    ["an input without a size", "InputLayer", "batch_shape", [null, null, null, 1], /fixed shape.*\[null,null,1\]/],
    ["no shape of the input", "InputLayer", "batch_shape", null, /shape/],
  ])("refuses what it cannot take over: %s", async (_, className, option, value, refusal) => {
    const file = await written(reference(KERAS_3, "sequential"), (json) => {
      layerOf(json, className).config[option] = value;
      Object.assign(json.modelTopology.config, { build_input_shape: undefined });
    });
    await expect(importModelFile(file)).rejects.toMatchObject({ code: "KN_CONFIG" });
    await expect(importModelFile(file)).rejects.toThrow(refusal);
  });

  it("refuses a layer of another class, and one of the user's with the name of Keras's", async () => {
    const changed = (change: Partial<Layer>) =>
      written(reference(KERAS_3, "sequential"), (json) => Object.assign(layerOf(json, "ReLU"), change));
    await expect(importModelFile(await changed({ class_name: "GaussianNoise" }))).rejects.toThrow(
      /KN_CONFIG.*GaussianNoise/,
    );
    await expect(importModelFile(await changed({ registered_name: "Mine>ReLU" }))).rejects.toThrow(
      /KN_CONFIG.*Mine>ReLU/,
    );
  });

  it("follows the output that a Functional model names, and leaves out layers beside it", async () => {
    for (const version of Object.keys(references)) {
      const model = reference(version, "functional");
      const file = await written(model, ({ modelTopology: { config }, weightsManifest }) => {
        const answer = config.layers.findIndex(({ name }) => name === "answer");
        const other = structuredClone(config.layers[answer]) as Layer;
        Object.assign(other, { name: "other", config: { ...other.config, name: "other", units: 9 } });
        config.layers.splice(answer, 0, other);
        config.layers.push({ ...structuredClone(other), name: "last", config: { ...other.config, name: "last" } });
        weightsManifest.push({ paths: [], weights: [{ name: "other/kernel", shape: [0, 9], dtype: "float32" }] });
      });
      const probabilities = await classify(file, model.input);
      expect(probabilities.map((each) => each.toFixed(5))).toEqual(model.probabilities.map((each) => each.toFixed(5)));
    }
  });

  it("refuses a graph that is no chain of one input and one output", async () => {
    const model = reference(KERAS_3, "functional");
    const two = [
      ["answer", 0, 0],
      ["flatten_1", 0, 0],
    ];
    const changed = (change: (config: Topology["config"]) => void) =>
      written(model, ({ modelTopology: { config } }) => {
        change(config);
      });
    const node = (kwargs: object, ...histories: string[]) => [
      { args: histories.map((name) => ({ config: { keras_history: [name, 0, 0] } })), kwargs },
    ];
    const answer = (nodes: unknown[]) => (config: Topology["config"]) => {
      Object.assign(config.layers.find(({ name }) => name === "answer") ?? {}, { inbound_nodes: nodes });
    };
    for (const [change, refusal] of [
      [(config: Topology["config"]) => Object.assign(config, { output_layers: two }), /one output.*answer, flatten_1/],
      [(config: Topology["config"]) => Object.assign(config, { input_layers: two }), /one input.*answer, flatten_1/],
      [
        (config: Topology["config"]) => Object.assign(config, { output_layers: ["no", 0, 0] }),
        /layers that it holds.*no/,
      ],
      [answer(node({}, "flatten_1", "image")), /chain.*answer takes flatten_1, image/],
      [answer(node({}, "softmax")), /used once.*softmax/],
      [answer([]), /chain.*answer takes nothing/],
      [answer(node({ training: true }, "flatten_1")), /answer must be called without training.*true/],
    ] as const) {
      await expect(importModelFile(await changed(change))).rejects.toThrow(refusal);
    }
    const keras2 = await written(reference("keras 2.15.0", "functional"), ({ modelTopology: { config } }) => {
      answer([[["flatten_1", 0, 0, { training: true }]]])(config);
    });
    await expect(importModelFile(keras2)).rejects.toThrow(/answer must be called without training.*true/);
  });

  it("refuses layers whose output is not one row of classes, with both shapes", async () => {
    const flat = await written(reference(KERAS_3, "flat"), (json) => {
      layerOf(json, "InputLayer").config.batch_shape = [null, 4, 12];
    });
    await expect(importModelFile(flat)).rejects.toThrow(/KN_SHAPE.*\[4, 3\] for an input of \[4, 12\]/);
    const image = await written(reference(KERAS_3, "sequential"), (json) => {
      layerOf(json, "InputLayer").config.batch_shape = [null, 72];
    });
    await expect(importModelFile(image)).rejects.toThrow(/KN_SHAPE.*conv2d.*\[72\]/);
  });

  it("gives each layer a name of its own, however alike they are in the file", async () => {
    const [first, second] = ["a".repeat(70), `${"a".repeat(69)}b`];
    const file = await written(reference(KERAS_3, "flat"), ({ modelTopology: { config }, weightsManifest }) => {
      const [, one, two] = config.layers;
      Object.assign(one?.config ?? {}, { name: first });
      Object.assign(two?.config ?? {}, { name: second });
      for (const entry of weightsManifest[0]?.weights ?? []) {
        entry.name = entry.name.replace("dense_2", first).replace("dense_3", second);
      }
    });
    const { model } = await importModelFile(file);
    expect(new Set(model.layers.map(({ name }) => name)).size).toBe(model.layers.length);
    expect((await importModelLayers(await written(reference("keras 2.15.0", "functional")))).layers).toMatchObject([
      { type: "rescaling" },
      { type: "conv2d", name: "block_conv_2" },
      { type: "batch_normalization", name: "block_conv" },
      { type: "average_pooling2d" },
      { type: "flatten" },
      { type: "dense", name: "answer" },
    ]);
  });

  it("reads a file that begins with a byte order mark", async () => {
    const model = reference(KERAS_3, "flat");
    const file = await written(model, undefined, (text) => `\uFEFF${text}`);
    await expect(importModelFile(file)).resolves.toMatchObject({ model: { classes: 3 } });
  });

  it("takes class names where the metadata have a word for each class, and ignores other metadata", async () => {
    const names = async (userDefinedMetadata: unknown) =>
      (
        await importModelFile(
          await written(reference(KERAS_3, "flat"), (json) => Object.assign(json, { userDefinedMetadata })),
        )
      ).classNames;
    expect(await names({ classes: ["cat", "dog", "cow"] })).toEqual(["cat", "dog", "cow"]);
    for (const metadata of [
      null,
      7,
      { classes: null },
      { classes: 10 },
      { classes: { "0": "cat" } },
      { classes: ["cat"] },
    ]) {
      expect(await names(metadata)).toBeUndefined();
    }
  });

  it("notes a network that does not scale its input", async () => {
    const notes = async (name: string) => (await importModelFile(await written(reference(KERAS_3, name)))).notes;
    expect(await notes("sequential")).toEqual([]);
    expect(await notes("flat")).toEqual([expect.stringMatching(/model\.json.*Rescaling.*0 to 255/)]);
  });

  it("skips the optimiser's values among the weights", async () => {
    const file = await written(reference(KERAS_3, "flat"), ({ weightsManifest }) => {
      weightsManifest.push({
        paths: ["optimizer.bin"],
        weights: [
          { name: "iter", shape: [], dtype: "int32", group: "optimizer" } as never,
          { name: "dense_2/kernel/m", shape: [2], dtype: "float32", group: "optimizer" } as never,
        ],
      });
    });
    await writeFile(join(dirname(file), "optimizer.bin"), Buffer.alloc(12));
    await expect(importModelFile(file)).resolves.toMatchObject({ model: { classes: 3 } });
  });

  it.each<[what: string, change: (manifest: ModelJson["weightsManifest"][number]) => void, refusal: RegExp]>([
    [
      "a path out of its folder",
      ({ paths }) => paths.splice(0, 1, "../../etc/passwd"),
      /stay in the folder.*etc\/passwd/,
    ],
    ["an absolute path", ({ paths }) => paths.splice(0, 1, "/etc/passwd"), /stay in the folder.*\/etc\/passwd/],
    ["a file that is not there", ({ paths }) => paths.splice(0, 1, "other.bin"), /other\.bin must exist/],
    [
      "a weight of no layer",
      ({ weights }) => Object.assign(weights[0] ?? {}, { name: "x/kernel" }),
      /layer.*x\/kernel/,
    ],
    [
      "a weight twice",
      ({ weights, paths }) => {
        paths.push(...paths);
        weights.push(...weights);
      },
      /once/,
    ],
    [
      "a weight of another shape",
      ({ weights }) => Object.assign(weights[0] ?? {}, { shape: [7, 12] }),
      /\[12, 7\].*\[7, 12\]/,
    ],
    [
      "a missing weight",
      ({ weights, paths }) => (paths.splice(0, 1), weights.splice(0, 4)),
      /dense_2.*kernel \[12, 7\].*absent/,
    ],
    ["another type", ({ weights }) => Object.assign(weights[0] ?? {}, { dtype: "float16" }), /float32.*float16/],
    ["quantised weights", ({ weights }) => Object.assign(weights[0] ?? {}, { quantization: {} }), /float32.*quantised/],
    [
      "a weight without a name",
      ({ weights }) => Object.assign(weights[0] ?? {}, { name: 3 }),
      /weightsManifest.*0\.weights\.0\.name/,
    ],
  ])("refuses weights: %s", async (_, change, refusal) => {
    const file = await written(reference(KERAS_3, "flat"), ({ weightsManifest: [manifest] }) => {
      if (manifest !== undefined) change(manifest);
    });
    await expect(importModelFile(file)).rejects.toMatchObject({ code: "KN_CONFIG" });
    await expect(importModelFile(file)).rejects.toThrow(refusal);
  });

  it("refuses a topology alone, and what is no topology, by what is there", async () => {
    const file = join(folder.path, "alone.json");
    await writeFile(file, reference(KERAS_3, "flat").topology);
    await expect(importModelFile(file)).rejects.toThrow(/KN_CONFIG.*its weights.*topology alone/);
    await expect(importModelLayers(file)).resolves.toMatchObject({ input: [12], classes: 3 });
    for (const [text, refusal] of [
      ["{", /JSON/],
      ["[]", /Sequential or Functional/],
      ['{"class_name": "MyModel", "config": {"layers": []}}', /Sequential or Functional.*MyModel/],
      ['{"class_name": "Sequential", "config": {"layers": [7]}}', /config/],
      ['{"class_name": "Sequential", "config": {"layers": []}}', /shape/],
    ] as const) {
      await writeFile(file, text);
      await expect(importModelLayers(file)).rejects.toThrow(refusal);
    }
  });
});
