/**
 * Training in four real processes over a real nats-server while things break. What must hold is checked at every event of
 * the run (tools/reproduce/fault-schedule/audit.ts): no batch applied twice, each one accounted for, one incarnation at a time.
 */
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import {
  runWithFaults,
  type FaultyRunOptions,
  type FaultyRunResult,
} from "../../tools/reproduce/fault-schedule/run-with-faults.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const SPEC = fileURLToPath(new URL("../../examples/mnist-synthetic.yaml", import.meta.url));
/** Bound of such a run. */
export const LONG_MS = 600_000;
/** 100 steps an epoch. */
export const SMALL = ["data.limit=12800", "checkpoint.everySteps=25", "evaluation.batchSize=1000"];

/** The four-layer net in four processes, with what shall go wrong. */
export async function faultyRun(options: Omit<FaultyRunOptions, "spec" | "folder">): Promise<FaultyRunResult> {
  await using folder = await temporaryFolder();
  return await runWithFaults({ spec: SPEC, folder: folder.path, ...options });
}

/** The run has ended well and every batch is accounted for. */
export function expectAccounted(result: FaultyRunResult): void {
  expect(result.outcome).toBe("completed");
  expect(result.violations).toEqual([]);
  expect(result.checked).toBeGreaterThan(result.totalSteps);
  for (const { actor, published, applied, skipped } of result.accounts) {
    const sum = applied + Object.values(skipped).reduce((total, count) => total + count, 0);
    expect({ actor, sum, published }).toEqual({ actor, sum: result.totalSteps, published: result.totalSteps });
  }
}
