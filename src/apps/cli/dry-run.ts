/** `--dry-run`: describes the run of a spec without running it. */
import { describeSlices } from "../../jobs/describe-slices.ts";
import { jobKindOf } from "../../jobs/kinds/index.ts";
import type { RunSpec } from "../../run-spec/index.ts";
import { EXIT_OK } from "./exit.ts";
import type { Terminal } from "./terminal.ts";
import { drawText } from "./text-table.ts";

/** @returns the exit code. */
export async function dryRun(spec: RunSpec, isJson: boolean, terminal: Terminal): Promise<number> {
  const { json, text } = jobKindOf(spec).view.plan(spec, await describeSlices(spec));
  terminal.write(isJson ? JSON.stringify(json, undefined, 2) : drawText(text));
  return EXIT_OK;
}
