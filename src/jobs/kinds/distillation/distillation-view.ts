/** A distillation run for a reader: student sections beside their teacher sections. */
import {
  type DistillationSpec,
  parseActorRef,
  type RunPhase,
  STUDENT,
  studentActor,
  teacherActor,
} from "../../../run-spec/index.ts";
import type { JobView } from "../../job-kind.ts";
import type { ActorFigures, MonitorFigures } from "../../run-monitor.ts";
import { bytesText, percentText, type TextTable } from "../../text.ts";
import type { DistillationResults, ModelResult, PhaseResult } from "./distillation-results.ts";
import { compareSections } from "./section-comparison.ts";

const PHASE_TITLES: Readonly<Record<string, string>> = {
  baseline: "student alone",
  sections: "student, sections side by side",
  finetune: "student with transfer",
};

const find = ({ actors }: MonitorFigures, actor: string): ActorFigures | undefined =>
  actors.find(({ id }) => id === actor);

const learner: ReturnType<JobView<DistillationSpec>["learner"]> = {
  noun: "section",
  columns: ["hint loss", "teacher: computed/kept"],
  cells(figures, id) {
    const ref = parseActorRef(id);
    const teacher = ref?.kind === "student-section" ? find(figures, teacherActor(ref.index)) : undefined;
    const hintLoss = find(figures, id)?.hintLoss;
    return [hintLoss === undefined ? "-" : hintLoss.toFixed(4), answersOf(teacher?.cache)];
  },
  note(figures, id) {
    const hintLoss = find(figures, id)?.hintLoss;
    return hintLoss === undefined ? "" : `hint ${hintLoss.toFixed(3)}`;
  },
};

/** Between teacher and student, section by section. */
function boundaries(spec: DistillationSpec, phase: RunPhase, figures: MonitorFigures): TextTable {
  const last = spec.student.model.cuts.length;
  /** The whole student is in the row of its last section. */
  const studentAt = (index: number): string | undefined => {
    if (phase === "sections") return studentActor(index);
    return index === last ? STUDENT : undefined;
  };
  return {
    head: ["section", "hint loss", "hints/s", "passed on/s", "teacher: computed", "kept", "refused"],
    rows: Array.from({ length: last + 1 }, (_, index) => {
      const student = find(figures, studentAt(index) ?? "");
      const teacher = find(figures, teacherActor(index));
      const { hits = 0, misses = 0, refused = 0 } = teacher?.cache ?? {};
      return [
        String(index),
        student?.hintLoss?.toFixed(4) ?? "-",
        bytesText(Math.round(teacher?.bytesPerSecond.hint ?? 0)),
        bytesText(Math.round(student?.bytesPerSecond.act ?? 0)),
        String(misses),
        String(hits),
        String(refused),
      ];
    }),
  };
}

function results({ teacher, student, phases }: DistillationResults): readonly (string | TextTable)[] {
  const teacherAccuracy = phases.findLast((phase) => phase.teacherAccuracy !== undefined)?.teacherAccuracy;
  const table: TextTable = {
    head: [
      "",
      "parameters",
      "MACs",
      "accuracy",
      "agrees with teacher",
      "time",
      "bytes moved",
      "teacher: computed / kept",
    ],
    rows: [
      ["teacher", ...sizes(teacher), percentText(teacherAccuracy), "-", "-", "-", "-"],
      ...phases.map((phase: PhaseResult) => [
        PHASE_TITLES[phase.phase] ?? phase.phase,
        ...sizes(student),
        percentText(phase.accuracy),
        percentText(phase.agreement),
        `${phase.seconds.toFixed(0)} s`,
        bytesText(Object.values(phase.bytes).reduce((sum, count) => sum + count, 0)),
        answersOf(phase.cache),
      ]),
    ],
  };
  const [parameters, macs] = [1 - student.parameters / teacher.parameters, 1 - student.macs / teacher.macs];
  return [
    table,
    `the student has ${percentText(parameters)} fewer parameters and ${percentText(macs)} fewer MACs than its teacher`,
  ];
}

/** "computed / from the cache" */
function answersOf(cache: Readonly<Record<string, number>> | undefined): string {
  const { hits = 0, misses = 0 } = cache ?? {};
  return hits + misses === 0 ? "-" : `${misses} / ${hits}`;
}

function sizes({ parameters, macs }: ModelResult): [string, string] {
  return [`${(parameters / 1e6).toFixed(2)} M`, `${(macs / 1e6).toFixed(1)} M`];
}

export const distillationView: JobView<DistillationSpec, DistillationResults> = {
  describeLearners: ({ learners }) => (learners.length === 1 ? "the whole student" : `${learners.length} sections`),
  learner: () => learner,
  boundaries,
  plan(_spec, { slices, teacherSlices }) {
    const { json, table } = compareSections({ teacher: teacherSlices, student: slices });
    return { json, text: [table] };
  },
  results,
};
