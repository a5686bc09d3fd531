/** The teacher and student sections of a distillation run, and the compute site of each. */
import { createStudentSectionActor } from "../../../actors/student-section/index.ts";
import { openSection } from "../../../compute/index.ts";
import { type DistillationSpec, FEEDER, parseActorRef, studentActor } from "../../../run-spec/index.ts";
import type { ComposeContext, CreateActor, KindComposer } from "../../composer.ts";
import { type ComputeSite, createComputeSite } from "../../compute-site.ts";
import { adaptersOf } from "../../match-sections.ts";
import { createWorkerBoundActor } from "../../worker-bound-actor.ts";
import { wireCodec } from "../../wire-codec.ts";
import { composeTeacherSection } from "./compose-teacher-section.ts";
import { initialStudent } from "./initial-student.ts";
import { sectionUnit, wholeUnit } from "./student-units.ts";

export function createDistillationComposer(spec: DistillationSpec, context: ComposeContext): KindComposer {
  const { plan, options, deps, shared, depsOf } = context;
  const { slices, teacherSlices, phase, totalSteps, startAfter } = plan;
  const sections = slices.length;
  const adapters = adaptersOf(spec.student.model, slices, teacherSlices);
  const sites = new Map<string, ComputeSite>();

  const siteOf = (owner: string): ComputeSite => {
    const known = sites.get(owner);
    if (known !== undefined) return known;
    const fresh = createComputeSite(options.backend, deps.startWorker);
    sites.set(owner, fresh);
    return fresh;
  };

  const composeStudent = (id: string, first: number, last: number): CreateActor => {
    const site = siteOf(id);
    const unit = phase === "sections" ? sectionUnit(spec, first, plan, adapters) : wholeUnit(spec, plan);
    const begin = phase === "finetune" ? () => initialStudent(spec.student.model, adapters, context) : undefined;
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
        case "student-section":
          return composeStudent(id, ref.index, ref.index);
        case "teacher-section":
          return composeTeacherSection(spec, ref, siteOf(id), context);
        default:
          return undefined;
      }
    },
  };
}
