/**
 * Teacher and student side by side, section by section: shapes at the cuts, parameters, MACs, bytes of a hint. Pure.
 */
import type { SliceDescription } from "../../../compute/index.ts";
import { encodedTensorBytes } from "../../../messages/index.ts";
import { bytesText, percentText, shapeText, type TextTable } from "../../text.ts";
import { sizeOf } from "./distillation-results.ts";

export interface Comparison {
  readonly teacher: readonly SliceDescription[];
  readonly student: readonly SliceDescription[];
}

export function compareSections({ teacher, student }: Comparison) {
  const sections = teacher.map((theirs, index) => {
    const own = student[index];
    return {
      section: index,
      boundary: theirs.outputShape,
      studentBoundary: own?.outputShape ?? [],
      teacher: { layers: theirs.layers, parameters: theirs.parameters, macs: theirs.macs },
      student: { layers: own?.layers ?? [], parameters: own?.parameters ?? 0, macs: own?.macs ?? 0 },
      /** Of one sample, as bf16. */
      hintBytes: encodedTensorBytes(theirs.outputShape, "f32", "bf16"),
    };
  });
  const [whole, small] = [sizeOf(teacher), sizeOf(student)];
  const saved = {
    parameters: 1 - small.parameters / whole.parameters,
    macs: 1 - small.macs / whole.macs,
  };
  const table: TextTable = {
    head: ["section", "ends with", "teacher: parameters", "MACs", "student: parameters", "MACs", "bytes of a hint"],
    rows: [
      ...sections.map((each) => {
        const [theirs, own] = [shapeText(each.boundary), shapeText(each.studentBoundary)];
        return [
          String(each.section),
          theirs === own ? theirs : `${theirs}, student ${own}`,
          String(each.teacher.parameters),
          millions(each.teacher.macs),
          String(each.student.parameters),
          millions(each.student.macs),
          bytesText(each.hintBytes),
        ];
      }),
      [
        "all",
        "",
        String(whole.parameters),
        millions(whole.macs),
        `${small.parameters} (${percentText(saved.parameters, 1)} fewer)`,
        `${millions(small.macs)} (${percentText(saved.macs, 1)} fewer)`,
        bytesText(sections.reduce((sum, { hintBytes }) => sum + hintBytes, 0)),
      ],
    ],
  };
  return { json: { teacher: whole, student: small, saved, sections }, table };
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(2)} M`;
}
