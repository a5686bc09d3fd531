/** Teacher and student side by side, section by section: shapes at the cuts, parameters, MACs, bytes of a hint. */
import Table from "cli-table3";
import type { SliceDescription } from "../../compute/index.ts";
import { encodedTensorBytes } from "../../messages/index.ts";
import { sizeOf } from "../../jobs/distillation-results.ts";
import { bytes } from "./results-table.ts";
import type { Terminal } from "./terminal.ts";

export interface Comparison {
  readonly teacher: readonly SliceDescription[];
  readonly student: readonly SliceDescription[];
}

export function showComparison({ teacher, student }: Comparison, isJson: boolean, terminal: Terminal): void {
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
  if (isJson) {
    terminal.write(JSON.stringify({ teacher: whole, student: small, saved, sections }, undefined, 2));
    return;
  }
  const table = new Table({
    head: ["section", "ends with", "teacher: parameters", "MACs", "student: parameters", "MACs", "bytes of a hint"],
    style: { head: [], border: [] },
  });
  for (const each of sections) {
    const [theirs, own] = [each.boundary, each.studentBoundary].map((shape) => `[${shape.join(", ")}]`);
    table.push([
      String(each.section),
      theirs === own ? (theirs ?? "") : `${theirs}, student ${own}`,
      String(each.teacher.parameters),
      millions(each.teacher.macs),
      String(each.student.parameters),
      millions(each.student.macs),
      bytes(each.hintBytes),
    ]);
  }
  table.push([
    "all",
    "",
    String(whole.parameters),
    millions(whole.macs),
    `${small.parameters} (${percent(saved.parameters)} fewer)`,
    `${millions(small.macs)} (${percent(saved.macs)} fewer)`,
    bytes(sections.reduce((sum, { hintBytes }) => sum + hintBytes, 0)),
  ]);
  terminal.write(table.toString());
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(2)} M`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
