/** Options and collaborators of each block and gradient model of a training run. */
import { createBlockActor } from "../../../actors/block/index.ts";
import { createGradientModelActor } from "../../../actors/gradient-model/index.ts";
import { createAutoPolicy, GRADIENT_SOURCE_TRAITS } from "../../../compute/index.ts";
import {
  blockActor,
  boundariesOf,
  type BoundarySpec,
  gradientActor,
  parseActorRef,
  type TrainingSpec,
} from "../../../run-spec/index.ts";
import { type BlockSite, createBlockSite } from "../../block-site.ts";
import type { ComposeContext, CreateActor, KindComposer } from "../../composer.ts";
import { wireCodec } from "../../wire-codec.ts";
import { createWorkerBoundActor } from "../../worker-bound-actor.ts";

export function createTrainingComposer(spec: TrainingSpec, context: ComposeContext): KindComposer {
  const { plan, options, deps, shared, depsOf } = context;
  const { slices, totalSteps } = plan;
  const { isElsewhere } = options;
  const boundaries = boundariesOf(spec);
  const isDropping = spec.flow.overload === "drop";
  const gradientCodec = wireCodec(spec.codecs.gradient);
  /** Compute sites, by the actor that owns each. */
  const sites = new Map<string, BlockSite>();

  const siteOf = (owner: string, index: number): BlockSite => {
    const known = sites.get(owner);
    if (known !== undefined) return known;
    const isGradientModelElsewhere = isElsewhere(index);
    const fresh = createBlockSite(
      { spec, index, slices, totalSteps, backend: options.backend, isGradientModelElsewhere },
      deps.startWorker,
    );
    sites.set(owner, fresh);
    return fresh;
  };

  const composeBlock = (index: number): CreateActor => {
    const id = blockActor(index);
    const slice = slices[index];
    const boundary: BoundarySpec | undefined = boundaries[index];
    const before = boundaries[index - 1];
    const traits = boundary === undefined ? undefined : GRADIENT_SOURCE_TRAITS[boundary.source];
    const site = siteOf(id, index);
    const metadata = {
      block: String(index),
      layers: slice?.layers.join(" ") ?? "",
      source: boundary?.source ?? "task-loss",
    };
    return (fence) => {
      const actor = createBlockActor(
        {
          ...shared(id, fence, metadata),
          index,
          blocks: slices.length,
          activationCodec: wireCodec(spec.codecs.activation),
          gradientCodec,
          window: spec.flow.window,
          isGating: traits?.isGating ?? false,
          appliesReturned: traits?.appliesReturned ?? false,
          isGradientModelElsewhere: (traits?.hasGradientModel ?? false) && isElsewhere(index),
          isPreviousGating: before !== undefined && GRADIENT_SOURCE_TRAITS[before.source].isGating,
          isDropping,
        },
        {
          ...depsOf(id, fence),
          openUnit: () => site.openBlock(),
          ...(boundary?.source === "auto"
            ? {
                policy: createAutoPolicy({
                  spec: spec.gradients.auto,
                  isSpatial: (slice?.outputShape.length ?? 1) === 3,
                }),
              }
            : {}),
        },
      );
      return createWorkerBoundActor(actor, site);
    };
  };

  const composeGradientModel = (index: number): CreateActor => {
    const id = gradientActor(index);
    const boundary = boundaries[index];
    const elsewhere = isElsewhere(index);
    const site = siteOf(elsewhere ? id : blockActor(index), index);
    const metadata = {
      boundary: String(index),
      after: boundary?.name ?? "",
      placement: elsewhere ? "elsewhere" : blockActor(index),
    };
    return (fence) => {
      const actor = createGradientModelActor(
        {
          ...shared(id, fence, metadata),
          boundary: index,
          learnEvery: boundary?.gradientModel.learnEvery ?? 1,
          retain: spec.gradients.retain,
          isElsewhere: elsewhere,
          gradientCodec,
        },
        { ...depsOf(id, fence), openUnit: () => site.openGradientModel() },
      );
      return createWorkerBoundActor(actor, site);
    };
  };

  return {
    sites,
    compose(id) {
      const ref = parseActorRef(id);
      if (ref?.kind === "block" && ref.index < slices.length) return composeBlock(ref.index);
      if (ref?.kind === "gradient-model" && ref.index < boundaries.length) return composeGradientModel(ref.index);
      return undefined;
    },
  };
}
