/**
 * From a run's plan to its actors: what each kind is told and given, in one place, for a run in this process and for the
 * actors that a node hosts alike.
 */
import { createFeederActor } from "../actors/feeder/index.ts";
import type { BackendInfo } from "../compute/index.ts";
import type { Actor } from "../runtime/actor/index.ts";
import { createActorMemory } from "../runtime/artifacts/index.ts";
import { createDistillationComposer } from "./compose-distillation.ts";
import { createTrainingComposer } from "./compose-training.ts";
import type { ComposeContext, ComposerDeps, ComposerOptions, KindComposer } from "./composer.ts";
import { actorsOf, planOf, READY_DEADLINE_MS, type RunPlan } from "./run-plan.ts";
import { FEEDER, maxFrameBytesOf } from "../run-spec/index.ts";

export interface ActorComposer extends AsyncDisposable {
  /** Makes ready what the actor needs. @returns what makes one incarnation of it. */
  compose(id: string): Promise<(fence: number) => Actor>;
  /** Ends what the actor computes in, once it has ended; the next incarnation begins with a new one. */
  release(id: string): Promise<void>;
  /** Tensors alive in all workers. */
  countTensors(): Promise<number>;
  /** Backends in use, of learners by their index. */
  readonly backends: readonly BackendInfo[];
}

export function createActorComposer(plan: RunPlan, options: ComposerOptions, deps: ComposerDeps): ActorComposer {
  const { run, spec, phase, timeline, from } = plan;
  const context: ComposeContext = {
    plan,
    options,
    deps,
    shared: (id, fence, metadata) => ({
      run,
      id,
      fence,
      maxFrameBytes: maxFrameBytesOf(spec),
      softwareVersion: options.softwareVersion,
      metadata: { spec: spec.name, ...options.metadata, ...metadata },
    }),
    depsOf(id, fence, begin) {
      const log = deps.log.child({ actor: id });
      const memory = createActorMemory(
        { actor: id, timeline, fence, from, ...(begin === undefined ? {} : { begin }) },
        { checkpoints: deps.checkpoints, log },
      );
      return { ...deps, log, memory };
    },
  };
  const kind: KindComposer =
    spec.kind === "training" ? createTrainingComposer(spec, context) : createDistillationComposer(spec, context);
  const { sites } = kind;

  const composeFeeder = async (): Promise<(fence: number) => Actor> => {
    const dataset = await deps.openDataset();
    const feedingPlan = planOf(spec, dataset, phase);
    const metadata = { dataset: dataset.name, samples: String(dataset.train.count) };
    const isDistilling = spec.kind === "distillation";
    return (fence) =>
      createFeederActor(
        {
          ...context.shared(FEEDER, fence, metadata),
          learners: actorsOf(spec, phase).learners,
          keepsUntil: isDistilling ? "all" : "first",
          window: spec.flow.window,
          isDropping: spec.kind === "training" && spec.flow.overload === "drop",
          readyDeadlineMs: READY_DEADLINE_MS,
          augmentation: spec.data.augmentation,
          isDistilling,
        },
        {
          ...context.depsOf(FEEDER, fence),
          dataset,
          plan: feedingPlan,
          ...(isDistilling && phase !== "baseline"
            ? { newestTeacher: async () => (await deps.teachers.newest())?.release ?? 0 }
            : {}),
        },
      );
  };

  const close = async (): Promise<void> => {
    await Promise.all([...sites.values()].map((site) => site.close()));
  };

  return {
    async compose(id) {
      const create = id === FEEDER ? await composeFeeder() : kind.compose(id);
      if (create !== undefined) return create;
      throw new RangeError(`${run} has no actor ${id}`);
    },
    async release(id) {
      const site = sites.get(id);
      sites.delete(id);
      await site?.close();
    },
    async countTensors() {
      const counts = await Promise.all([...sites.values()].map((site) => site.countTensors()));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    get backends() {
      return [...sites.values()].flatMap(({ backend }) => (backend === undefined ? [] : [backend]));
    },
    [Symbol.asyncDispose]: close,
  };
}
