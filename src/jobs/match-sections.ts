/** Checks before training that each section of a student can replace the teacher's. */
import type { SliceDescription } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import {
  adapterLayers,
  type DistillationSpec,
  layersOfBlocks,
  type LayerSpec,
  type ModelSpec,
} from "../run-spec/index.ts";

/** The teacher's layers. @throws KnowledgeNetError KN_CONFIG before they are known. */
export function teacherModelOf({ name, teacher }: DistillationSpec): ModelSpec {
  if (teacher.model !== undefined) return teacher.model;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `find the teacher of ${name}`,
    rule: "teacher.run or teacher.file must name a teacher",
    value: "neither",
    remedy: "train one with `kn run`, and name it: --teacher <run>",
  });
}

/**
 * Adapter layers at the end of each section, none at the end of the last.
 * @throws KnowledgeNetError KN_SHAPE where a boundary cannot be matched.
 */
export function adaptersOf(
  student: ModelSpec,
  slices: readonly SliceDescription[],
  teacherSlices: readonly SliceDescription[],
): LayerSpec[][] {
  const layers = layersOfBlocks(student);
  return slices.map(({ outputShape }, index) => {
    const next = layers[index + 1];
    return next === undefined ? [] : adapterLayers(index, outputShape, teacherSlices[index]?.outputShape ?? [], next);
  });
}

/** @throws KnowledgeNetError KN_CONFIG, KN_SHAPE with the section, both shapes and the rule. */
export function matchSections(
  spec: DistillationSpec,
  slices: readonly SliceDescription[],
  teacherSlices: readonly SliceDescription[],
): void {
  const teacher = teacherModelOf(spec);
  const student = spec.student.model;
  const refuse = (rule: string, value: string, remedy: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", { attempt: `distil ${spec.name}`, rule, value, remedy });
  if (teacher.classes !== student.classes) {
    throw refuse(
      "student and teacher must have the same classes",
      `${student.classes} and ${teacher.classes}`,
      "correct student.model.classes, or take another teacher",
    );
  }
  if (teacher.input.join() !== student.input.join()) {
    throw refuse(
      "student and teacher must take the same input",
      `[${student.input.join(", ")}] and [${teacher.input.join(", ")}]`,
      "correct student.model.input, or take another teacher",
    );
  }
  if (slices.length !== teacherSlices.length) {
    throw refuse(
      "student and teacher must have the same number of sections",
      `${slices.length} and ${teacherSlices.length}`,
      "`kn plan` derives a student with the teacher's boundaries; teacher.cuts cuts the teacher elsewhere",
    );
  }
  const [own, theirs] = [slices, teacherSlices].map((of) => of.reduce((sum, { parameters }) => sum + parameters, 0));
  if ((own ?? 0) >= (theirs ?? 0)) {
    throw refuse(
      "the student must be smaller than its teacher",
      `${own} and ${theirs} parameters`,
      "`kn plan --compress` derives a smaller one",
    );
  }
  adaptersOf(student, slices, teacherSlices);
  const { hint } = spec.sections;
  const flat = slices.slice(0, -1).findIndex(({ outputShape }) => outputShape.length !== 3);
  if (hint.kind === "attention-transfer" && flat >= 0) {
    throw refuse(
      "attention transfer needs boundaries with height and width",
      `boundary ${flat} is [${slices[flat]?.outputShape.join(", ")}]`,
      "use sections.hint.kind: feature-mse",
    );
  }
}
