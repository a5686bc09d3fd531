/** A training run for a reader: blocks, gradient models and the traffic between blocks. */
import { encodedTensorBytes, type TensorCodec } from "../../../messages/index.ts";
import { blockActor, boundariesOf, gradientActor, parseActorRef, type TrainingSpec } from "../../../run-spec/index.ts";
import type { JobView } from "../../job-kind.ts";
import type { ActorFigures, MonitorFigures } from "../../run-monitor.ts";
import type { RunSlices } from "../../run-parts.ts";
import { bytesText, percentText, shapeText, type TextTable } from "../../text.ts";
import type { TrainingResults } from "./training-results.ts";

const CODECS = ["raw", "bf16", "int8-channel", "int8-block"] as const satisfies readonly TensorCodec[];
const nameOf = (codec: (typeof CODECS)[number]): string => (codec === "raw" ? "f32" : codec);

/** The gradient model at the output of a block. */
function gradientModelOf({ actors }: MonitorFigures, block: string): ActorFigures | undefined {
  const model = gradientActor(parseActorRef(block)?.index ?? 0);
  return actors.find(({ id }) => id === model);
}

/** ▮▮▮▮▮▮▮▯▯▯ */
function gauge(cosine: number): string {
  const filled = Math.round(Math.max(0, Math.min(1, cosine)) * 10);
  return "▮".repeat(filled) + "▯".repeat(10 - filled);
}

const learner: ReturnType<JobView<TrainingSpec>["learner"]> = {
  noun: "block",
  columns: ["staleness", "quality of M (cosine)"],
  cells(figures, id) {
    const model = gradientModelOf(figures, id);
    return [
      `${model?.stalenessSteps ?? 0} steps`,
      model?.quality === undefined ? "-" : `${gauge(model.quality.cosine)} ${model.quality.cosine.toFixed(2)}`,
    ];
  },
  note(figures, id) {
    const model = gradientModelOf(figures, id);
    return model?.quality === undefined ? "" : `stale ${model.stalenessSteps} M ${model.quality.cosine.toFixed(2)}`;
  },
};

function boundaries(spec: TrainingSpec, { actors }: MonitorFigures): TextTable {
  const find = (id: string): ActorFigures | undefined => actors.find((each) => each.id === id);
  const rate = (id: string, plane: string): string => bytesText(Math.round(find(id)?.bytesPerSecond[plane] ?? 0));
  return {
    head: ["boundary", "source", "forward/s", "back/s", "predicted/s", "quality of M (cosine)", "M behind"],
    rows: boundariesOf(spec).map(({ index, name, source }) => {
      const model = find(gradientActor(index));
      return [
        `${index} ${name}`,
        source,
        rate(blockActor(index), "act"),
        rate(blockActor(index + 1), "grad"),
        rate(gradientActor(index), "syn"),
        model?.quality === undefined ? "-" : model.quality.cosine.toFixed(2),
        model === undefined ? "-" : `${model.stalenessSteps} steps`,
      ];
    }),
  };
}

function plan(spec: TrainingSpec, { slices }: RunSlices): ReturnType<JobView<TrainingSpec>["plan"]> {
  const cuts = boundariesOf(spec).map(({ index, name, source }) => {
    const shape = slices[index]?.outputShape ?? [];
    const batch = [spec.training.batchSize, ...shape];
    const bytesPerStep = Object.fromEntries(
      CODECS.map((codec) => [nameOf(codec), encodedTensorBytes(batch, "f32", codec)]),
    );
    return { index, after: name, shape, source, bytesPerStep };
  });
  const blocks = slices.map(({ layers, inputShape, outputShape, parameters, macs }, index) => ({
    id: blockActor(index),
    layers,
    inputShape,
    outputShape,
    parameters,
    macs,
  }));
  const blockTable: TextTable = {
    head: ["block", "layers", "input", "output", "parameters", "MACs/sample"],
    rows: blocks.map(({ id, layers, inputShape, outputShape, parameters, macs }) => [
      id,
      layers.join(" "),
      shapeText(inputShape),
      shapeText(outputShape),
      String(parameters),
      String(macs),
    ]),
  };
  const cutTable: TextTable = {
    head: ["boundary", "after", "source", ...CODECS.map((codec) => `bytes/step ${nameOf(codec)}`)],
    rows: cuts.map(({ index, after, source, bytesPerStep }) => [
      String(index),
      after,
      source,
      ...Object.values(bytesPerStep).map(bytesText),
    ]),
  };
  return {
    json: { name: spec.name, kind: spec.kind, blocks, boundaries: cuts },
    text: [
      `${spec.name} (${spec.kind}), batch ${spec.training.batchSize}, ${spec.training.epochs} epochs`,
      blockTable,
      ...(cuts.length > 0 ? [cutTable] : []),
    ],
  };
}

function results(of: TrainingResults): readonly TextTable[] {
  const summary: TextTable = {
    rows: [
      ["accuracy", of.accuracy === null ? "not measured" : percentText(of.accuracy)],
      ["wall time", `${of.seconds.toFixed(1)} s`],
      ["speed", `${of.stepsPerSecond.toFixed(2)} steps/s, ${of.steps} steps, ${of.epochs} epochs`],
      ["backend", of.backend],
      ["data", of.dataset],
      ["bus", of.bus],
      ["seed", String(of.seed)],
    ],
  };
  const cuts: TextTable = {
    head: ["boundary", "after", "shape", "gradient source", "bytes/step forward", "back", "M cosine", "M staleness"],
    rows: of.boundaries.map((each) => [
      String(each.index),
      each.after,
      shapeText(each.shape),
      each.source,
      bytesText(each.activationBytesPerStep),
      bytesText(each.gradientBytesPerStep),
      each.cosine === undefined ? "-" : each.cosine.toFixed(2),
      each.stalenessSteps === undefined ? "-" : `${each.stalenessSteps} steps`,
    ]),
  };
  return cuts.rows.length === 0 ? [summary] : [summary, cuts];
}

export const trainingView: JobView<TrainingSpec, TrainingResults> = {
  describeLearners: ({ learners }) => `${learners.length} blocks`,
  learner: () => learner,
  boundaries: (spec, _phase, figures) => boundaries(spec, figures),
  plan,
  results,
};
