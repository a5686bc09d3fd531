/** Training of each student actor: layers, objective and learning rate, by phase. Pure. */
import type { LearningRateOptions, SectionObjective, SectionUnitOptions } from "../../../compute/index.ts";
import { type DistillationSpec, layersOfBlocks, type LayerSpec } from "../../../run-spec/index.ts";
import type { RunPlan } from "../../run-parts.ts";

type PhaseSize = Pick<RunPlan, "phase" | "totalSteps">;

function rateOf(
  { optimizer, schedule, warmup }: Pick<DistillationSpec["finetune"], "optimizer" | "schedule" | "warmup">,
  totalSteps: number,
): LearningRateOptions {
  return { peak: optimizer.learningRate, schedule, warmup, totalSteps };
}

/** Section `index` of the student, in the phase `sections`. @param adapters layers at the end of each section. */
export function sectionUnit(
  spec: DistillationSpec,
  index: number,
  { teacherSlices, totalSteps }: Pick<RunPlan, "teacherSlices" | "totalSteps">,
  adapters: readonly (readonly LayerSpec[])[],
): SectionUnitOptions {
  const { model } = spec.student;
  const { optimizer, hint, localCrossEntropy, crossEntropy, logits } = spec.sections;
  const isLast = index === model.cuts.length;
  const objective: SectionObjective = isLast
    ? { kind: "logits", crossEntropy, teacher: logits }
    : { kind: "features", hint, localCrossEntropy };
  return {
    inputShape: teacherSlices[index]?.inputShape ?? [],
    layers: [...(layersOfBlocks(model)[index] ?? []), ...(adapters[index] ?? [])],
    seed: spec.seed,
    optimizer,
    learningRate: rateOf(spec.sections, totalSteps),
    classes: model.classes,
    objective,
    averageDecay: 0,
  };
}

/** The whole student: in the phase `baseline` it learns from labels alone, in `finetune` from the teacher too. */
export function wholeUnit(spec: DistillationSpec, { phase, totalSteps }: PhaseSize): SectionUnitOptions {
  const { baseline, finetune, seed } = spec;
  const { input, layers, classes } = spec.student.model;
  const isAlone = phase === "baseline" && baseline !== undefined;
  const schedule = isAlone ? baseline : finetune;
  return {
    inputShape: input,
    layers,
    seed,
    classes,
    optimizer: schedule.optimizer,
    learningRate: rateOf(schedule, totalSteps),
    objective: isAlone
      ? { kind: "logits", crossEntropy: 1 }
      : { kind: "logits", crossEntropy: finetune.crossEntropy, teacher: finetune.logits },
    averageDecay: finetune.ema,
  };
}
