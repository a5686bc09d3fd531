/** Frames of a training run: batches to block 0, activations forward, gradients back. */
import { gradientFrameBytes } from "../../../messages/index.ts";
import { boundariesOf, type TrainingSpec } from "../../../run-spec/index.ts";
import { floatBytes, forBatches, imageBytes, type PlannedFrame } from "../../planned-frame.ts";
import type { RunSlices } from "../../run-parts.ts";
import { wireCodec } from "../../wire-codec.ts";

export function trainingFrames(spec: TrainingSpec, { slices }: RunSlices): PlannedFrame[] {
  const { training, evaluation, codecs, model } = spec;
  const trained = [["training.batchSize", training.batchSize]] as const;
  const all = [...trained, ["evaluation.batchSize", evaluation.batchSize]] as const;
  const images = { what: "the images for block-0", codecKey: undefined };
  const between = boundariesOf(spec).flatMap(({ index, name }) => {
    const shape = slices[index]?.outputShape ?? [];
    const at = `at boundary ${index} (after ${name})`;
    const activation = { what: `the activation ${at}`, codecKey: "codecs.activation" };
    const gradient = { what: `the gradient ${at}`, codecKey: "codecs.gradient" };
    return [
      ...forBatches(all, activation, floatBytes(shape, wireCodec(codecs.activation), false)),
      ...forBatches(trained, gradient, (batch) =>
        gradientFrameBytes({ shape: [batch, ...shape], codec: wireCodec(codecs.gradient) }),
      ),
    ];
  });
  return [...forBatches(all, images, imageBytes(model.input, false)), ...between];
}
