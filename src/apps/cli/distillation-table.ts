/** The table at the end of a distillation run: teacher, student alone, student with what the teacher taught it. */
import Table from "cli-table3";
import type { DistillationResults, PhaseResult } from "../../jobs/distillation-results.ts";
import { bytes } from "./results-table.ts";

const NAMES: Readonly<Record<string, string>> = {
  baseline: "student alone",
  sections: "student, sections side by side",
  finetune: "student with transfer",
};

export function distillationTable({ teacher, student, phases }: DistillationResults): string {
  const table = new Table({
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
    style: { head: [], border: [] },
  });
  const teacherAccuracy = phases.findLast((phase) => phase.teacherAccuracy !== undefined)?.teacherAccuracy;
  table.push(["teacher", ...sizes(teacher), percent(teacherAccuracy), "-", "-", "-", "-"]);
  for (const phase of phases) {
    table.push([
      NAMES[phase.phase] ?? phase.phase,
      ...sizes(student),
      percent(phase.accuracy ?? undefined),
      percent(phase.agreement),
      `${phase.seconds.toFixed(0)} s`,
      bytes(Object.values(phase.bytes).reduce((sum, count) => sum + count, 0)),
      lessons(phase),
    ]);
  }
  const saved = 1 - student.parameters / teacher.parameters;
  const savedMacs = 1 - student.macs / teacher.macs;
  return `${table.toString()}\nthe student has ${percent(saved)} fewer parameters and ${percent(savedMacs)} fewer MACs than its teacher`;
}

function sizes({ parameters, macs }: DistillationResults["teacher"]): [string, string] {
  return [`${(parameters / 1e6).toFixed(2)} M`, `${(macs / 1e6).toFixed(1)} M`];
}

function percent(share: number | undefined): string {
  return share === undefined ? "-" : `${(100 * share).toFixed(2)} %`;
}

function lessons({ cache }: PhaseResult): string {
  const { hits = 0, misses = 0 } = cache;
  return hits + misses === 0 ? "-" : `${misses} / ${hits}`;
}
