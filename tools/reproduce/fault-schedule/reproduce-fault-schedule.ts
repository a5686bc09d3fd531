/** Runs the fault schedule once and writes its result. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeJson } from "../../../src/jobs/run-folder.ts";
import { MNIST_SPEC } from "../mnist/settings.ts";
import { provenance, ROOT, say } from "../run-kn.ts";
import { runWithFaults, faultScheduleOf } from "./run-with-faults.ts";

/** @returns 1 when something that must hold did not. */
export async function reproduceFaultSchedule(epochs: number, out: string): Promise<number> {
  const work = await mkdtemp(join(tmpdir(), "knowledgenet-faults-"));
  try {
    const options = faultScheduleOf(epochs);
    const result = await runWithFaults({ spec: join(ROOT, MNIST_SPEC), folder: work, onEvent: say, ...options });
    await mkdir(out, { recursive: true });
    await writeJson(join(out, "result.json"), {
      command: `npm run reproduce -- fault-schedule --epochs ${epochs}`,
      options,
      result,
      ...(await provenance()),
    });
    say(`${(100 * result.accuracy).toFixed(2)} %, ${result.violations.length} violations in ${result.checked} events`);
    say(`written to ${join(out, "result.json")}`);
    return result.outcome === "completed" && result.violations.length === 0 ? 0 : 1;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
