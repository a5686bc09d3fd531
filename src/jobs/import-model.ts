/** Reads a `model.json` of tfjs or Keras with the weights beside it. */
import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { z } from "zod";
import type { NamedTensorData } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { measureLayers, type ModelSpec, readTopology, type ReadTopology } from "../run-spec/index.ts";

const entrySchema = z.looseObject({
  name: z.string(),
  shape: z.array(z.int().min(0)),
  dtype: z.string(),
  quantization: z.unknown().optional(),
  group: z.string().optional(),
});
const manifestSchema = z.array(z.looseObject({ paths: z.array(z.string()), weights: z.array(entrySchema) }));
type WeightEntry = z.infer<typeof entrySchema>;

/** Bytes of one value, by tfjs's names. Only float32 is read; the others may occur among an optimiser's values. */
const VALUE_BYTES: Readonly<Record<string, number>> = { float32: 4, int32: 4, uint8: 1, bool: 1, float16: 2 };

export interface ImportedModel {
  readonly model: ModelSpec;
  /** `weights/<layer>/<weight>`, f32. */
  readonly tensors: NamedTensorData;
  readonly step: number;
  /** Names of the classes, if the file has one for each. */
  readonly classNames: readonly string[] | undefined;
  /** Warnings for the user about a model that is usable. */
  readonly notes: readonly string[];
}

/** Rejects with KN_CONFIG when a file is absent, truncated or not understood; KN_SHAPE when its layers do not fit. */
export async function importModelFile(file: string): Promise<ImportedModel> {
  const { topology, weightsManifest, metadata } = await readModelFile(file);
  const model = modelFrom(topology, file);
  const tensors = await readWeights(file, weightsManifest, topology);
  return { model, tensors, step: 0, classNames: classNamesIn(metadata, model), notes: notesOn(model, file) };
}

/** The layers alone. Rejects as `importModelFile`. */
export async function importModelLayers(file: string): Promise<ModelSpec> {
  const { topology } = await readModelFile(file);
  return modelFrom(topology, file);
}

interface ModelFile {
  readonly topology: ReadTopology;
  readonly weightsManifest: unknown;
  readonly metadata: unknown;
}

async function readModelFile(file: string): Promise<ModelFile> {
  let json: unknown;
  try {
    const text = await readFile(file, "utf8");
    json = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw refusal(file, "it must be a readable JSON file", error instanceof Error ? error.message : String(error));
  }
  // tfjs writes the topology with the weights and metadata beside it, Keras the topology alone.
  const tfjs = z.looseObject({ modelTopology: z.looseObject({}) }).safeParse(json);
  if (!tfjs.success) return { topology: readTopology(json, file), weightsManifest: undefined, metadata: undefined };
  const { modelTopology, weightsManifest, userDefinedMetadata } = tfjs.data;
  return { topology: readTopology(modelTopology, file), weightsManifest, metadata: userDefinedMetadata };
}

function modelFrom({ input, layers, output }: ReadTopology, file: string): ModelSpec {
  const [classes, ...others] = output;
  if (classes === undefined || classes < 2 || others.length > 0) {
    throw new KnowledgeNetError("KN_SHAPE", {
      attempt: `import ${file}`,
      rule: "its output must be one logit per class for each sample, [classes]",
      value: `[${output.join(", ")}] for an input of [${input.join(", ")}]`,
      remedy: "flatten or pool before the last layer, and build the model with the shape of its images",
    });
  }
  return { input: [...input], classes, layers: [...layers], cuts: [] };
}

async function readWeights(file: string, manifest: unknown, topology: ReadTopology): Promise<NamedTensorData> {
  if (manifest === undefined || manifest === null) {
    throw refusal(
      file,
      "it must come with its weights",
      "a topology alone",
      "save it with tfjs's model.save, or convert it with tensorflowjs_converter",
    );
  }
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) {
    const { path = [], message = "" } = parsed.error.issues[0] ?? {};
    throw refusal(file, "weightsManifest must list groups of paths and weights", `${path.join(".")}: ${message}`);
  }
  const expected = weightsOf(topology);
  const tensors: Record<string, NamedTensorData[string]> = {};
  for (const { paths, weights } of parsed.data) {
    const bytes = Buffer.concat(await Promise.all(paths.map((path) => readPart(file, path))));
    let offset = 0;
    for (const entry of weights) {
      const { name, shape, dtype } = entry;
      const count = shape.reduce((product, extent) => product * extent, 1);
      const isOptimizer = entry.group === "optimizer";
      if (!isOptimizer) checkType(file, entry);
      const end = offset + (VALUE_BYTES[dtype] ?? 4) * count;
      if (end > bytes.length) throw refusal(file, `weight ${name} must end before byte ${bytes.length}`, `byte ${end}`);
      const place = isOptimizer ? undefined : placeOf(file, name, topology, expected);
      if (place !== undefined) {
        const key = `weights/${place.layer}/${place.weight}`;
        if (key in tensors) throw refusal(file, `weight ${place.weight} of ${place.layer} must occur once`, name);
        if (shape.join() !== place.shape.join()) {
          throw refusal(
            file,
            `weight ${name} must have the shape [${place.shape.join(", ")}]`,
            `[${shape.join(", ")}]`,
          );
        }
        const values = new Float32Array(count);
        new Uint8Array(values.buffer).set(bytes.subarray(offset, end));
        tensors[key] = { dtype: "f32", shape, values };
      }
      offset = end;
    }
    if (offset !== bytes.length) {
      throw refusal(file, `its weights must take ${offset} bytes`, `${bytes.length} in ${paths.join(", ")}`);
    }
  }
  for (const [layer, weights] of expected) {
    for (const [weight, shape] of Object.entries(weights)) {
      if (`weights/${layer}/${weight}` in tensors) continue;
      throw refusal(file, `layer ${layer} must have its weight ${weight} [${shape.join(", ")}]`, "absent");
    }
  }
  return tensors;
}

type ExpectedWeights = ReadonlyMap<string, Readonly<Record<string, readonly number[]>>>;

/** Shapes of the weights of each layer that has some, by its name in the spec. */
function weightsOf({ input, layers }: ReadTopology): ExpectedWeights {
  const measures = measureLayers({ input: [...input], layers: [...layers] });
  return new Map(measures.flatMap(({ name, weights }) => (Object.keys(weights).length > 0 ? [[name, weights]] : [])));
}

function checkType(file: string, { name, dtype, quantization }: WeightEntry): void {
  if (dtype === "float32" && (quantization === undefined || quantization === null)) return;
  throw refusal(file, `weight ${name} must be float32`, dtype === "float32" ? "quantised" : dtype);
}

/**
 * Layer and weight that a name of the file refers to. Keras 2 and tfjs write `layer/kernel`; Keras 3 the whole path,
 * `model/layer/kernel`, and `kernel` also for a depthwise kernel. A layer's own name may hold slashes.
 * @returns undefined for a layer that the model's output does not depend on.
 */
function placeOf(file: string, name: string, { names, unused }: ReadTopology, expected: ExpectedWeights) {
  const parts = name.replace(/:0$/, "").split("/");
  const own = parts.pop() ?? "";
  // The longest name first: `block/conv` before `conv`.
  const candidates = parts.map((_, position) => parts.slice(position).join("/"));
  const found = candidates.find((each) => names.has(each) || unused.includes(each));
  if (found !== undefined && unused.includes(found)) return undefined;
  const layer = found === undefined ? undefined : names.get(found);
  const weights = layer === undefined ? undefined : expected.get(layer);
  const weight = [own, `depthwise_${own}`].find((each) => weights?.[each] !== undefined);
  const shape = weight === undefined ? undefined : weights?.[weight];
  if (layer !== undefined && weight !== undefined && shape !== undefined) return { layer, weight, shape };
  const known = [...expected].flatMap(([of, all]) => Object.keys(all).map((each) => `${of}/${each}`));
  throw refusal(file, `each weight must belong to a layer (${known.slice(0, 8).join(", ")}, ...)`, name);
}

/** Reads a part of the weights. A downloaded model may refer only to files in its own folder. */
async function readPart(file: string, path: string): Promise<Uint8Array> {
  const folder = resolve(dirname(file));
  const place = resolve(folder, path);
  const inside = relative(folder, place);
  if (isAbsolute(path) || isAbsolute(inside) || inside === ".." || inside.startsWith(`..${sep}`)) {
    throw refusal(file, "weightsManifest.paths must stay in the folder of the file", path);
  }
  try {
    return await readFile(place);
  } catch (error) {
    throw refusal(file, `${place} must exist`, error instanceof Error ? error.message : String(error));
  }
}

/** `classes` of the metadata, if it is a list of one word per class; other content belongs to another program. */
function classNamesIn(metadata: unknown, { classes }: ModelSpec): string[] | undefined {
  const parsed = z.looseObject({ classes: z.array(z.string()).length(classes) }).safeParse(metadata);
  return parsed.success ? parsed.data.classes : undefined;
}

/** A network receives unscaled pixels, 0 to 255, so its own layers must scale them. */
function notesOn({ layers }: ModelSpec, file: string): string[] {
  const first = layers.findIndex(({ type }) => type.endsWith("conv2d") || type === "dense");
  const scales = layers.slice(0, first).some(({ type }) => type === "rescaling" || type === "batch_normalization");
  if (scales) return [];
  return [
    `${file} has no Rescaling layer at its input and receives pixels of 0 to 255: ` +
      "if it was trained on scaled pixels its answers are wrong; add a Rescaling layer (scale 1/255) and save it again",
  ];
}

function refusal(
  file: string,
  rule: string,
  value: string,
  remedy = "correct the file, or save it again",
): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", { attempt: `import ${file}`, rule, value, remedy });
}
