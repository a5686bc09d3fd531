/** Reads a tfjs or Keras `model.json` with the weights beside it. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { createComputeWorker, type NamedTensorData, openTeacher } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { type ModelSpec, readTopology, type ReadTopology } from "../run-spec/index.ts";

const entrySchema = z.looseObject({
  name: z.string(),
  shape: z.array(z.int().min(1)),
  dtype: z.string(),
  quantization: z.unknown().optional(),
});
const fileSchema = z.looseObject({
  modelTopology: z.unknown(),
  weightsManifest: z.array(z.looseObject({ paths: z.array(z.string()), weights: z.array(entrySchema) })).optional(),
  userDefinedMetadata: z.looseObject({ classes: z.array(z.string()).optional() }).optional(),
});
type ModelFile = z.infer<typeof fileSchema>;

export interface ImportedModel {
  readonly model: ModelSpec;
  /** `weights/<layer>/<weight>`, f32. */
  readonly tensors: NamedTensorData;
  readonly step: number;
  /** Names of the classes, where the file has them. */
  readonly classNames: readonly string[] | undefined;
}

/** Rejects with KN_CONFIG when a file is absent or truncated, a layer is unknown, or a weight is missing. */
export async function importModelFile(file: string): Promise<ImportedModel> {
  const { topology, content } = await readModelFile(file);
  const tensors = await readWeights(file, content, topology);
  const model = modelFrom(topology, file);
  await checkWeights(file, model, tensors);
  return { model, tensors, step: 0, classNames: content.userDefinedMetadata?.classes };
}

/** The layers alone. Rejects with KN_CONFIG as `importModelFile`. */
export async function importModelLayers(file: string): Promise<ModelSpec> {
  const { topology } = await readModelFile(file);
  return modelFrom(topology, file);
}

async function readModelFile(file: string): Promise<{ topology: ReadTopology; content: ModelFile }> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw refusal(file, "it must be a readable JSON file", error instanceof Error ? error.message : String(error));
  }
  const parsed = fileSchema.safeParse(json);
  // Keras writes the topology alone.
  const isTfjs = parsed.success && parsed.data.modelTopology !== undefined;
  return {
    topology: readTopology(isTfjs ? parsed.data.modelTopology : json, file),
    content: isTfjs ? parsed.data : { modelTopology: json },
  };
}

function modelFrom({ input, layers }: ReadTopology, file: string): ModelSpec {
  const last = layers.findLast(({ type }) => type === "dense");
  if (last?.type !== "dense") throw refusal(file, "it must end with a dense layer of one logit per class", "none");
  return { input: [...input], classes: last.units, layers: [...layers], cuts: [] };
}

async function readWeights(
  file: string,
  { weightsManifest }: ModelFile,
  topology: ReadTopology,
): Promise<NamedTensorData> {
  if (weightsManifest === undefined) {
    throw refusal(
      file,
      "it must come with its weights",
      "a topology alone",
      "save it with tfjs's model.save, or convert it with tensorflowjs_converter",
    );
  }
  const tensors: Record<string, NamedTensorData[string]> = {};
  for (const { paths, weights } of weightsManifest) {
    const parts = await Promise.all(paths.map((path) => readPart(file, path)));
    const bytes = Buffer.concat(parts);
    let offset = 0;
    for (const { name, shape, dtype, quantization } of weights) {
      if (dtype !== "float32" || quantization !== undefined) {
        throw refusal(file, `weight ${name} must be float32`, quantization === undefined ? dtype : "quantised");
      }
      const count = shape.reduce((product, extent) => product * extent, 1);
      const end = offset + 4 * count;
      if (end > bytes.length) throw refusal(file, `weight ${name} must end before byte ${bytes.length}`, `byte ${end}`);
      const slash = name.lastIndexOf("/");
      const layer = topology.names.get(name.slice(0, slash)) ?? name.slice(0, slash);
      const values = new Float32Array(count);
      new Uint8Array(values.buffer).set(bytes.subarray(offset, end));
      tensors[`weights/${layer}/${name.slice(slash + 1)}`] = { dtype: "f32", shape, values };
      offset = end;
    }
    if (offset !== bytes.length) {
      throw refusal(file, `its weights must take ${offset} bytes`, `${bytes.length} in ${paths.join(", ")}`);
    }
  }
  return tensors;
}

async function readPart(file: string, path: string): Promise<Uint8Array> {
  const place = join(dirname(file), path);
  try {
    return await readFile(place);
  } catch (error) {
    throw refusal(file, `${place} must be there`, error instanceof Error ? error.message : String(error));
  }
}

/** Opens it once, on the plain backend: what is missing shows before anything is made. */
async function checkWeights(file: string, { input, layers }: ModelSpec, tensors: NamedTensorData): Promise<void> {
  await using worker = await createComputeWorker({ backend: "cpu" });
  try {
    await openTeacher(worker, "check", { inputShape: input, layers, weights: tensors });
  } catch (error) {
    throw refusal(file, "its weights must fit its layers", error instanceof Error ? error.message : String(error));
  }
}

function refusal(
  file: string,
  rule: string,
  value: string,
  remedy = "correct the file, or save it again",
): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", { attempt: `import ${file}`, rule, value, remedy });
}
