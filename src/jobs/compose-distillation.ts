/** Teacher and student sections of a distillation run: what each is told and given. */
import { createWorkerBoundActor } from "./worker-bound-actor.ts";
import { createStudentSectionActor } from "../actors/student-section/index.ts";
import { createTeacherSectionActor } from "../actors/teacher-section/index.ts";
import {
  type LearningRateOptions,
  openSection,
  openTeacher,
  type SectionObjective,
  type SectionUnitOptions,
  stitchSections,
} from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import type { SafetensorsContent } from "../messages/checkpoint/index.ts";
import { encodedRowBytes, type Lesson } from "../messages/index.ts";
import type { Actor } from "../runtime/actor/index.ts";
import type { Shelf } from "../runtime/cache/index.ts";
import {
  type DistillationSpec,
  FEEDER,
  layersOfBlocks,
  type LayerSpec,
  type ModelSpec,
  parseActorRef,
  STUDENT,
  studentActor,
  teacherActor,
} from "../run-spec/index.ts";
import type { ComposeContext, KindComposer } from "./composer.ts";
import { type ComputeSite, createComputeSite } from "./compute-site.ts";
import { hintCacheKey } from "./hint-cache-key.ts";
import { adaptersOf, teacherModelOf } from "./match-sections.ts";
import { hintCodec, wireCodec } from "./wire-codec.ts";

export function createDistillationComposer(spec: DistillationSpec, context: ComposeContext): KindComposer {
  const { plan, options, deps, shared, depsOf } = context;
  const { slices, teacherSlices, phase, totalSteps, startAfter } = plan;
  const sections = slices.length;
  const layers = layersOfBlocks(spec.student.model);
  const adapters = adaptersOf(spec.student.model, slices, teacherSlices);
  const codec = hintCodec(spec.codecs.hint);
  const sites = new Map<string, ComputeSite>();

  const siteOf = (owner: string): ComputeSite => {
    const known = sites.get(owner);
    if (known !== undefined) return known;
    const fresh = createComputeSite(options.backend, deps.startWorker);
    sites.set(owner, fresh);
    return fresh;
  };

  const keyOf = async (section: number, { teacher, view, seed: viewSeed }: Lesson): Promise<string> =>
    hintCacheKey({
      dataset: plan.dataset,
      layers: layersOfBlocks(teacherModelOf(spec)),
      digests: (await deps.teachers.get(teacher)).digests,
      section,
      codec,
      augmentation: spec.data.augmentation,
      view,
      viewSeed,
    });

  const composeTeacher = (id: string, index: number): ((fence: number) => Actor) => {
    const slice = teacherSlices[index];
    const own = layersOfBlocks(teacherModelOf(spec))[index];
    if (slice === undefined || own === undefined) throw new RangeError(`the teacher has no section ${index}`);
    const site = siteOf(id);
    const recordBytes = encodedRowBytes(slice.outputShape, codec);
    const keys = new Map<string, Promise<string>>();
    const log = deps.log.child({ actor: id });

    const openShelf = async (lesson: Lesson): Promise<Shelf | undefined> => {
      const { cache } = deps;
      if (cache === undefined) return undefined;
      const word = `${lesson.teacher}/${lesson.view}/${lesson.seed}`;
      const key = keys.get(word) ?? keyOf(index, lesson);
      keys.set(word, key);
      try {
        return await cache.shelf({ key: await key, recordBytes });
      } catch (error) {
        keys.delete(word);
        log.warn({ actor: id, err: error }, "nothing is kept");
        return undefined;
      }
    };

    return (fence) => {
      const actor = createTeacherSectionActor(
        {
          ...shared(id, fence, { section: String(index), layers: slice.layers.join(" ") }),
          index,
          sections,
          outputShape: slice.outputShape,
          codec,
          window: spec.flow.window,
          macs: slice.macs,
          queue: spec.teacher.replicas > 1 ? teacherActor(index) : undefined,
        },
        {
          ...depsOf(id, fence),
          openUnit: async (version) => {
            const weights = await deps.teachers.load(await deps.teachers.get(version), index);
            // Two versions are open for a moment.
            return openTeacher(await site.worker(), `${id}.${version}`, {
              inputShape: slice.inputShape,
              layers: own,
              weights,
            });
          },
          openShelf,
        },
      );
      return createWorkerBoundActor(actor, site);
    };
  };

  /** Peak and form of the learning rate over this phase. */
  const rateOf = (
    of: Pick<DistillationSpec["finetune"], "optimizer" | "schedule" | "warmup">,
  ): LearningRateOptions => ({
    peak: of.optimizer.learningRate,
    schedule: of.schedule,
    warmup: of.warmup,
    totalSteps,
  });

  const sectionUnit = (index: number): SectionUnitOptions => {
    const { optimizer, hint, localCrossEntropy, crossEntropy, logits } = spec.sections;
    const objective: SectionObjective =
      index === sections - 1
        ? { kind: "logits", crossEntropy, teacher: logits }
        : { kind: "features", hint, localCrossEntropy };
    return {
      inputShape: teacherSlices[index]?.inputShape ?? [],
      layers: [...(layers[index] ?? []), ...(adapters[index] ?? [])],
      seed: spec.seed,
      optimizer,
      learningRate: rateOf(spec.sections),
      classes: spec.student.model.classes,
      objective,
      averageDecay: 0,
    };
  };

  const wholeUnit = (): SectionUnitOptions => {
    const whole = {
      inputShape: spec.student.model.input,
      layers: spec.student.model.layers,
      seed: spec.seed,
      classes: spec.student.model.classes,
    };
    const { baseline, finetune } = spec;
    if (phase === "baseline" && baseline !== undefined) {
      return {
        ...whole,
        optimizer: baseline.optimizer,
        learningRate: rateOf(baseline),
        objective: { kind: "logits", crossEntropy: 1 },
        averageDecay: finetune.ema,
      };
    }
    return {
      ...whole,
      optimizer: finetune.optimizer,
      learningRate: rateOf(finetune),
      objective: { kind: "logits", crossEntropy: finetune.crossEntropy, teacher: finetune.logits },
      averageDecay: finetune.ema,
    };
  };

  const composeStudent = (id: string, first: number, last: number): ((fence: number) => Actor) => {
    const site = siteOf(id);
    const unit = phase === "sections" ? sectionUnit(first) : wholeUnit();
    const begin = phase === "finetune" ? () => beginWhole(spec.student.model, adapters, context) : undefined;
    return (fence) => {
      const actor = createStudentSectionActor(
        {
          ...shared(id, fence, { phase, layers: unit.layers.map(({ name }) => name).join(" ") }),
          first,
          last,
          sections,
          isTaught: phase !== "baseline",
          ownInput: spec.sections.ownInput,
          totalSteps,
          startAfter,
          activationCodec: wireCodec(spec.codecs.activation),
          window: spec.flow.window,
          saveEverySteps: spec.checkpoint.everySteps,
          feeder: FEEDER,
          next: last < sections - 1 ? studentActor(last + 1) : undefined,
        },
        { ...depsOf(id, fence, begin), openUnit: async () => openSection(await site.worker(), id, unit) },
      );
      return createWorkerBoundActor(actor, site);
    };
  };

  return {
    sites,
    compose(id) {
      const ref = parseActorRef(id);
      if (ref === undefined || ref.index >= sections) return undefined;
      switch (ref.kind) {
        case "whole-student":
        case "student-alone":
          return composeStudent(id, 0, sections - 1);
        case "teacher-section":
          return composeTeacher(id, ref.index);
        case "student-section":
          return composeStudent(id, ref.index, ref.index);
        default:
          return undefined;
      }
    },
  };
}

/**
 * The first state of the whole student: its own, where the timeline began with one; else its sections, stitched.
 * @returns undefined where there was no phase before.
 */
async function beginWhole(
  model: ModelSpec,
  adapters: readonly (readonly LayerSpec[])[],
  { plan, deps }: ComposeContext,
): Promise<SafetensorsContent | undefined> {
  const { from } = plan;
  if (from === undefined) return undefined;
  const { checkpoints } = deps;
  const manifest = (await checkpoints.manifests()).find(
    ({ timeline, generation }) => timeline === from.timeline && generation === from.generation,
  );
  if (manifest === undefined) {
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: "stitch the student",
      rule: `generation ${from.generation} of its sections must be there`,
      value: "absent",
      remedy: "resume the run from an older generation",
    });
  }
  if (STUDENT in manifest.actors) return checkpoints.load(STUDENT, from);
  const sections = await Promise.all(
    layersOfBlocks(model).map(async (layers, index) => ({
      layers,
      adapter: adapters[index] ?? [],
      tensors: (await checkpoints.load(studentActor(index), from)).tensors,
    })),
  );
  const metadata = { version: "0", consumed: String(plan.startAfter) };
  return { metadata, tensors: stitchSections(sections) };
}
