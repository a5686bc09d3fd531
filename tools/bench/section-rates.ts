/**
 * Sections side by side against one after another: the same distillation on one node of half a core, which has to do
 * one section's work after another's, and on two and four such nodes; beside what the measured times of the sections
 * predict.
 */
import { createComputeWorker, type NamedTensorData, openSection } from "../../src/compute/index.ts";
import { COORDINATOR, type DistillationSpec, FEEDER, type ModelSpec, parseSpec } from "../../src/run-spec/index.ts";
import { teacherModelOf } from "../../src/jobs/match-sections.ts";
import { actorsOf } from "../../src/jobs/run-plan.ts";
import { type FleetScene, openFleetScene } from "./fleet-scene.ts";

export interface SectionRate {
  readonly nodes: number;
  readonly placement: Readonly<Record<string, string>>;
  readonly msPerStep: number;
  /** Steps per second over those of one node. */
  readonly overOne: number;
  /** The same, predicted from the sections' times on one node. */
  readonly predicted: number;
}

export interface SectionRates {
  readonly coresPerNode: number;
  readonly measuredSteps: number;
  /** Computing time of each teacher and student section in a step, on one node, ms. */
  readonly computeMs: Readonly<Record<string, number>>;
  readonly rates: readonly SectionRate[];
}

export interface SectionRatesOptions {
  /** Text of the specs: the teacher's own training, and the distillation. */
  readonly teacher: string;
  readonly spec: string;
  readonly write: (line: string) => void;
}

const NODES = [1, 2, 4] as const;
const CORES_PER_NODE = 0.5;
/** Not measured: backends warm up, queues fill. */
const WARM_UP_STEPS = 12;
const MEASURED_STEPS = 40;

export async function measureSectionRates({ teacher, spec: text, write }: SectionRatesOptions): Promise<SectionRates> {
  const { model } = parseSpec(teacher, { file: "teacher" }) as { readonly model: ModelSpec };
  const parse = (set: readonly string[]): DistillationSpec => {
    const spec = parseSpec(text, { file: "spec", set }) as DistillationSpec;
    return { ...spec, teacher: { ...spec.teacher, model: { ...model, cuts: spec.teacher.cuts ?? model.cuts } } };
  };
  const weights = await weightsOf(teacherModelOf(parse([])));
  let computeMs: Readonly<Record<string, number>> = {};
  const rates: SectionRate[] = [];
  for (const nodes of NODES) {
    const placement = placeBalanced(parse([]), nodes, computeMs);
    const settings = Object.entries(placement).map(([actor, node]) => `placement.${actor}=${node}`);
    await using scene = await openFleetScene({ nodes, cores: CORES_PER_NODE, parse });
    const measured = await measureSteps(scene, [...SETTINGS, ...settings], weights);
    if (nodes === 1) ({ computeMs } = measured);
    const one = rates[0]?.msPerStep ?? measured.msPerStep;
    const rate: SectionRate = {
      nodes,
      placement,
      msPerStep: measured.msPerStep,
      overOne: one / measured.msPerStep,
      predicted: predictedRatio(computeMs, placement),
    };
    rates.push(rate);
    write(
      `${nodes} nodes: ${rate.msPerStep.toFixed(0)} ms a step, ${rate.overOne.toFixed(2)} of one node's rate, predicted ${rate.predicted.toFixed(2)}`,
    );
  }
  for (const [actor, ms] of Object.entries(computeMs)) write(`${actor}: ${ms.toFixed(1)} ms a step`);
  return { coresPerNode: CORES_PER_NODE, measuredSteps: MEASURED_STEPS, computeMs, rates };
}

/** The teacher computes every forward pass, without cache; no evaluation is within the measured steps. */
const SETTINGS = ["baseline=", "cache.budgetMiB=0", "sections.epochs=4", "checkpoint.everySteps=1000"];

/** The longest first, each to the node that has least so far; the feeder and the coordinator where least is. */
function placeBalanced(
  spec: DistillationSpec,
  nodes: number,
  computeMs: Readonly<Record<string, number>>,
): Record<string, string> {
  const { learners, teachers } = actorsOf(spec, "sections");
  const load = new Map(Array.from({ length: nodes }, (_, index) => [`node-${index + 1}`, 0]));
  const least = (): string => [...load].sort(([, a], [, b]) => a - b)[0]?.[0] ?? "node-1";
  const placed: Record<string, string> = {};
  const costOf = (actor: string): number => computeMs[actor] ?? 0;
  for (const actor of [...learners, ...teachers].sort((a, b) => costOf(b) - costOf(a))) {
    const node = least();
    placed[actor] = node;
    load.set(node, (load.get(node) ?? 0) + costOf(actor));
  }
  for (const actor of [FEEDER, COORDINATOR]) placed[actor] = least();
  return placed;
}

/** Computing time of one node for all sections, over that of the busiest of several nodes. */
function predictedRatio(
  computeMs: Readonly<Record<string, number>>,
  placement: Readonly<Record<string, string>>,
): number {
  const load = new Map<string, number>();
  let all = 0;
  for (const [actor, ms] of Object.entries(computeMs)) {
    all += ms;
    load.set(placement[actor] ?? "", (load.get(placement[actor] ?? "") ?? 0) + ms);
  }
  return all / Math.max(...load.values());
}

async function measureSteps(
  scene: FleetScene<DistillationSpec>,
  set: readonly string[],
  weights: NamedTensorData,
): Promise<{ msPerStep: number; computeMs: Record<string, number> }> {
  const spec = scene.parse(set);
  const { learners, teachers } = actorsOf(spec, "sections");
  const sums = new Map<string, { ms: number; steps: number }>(
    [...learners, ...teachers].map((id) => [id, { ms: 0, steps: 0 }]),
  );
  let isMeasuring = false;
  const run = await scene.run(
    spec,
    ({ header, fact }) => {
      const sum = sums.get(header.sender);
      if (!isMeasuring || sum === undefined || fact.kind !== "Progress") return;
      sum.ms += fact.computeMs;
      sum.steps += 1;
    },
    weights,
  );
  await run.reach(WARM_UP_STEPS);
  isMeasuring = true;
  const startedMs = scene.clock.now();
  await run.reach(WARM_UP_STEPS + MEASURED_STEPS);
  const msPerStep = (scene.clock.now() - startedMs) / MEASURED_STEPS;
  await run.end();
  return {
    msPerStep,
    computeMs: Object.fromEntries([...sums].map(([id, { ms, steps }]) => [id, ms / Math.max(1, steps)])),
  };
}

/** A teacher with random weights: its output does not affect its computing time. */
async function weightsOf(model: ModelSpec): Promise<NamedTensorData> {
  await using worker = await createComputeWorker({ backend: "auto" });
  const network = await openSection(worker, "teacher", {
    inputShape: model.input,
    layers: model.layers,
    seed: 1,
    optimizer: { kind: "sgd", learningRate: 1 },
    learningRate: { peak: 1, totalSteps: 1 },
    classes: model.classes,
    objective: { kind: "logits", crossEntropy: 1 },
    averageDecay: 0,
  });
  return (await network.snapshot()).tensors;
}
