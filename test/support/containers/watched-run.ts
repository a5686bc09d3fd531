/** A run of the four-layer net on a fleet, watched from outside: how far it is, and whether its accounts hold. */
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import type { ConnectedFleet } from "../../../src/apps/connect/connect-fleet.ts";
import { awaitOutcome, launchRun } from "../../../src/fleet/launch.ts";
import type { RunRecordEntry } from "../../../src/fleet/records.ts";
import type { RunStatus } from "../../../src/fleet/run-status.ts";
import { type Audit, createAudit } from "../../../tools/reproduce/fault-schedule/audit.ts";
import { describeSlices } from "../../../src/jobs/describe-slices.ts";
import { openDataset } from "../../../src/apps/open-dataset.ts";
import { phaseOf } from "../../../src/fleet/records.ts";
import { createControlChannel } from "../../../src/runtime/actor/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { parseTrainingSpec } from "../../../src/run-spec/index.ts";
import { waitFor } from "../wait-for.ts";

const SPEC = new URL("../../../examples/mnist-synthetic.yaml", import.meta.url);
const REACH_MS = 400_000;

export interface WatchedRun {
  readonly audit: Audit;
  readonly totalSteps: number;
  /** Training step of the last block. */
  readonly step: number;
  /** Node of the actor as the fleet wants it now. */
  nodeOf(actor: string): Promise<string>;
  /** Resolves when that share of the steps is done. */
  reach(share: number): Promise<void>;
  /** Resolves when it has gone on by so many steps. */
  advance(steps: number): Promise<void>;
  ended(): Promise<RunStatus>;
}

export async function watchRun(name: string, set: readonly string[], connected: ConnectedFleet): Promise<WatchedRun> {
  const { fleet, bus } = connected;
  const clock = systemClock();
  const spec = parseTrainingSpec(await readFile(SPEC, "utf8"), { file: SPEC.pathname, set });
  const dataset = await openDataset({ data: spec.data, env: process.env });
  const audit = createAudit();
  let step = 0;
  createControlChannel({ run: name, actor: "audit" }, { bus, log: silentLogger }).watch("*", (event) => {
    audit.observe(event);
    if (event.header.sender === "block-3") step = Math.max(step, event.header.step);
  });
  const record: RunRecordEntry = await launchRun(
    { run: name, spec, ...(await describeSlices(spec)), dataset },
    fleet,
    clock,
  );
  const { totalSteps } = phaseOf(record);
  const until = (wanted: number): Promise<boolean> => waitFor(() => step >= wanted, `step ${wanted}`, REACH_MS);
  return {
    audit,
    totalSteps,
    get step() {
      return step;
    },
    async nodeOf(actor) {
      return (await fleet.runs.get(name))?.value.actors[actor] ?? "";
    },
    async reach(share) {
      await until(Math.ceil(share * totalSteps));
    },
    async advance(steps) {
      await until(step + steps);
    },
    ended: () => awaitOutcome(record, { fleet, clock }, () => undefined, AbortSignal.timeout(REACH_MS)),
  };
}

/** It has completed, every batch is accounted for, and nothing was done twice. @returns its accuracy on the test set */
export function expectWhole(run: WatchedRun, status: RunStatus): number {
  expect({ outcome: status.outcome, error: status.error }).toEqual({ outcome: "completed", error: undefined });
  expect(run.audit.violations).toEqual([]);
  expect(run.audit.checked).toBeGreaterThan(run.totalSteps);
  for (const block of ["block-0", "block-1", "block-2", "block-3"]) {
    const { applied = 0, skipped = {}, pending = 0, step = 0 } = status.record.progress[block] ?? {};
    const sum = applied + pending + Object.values(skipped).reduce((total, count) => total + count, 0);
    expect({ block, sum, step }).toEqual({ block, sum: run.totalSteps, step: run.totalSteps });
  }
  return status.record.evaluations.at(-1)?.accuracy ?? 0;
}
