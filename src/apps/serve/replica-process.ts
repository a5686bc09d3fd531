/** A replica in a process of its own, which a serving process starts and keeps running. */
import { join } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { ServingSpec } from "../../run-spec/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { PACKAGE_ROOT } from "../../../setup/index.ts";
import { keepProcess, type KeptProcess as Kept } from "../connect/kept-process.ts";

/** What all replica processes of a serving process share. */
export interface ReplicaProcessOptions {
  /** Address of the bus, which may hold a password. */
  readonly address: string;
  /** Folder of the models; undefined: the store of the fleet. */
  readonly models: string | undefined;
  /** Folder of their output. */
  readonly folder: string;
  readonly backend: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface ReplicaProcess extends ReplicaProcessOptions {
  readonly run: string;
  readonly spec: ServingSpec;
  readonly slice: number;
  readonly slices: number;
  readonly copy: number;
}

export interface KeptProcess extends AsyncDisposable {
  readonly ended: Promise<void | Error>;
  readonly pid: number | undefined;
}

/** Time to answer the batches that it has before the kill, ms. */
const LEAVE_TIMEOUT_MS = 10_000;

export function keepReplicaProcess(
  { address, models, folder, backend, env, spec, slice, slices, copy }: ReplicaProcess,
  { clock }: { readonly clock: Clock },
): KeptProcess & Pick<Kept, "starts"> {
  const args = ["replica", spec.model, "--slice", `${slice}/${slices}`, "--copy", String(copy), "--backend", backend];
  if (models !== undefined) args.push("--models", models);
  args.push("--max-batch", String(spec.batch.maxSamples), "--exit-with-stdin");
  return keepProcess(
    {
      file: join(PACKAGE_ROOT, "bin", "kn.js"),
      args,
      env: { ...env, KN_BUS: address },
      output: join(folder, `${spec.model}-replica-${slice}-${copy}.out`),
      leaveTimeoutMs: LEAVE_TIMEOUT_MS,
    },
    { clock },
  );
}

/** The run that the actors of a served model belong to. @throws KnowledgeNetError KN_CONFIG */
export function runOfModel(model: string): string {
  const run = `serve-${model}`;
  if (run.length <= 64) return run;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `serve ${model}`,
    rule: "the name of a served model must have at most 58 characters",
    value: `${model.length}`,
    remedy: "publish it under a shorter name: kn publish RUN --model NAME",
  });
}
