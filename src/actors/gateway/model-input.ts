/** The input of a request, or its raw body, to the tensor of a model: checked against the manifest, images decoded. */
import { decodeImage, resizeBilinear } from "../../data/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { TensorView } from "../../messages/index.ts";
import {
  type InferInput,
  isImageFile,
  type OpenInferenceRequest,
  type RawBody,
} from "../../messages/open-inference/index.ts";
import type { ModelManifest } from "../../run-spec/index.ts";

export interface ModelInputOptions {
  readonly manifest: ModelManifest;
  /** Largest number of samples. */
  readonly maxBatch: number;
  /** Most pixels that all images of the request have together: one thread decodes them. */
  readonly imagePixels: number;
}

/**
 * [n, ...input], f32, or u8 where the request has bytes. Without images it is there at once.
 *
 * @throws KnowledgeNetError KN_SHAPE; or rejects with it
 */
export function modelInputOf(
  request: OpenInferenceRequest | RawBody,
  options: ModelInputOptions,
): TensorView | Promise<TensorView> {
  if ("raw" in request) return rawInputOf(request, options);
  const declared = declaredInput(options.manifest);
  const [input, ...others] = request.inputs;
  const stranger = [input, ...others].find((each) => each !== undefined && each.name !== declared.name);
  if (stranger !== undefined) throw refusal(`inputs must be "${declared.name}"`, JSON.stringify(stranger.name));
  if (input === undefined) throw refusal(`input "${declared.name}" must be given`, "no input");
  if (input.datatype === "BYTES") {
    const isBatch = input.shape.length === 1 || (input.shape.length === 2 && input.shape[1] === 1);
    if (!isBatch) throw refusal("the shape of BYTES must be [n], one file each", shapeText(input.shape));
    checkBatch(input.shape[0] ?? 0, options);
    return imagesOf(input.elements as readonly Uint8Array[], options);
  }
  return samplesOf(input, declared.shape, options);
}

function rawInputOf({ raw }: RawBody, options: ModelInputOptions): TensorView | Promise<TensorView> {
  const { shape } = declaredInput(options.manifest);
  if (isImageFile(raw)) return imagesOf([raw], options);
  const sample = shape.slice(1);
  const sampleBytes = sample.reduce((product, extent) => product * extent, 4);
  const samples = raw.length / sampleBytes;
  if (!Number.isInteger(samples) || samples < 1) {
    const rule = `a body without JSON must be an image file, or samples of ${sampleBytes} bytes (FP32)`;
    throw refusal(rule, `${raw.length} bytes`);
  }
  checkBatch(samples, options);
  const values = new Float32Array(Uint8Array.from(raw).buffer);
  const odd = values.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) throw refusal("every element must be finite", `${values[odd]} at ${odd}`);
  return { dtype: "f32", shape: [samples, ...sample], values };
}

function samplesOf(input: InferInput, declared: readonly number[], options: ModelInputOptions): TensorView {
  const { shape, elements } = input;
  const fits =
    shape.length === declared.length &&
    shape.every((extent, axis) => declared[axis] === extent || declared[axis] === -1);
  if (!fits) throw refusal(`the shape of "${input.name}" must be ${shapeText(declared)}`, shapeText(shape));
  checkBatch(shape[0] ?? 0, options);
  return elements instanceof Float32Array
    ? { dtype: "f32", shape, values: elements }
    : { dtype: "u8", shape, values: elements as Uint8Array };
}

async function imagesOf(
  files: readonly Uint8Array[],
  { manifest, imagePixels }: ModelInputOptions,
): Promise<TensorView> {
  const { image } = manifest;
  if (image === undefined) throw refusal(`inputs must be FP32 or UINT8 as ${manifest.model} takes no images`, "BYTES");
  const { height, width, channels } = image;
  let pixels = imagePixels;
  const images: (Uint8Array | Float32Array)[] = [];
  for (const [index, bytes] of files.entries()) {
    const decoded = await decodeImage(bytes, { file: `image ${index}`, channels, maxPixels: pixels }).catch(
      (error: unknown) => {
        if (error instanceof KnowledgeNetError) throw refusal(error.rule, error.value ?? "", `read image ${index}`);
        throw error;
      },
    );
    pixels -= decoded.height * decoded.width;
    const isFit = decoded.height === height && decoded.width === width;
    images.push(isFit ? decoded.values : resizeBilinear(decoded, image));
  }
  const size = height * width * channels;
  const shape = [files.length, ...declaredInput(manifest).shape.slice(1)];
  const areBytes = images.every((each) => each instanceof Uint8Array);
  const values = areBytes ? new Uint8Array(size * files.length) : new Float32Array(size * files.length);
  for (const [index, each] of images.entries()) values.set(each, index * size);
  return values instanceof Uint8Array ? { dtype: "u8", shape, values } : { dtype: "f32", shape, values };
}

function declaredInput({ inputs, model }: ModelManifest): ModelManifest["inputs"][number] {
  const [input] = inputs;
  if (input === undefined) throw new TypeError(`the manifest of ${model} has no input`);
  return input;
}

function checkBatch(samples: number, { maxBatch }: ModelInputOptions): void {
  if (samples > maxBatch) throw refusal(`a request must have at most ${maxBatch} samples`, String(samples));
}

function refusal(rule: string, value: string, attempt = "read the request"): KnowledgeNetError {
  return new KnowledgeNetError("KN_SHAPE", { attempt, rule, value });
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
