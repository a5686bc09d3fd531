/** Cache of teacher activations on this machine, shared by all runs of one user. */
import { join, resolve } from "node:path";
import { createFileRecordCache, type RecordCache } from "../runtime/cache/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { jobKindOf } from "../jobs/kinds/index.ts";
import type { RunSpec } from "../run-spec/index.ts";
import { cacheRoot } from "../../setup/index.ts";

export interface KnowledgeCacheDeps {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @returns undefined for a run without a teacher or with a spec that disables the cache. */
export function openKnowledgeCache(spec: RunSpec, { env, clock, log }: KnowledgeCacheDeps): RecordCache | undefined {
  const cache = jobKindOf(spec).teaching?.cacheOf(spec);
  if (cache === undefined) return undefined;
  const directory = resolve(cache.directory ?? join(cacheRoot(env), "hints"));
  return createFileRecordCache({ directory, budgetBytes: cache.budgetMiB * 2 ** 20 }, { clock, log });
}
