/**
 * Makes the actors of one phase from its plan: options and collaborators of each, for a run in this process and for the
 * actors on a node alike.
 */
import { createFeederActor } from "../actors/feeder/index.ts";
import type { BackendInfo } from "../compute/index.ts";
import { createActorMemory } from "../runtime/artifacts/index.ts";
import { FEEDER, maxFrameBytesOf } from "../run-spec/index.ts";
import type { ComposeContext, ComposerDeps, ComposerOptions, CreateActor } from "./composer.ts";
import { jobKindOf } from "./kinds/index.ts";
import { readyDeadlineOf, type RunPlan } from "./run-parts.ts";

export interface ActorComposer extends AsyncDisposable {
  /** Prepares an actor. Rejects with RangeError when the run has none of that id. */
  compose(id: string): Promise<CreateActor>;
  /** Closes the compute site of an actor that has ended; the next incarnation opens a new one. */
  release(id: string): Promise<void>;
  /** Tensors alive in all workers. */
  countTensors(): Promise<number>;
  /** Backends of the open compute sites, in the order of composition. */
  readonly backends: readonly BackendInfo[];
}

export function createActorComposer(plan: RunPlan, options: ComposerOptions, deps: ComposerDeps): ActorComposer {
  const { run, spec, phase, attempt, from } = plan;
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
        { actor: id, attempt, fence, from, ...(begin === undefined ? {} : { begin }) },
        { checkpoints: deps.checkpoints, log },
      );
      return { ...deps, log, memory };
    },
  };
  const kind = jobKindOf(spec);
  const composer = kind.compose(spec, context);
  const { sites } = composer;

  const composeFeeder = async (): Promise<CreateActor | undefined> => {
    const { feeding } = kind;
    if (feeding === undefined) return undefined;
    const dataset = await deps.openDataset();
    const feedingPlan = feeding.plan(spec, dataset, phase);
    const { namesTeacher, ...rules } = feeding.rules(spec, phase);
    const metadata = { dataset: dataset.name, samples: String(dataset.train.count) };
    const newestTeacher = async (): Promise<number> => (await deps.teachers.newest())?.release ?? 0;
    return (fence) =>
      createFeederActor(
        {
          ...context.shared(FEEDER, fence, metadata),
          ...rules,
          learners: kind.actors(spec, phase).learners,
          readyDeadlineMs: readyDeadlineOf(plan),
        },
        {
          ...context.depsOf(FEEDER, fence),
          dataset,
          plan: feedingPlan,
          ...(namesTeacher ? { newestTeacher } : {}),
        },
      );
  };

  const close = async (): Promise<void> => {
    await Promise.all([...sites.values()].map((site) => site.close()));
  };

  return {
    async compose(id) {
      const create = id === FEEDER ? await composeFeeder() : composer.compose(id);
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
