/** Replaces the teacher of a distillation run by another version: the same layers with other weights. */
import { isDeepStrictEqual } from "node:util";
import { KnowledgeNetError } from "../errors/index.ts";
import { createControlChannel } from "../runtime/actor/index.ts";
import { type Release, scopeOfRun } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { fileStore } from "../runtime/store/index.ts";
import { silentLogger } from "../runtime/telemetry/index.ts";
import { FEEDER, type ModelSpec, type RunSpec } from "../run-spec/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { Fleet } from "./fleet.ts";
import { runRecordOf } from "./launch.ts";
import { findTeacher, type FoundModel, publishTeacher } from "../jobs/find-teacher.ts";
import { jobKindOf } from "../jobs/kinds/index.ts";
import type { RunFolder } from "../jobs/run-folder.ts";

export interface TeachOptions {
  /** A finished run, or a `model.json`. */
  readonly teacher: string;
  /** Where runs are kept. */
  readonly runs: string;
  readonly onDamaged: (line: string) => void;
}

/** Time limit for the feeder's answer, ms. */
const ORDER_DEADLINE_MS = 5_000;

/**
 * For a run on a fleet: the new teacher applies from the next batch. Rejects with KN_CONFIG when the run has ended or
 * the layers differ from those of its teacher, KN_UNAVAILABLE when the feeder does not answer: it then reads the new
 * version at the end of the epoch.
 */
export async function teachFleetRun(
  run: string,
  options: TeachOptions,
  { bus, fleet }: { readonly bus: Bus; readonly fleet: Fleet },
  clock: Clock,
): Promise<Release> {
  const record = await runRecordOf(run, fleet);
  if (record.desired !== "running") {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `teach ${run}`,
      rule: "it must be running",
      value: `it is ${record.desired}`,
      remedy: `resume it first: kn resume ${run}`,
    });
  }
  const found = await sameTeacher(record.spec, options, clock);
  const release = await publishTeacher(fleet.store, found, scopeOfRun(run));
  const channel = createControlChannel({ run, actor: "kn-teach" }, { bus, log: silentLogger });
  const command = { kind: "UseTeacher", version: release.release } as const;
  await channel.order(FEEDER, command, { timeoutMs: ORDER_DEADLINE_MS });
  return release;
}

/** For a run in a folder that no process uses: the new teacher applies on resume. Rejects as `teachFleetRun` does. */
export async function teachRunFolder(folder: RunFolder, options: TeachOptions, clock: Clock): Promise<Release> {
  const found = await sameTeacher(folder.spec, options, clock);
  await using store = await fileStore({ directory: folder.storePath, clock });
  return await publishTeacher(store, found, scopeOfRun(folder.name));
}

async function sameTeacher(
  spec: RunSpec,
  { teacher, runs, onDamaged }: TeachOptions,
  clock: Clock,
): Promise<Pick<FoundModel, "model" | "tensors">> {
  const model = teacherModelIn(spec);
  const named = teacher.endsWith(".json") ? { file: teacher } : { run: teacher };
  const found = await findTeacher(
    { teacher: { ...named, cuts: model.cuts, replicas: 1 }, runs, note: onDamaged },
    clock,
  );
  const [wanted, given] = [model, found.model].map(({ cuts: _cuts, ...rest }) => rest);
  if (isDeepStrictEqual(wanted, given)) return { model, tensors: found.tensors };
  const at = model.layers.findIndex((layer, index) => !isDeepStrictEqual(layer, found.model.layers[index]));
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `teach ${spec.name} by ${teacher}`,
    rule: "a new version must have the layers of the previous one",
    value:
      at < 0
        ? "input, classes or the number of layers differ"
        : `layer ${at}: ${JSON.stringify(found.model.layers[at])} instead of ${JSON.stringify(model.layers[at])}`,
    remedy: "start another run with that teacher: kn run --teacher",
  });
}

function teacherModelIn(spec: RunSpec): ModelSpec {
  const { teaching } = jobKindOf(spec);
  if (teaching !== undefined) return teaching.teacherModelOf(spec);
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `teach ${spec.name}`,
    rule: "it must be a distillation run",
    value: spec.kind,
  });
}
