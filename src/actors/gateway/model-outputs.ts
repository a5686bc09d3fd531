/** Logits to the outputs that a request asks for: logits, probabilities, class names, or Triton's classification. */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { TensorView } from "../../messages/index.ts";
import type { AnswerOutput, OpenInferenceRequest, RequestedOutput } from "../../messages/open-inference/index.ts";
import { MODEL_OUTPUTS, type ModelManifest } from "../../run-spec/index.ts";

/**
 * What the answer has, in the order of the request, else of the manifest.
 *
 * @throws KnowledgeNetError KN_SHAPE for an output that the model does not have
 */
export function requestedOutputsOf(
  { outputs, areOutputsBinary }: Pick<OpenInferenceRequest, "outputs" | "areOutputsBinary">,
  manifest: ModelManifest,
): readonly RequestedOutput[] {
  if (outputs === undefined) return manifest.outputs.map(({ name }) => ({ name, isBinary: areOutputsBinary }));
  for (const { name, classification } of outputs) {
    const rule = `outputs must be among ${manifest.outputs.map((each) => each.name).join(", ")}`;
    if (!manifest.outputs.some((each) => each.name === name)) throw refusal(rule, JSON.stringify(name));
    if (classification !== undefined && name === MODEL_OUTPUTS.class) {
      throw refusal(`classification must be of ${MODEL_OUTPUTS.logits} or ${MODEL_OUTPUTS.probabilities}`, name);
    }
  }
  return outputs;
}

export function answerOutputsOf(
  logits: TensorView,
  requested: readonly RequestedOutput[],
  { classNames }: ModelManifest,
): readonly AnswerOutput[] {
  const [samples = 0, classes = 0] = logits.shape;
  const scores = logits.values as Float32Array;
  const nameOf = (index: number): string => classNames[index] ?? String(index);
  let probabilities: Float32Array | undefined;
  return requested.map(({ name, isBinary, classification }): AnswerOutput => {
    if (name === MODEL_OUTPUTS.class) {
      const elements = Array.from({ length: samples }, (_, sample) => nameOf(largest(scores, sample, classes)));
      return { name, datatype: "BYTES", shape: [samples], isBinary, elements };
    }
    const values =
      name === MODEL_OUTPUTS.probabilities ? (probabilities ??= softmax(scores, samples, classes)) : scores;
    if (classification === undefined) {
      return { name, datatype: "FP32", shape: [samples, classes], isBinary, elements: values };
    }
    const count = Math.min(classification, classes);
    const elements = Array.from({ length: samples }, (_, sample) =>
      largestClasses(values.subarray(sample * classes, (sample + 1) * classes), count).map(
        ([value, index]) => `${value}:${index}:${nameOf(index)}`,
      ),
    ).flat();
    return { name, datatype: "BYTES", shape: [samples, count], isBinary, elements };
  });
}

function largest(scores: Float32Array, sample: number, classes: number): number {
  let best = sample * classes;
  for (let at = best + 1; at < (sample + 1) * classes; at += 1) {
    if ((scores[at] ?? 0) > (scores[best] ?? 0)) best = at;
  }
  return best - sample * classes;
}

/** exp(x - max) / sum, in doubles: [samples, classes] */
function softmax(logits: Float32Array, samples: number, classes: number): Float32Array {
  const probabilities = new Float32Array(logits.length);
  for (let sample = 0; sample < samples; sample += 1) {
    const row = logits.subarray(sample * classes, (sample + 1) * classes);
    const highest = row.reduce((high, value) => Math.max(high, value), -Infinity);
    const powers = Array.from(row, (value) => Math.exp(value - highest));
    const sum = powers.reduce((total, power) => total + power, 0);
    for (let index = 0; index < classes; index += 1) {
      probabilities[sample * classes + index] = (powers[index] ?? 0) / sum;
    }
  }
  return probabilities;
}

function largestClasses(values: Float32Array, count: number): (readonly [value: number, index: number])[] {
  return Array.from(values, (value, index) => [value, index] as const)
    .sort(([a], [b]) => b - a)
    .slice(0, count);
}

function refusal(rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_SHAPE", { attempt: "read the request", rule, value });
}
