/** Counts and times of each release since the start, for Triton's statistics. */
import type { InferenceBody, ServedModel } from "../../actors/gateway/index.ts";
import type { ModelStatistics } from "../../messages/open-inference/index.ts";

export interface InferenceStatistics {
  /** @param release that was asked for, where nothing was computed */
  record(model: string, release: number, outcome: InferenceBody, times: { tookMs: number; wallTimeMs: number }): void;
  /** In the order of the model's releases. */
  of(model: ServedModel, version?: string): readonly ModelStatistics[];
}

/** Releases that are remembered: a promotion each few minutes for a day. */
const MAX_RELEASES = 1024;

interface Count {
  count: number;
  totalMs: number;
}

export function createInferenceStatistics(): InferenceStatistics {
  const counters = new Map<string, ReturnType<typeof emptyCounters>>();
  return {
    record(model, release, { status, computed }, { tookMs, wallTimeMs }) {
      const key = `${model}/${computed?.release ?? release}`;
      let found = counters.get(key);
      if (found === undefined) {
        found = emptyCounters();
        counters.set(key, found);
        if (counters.size > MAX_RELEASES) counters.delete(counters.keys().next().value ?? key);
      }
      found.lastInferenceMs = wallTimeMs;
      add(status === 200 ? found.success : found.fail, tookMs);
      if (computed === undefined) return;
      found.inferences += computed.samples;
      add(found.queue, computed.queueMs);
      add(found.compute, computed.computeMs);
    },
    of({ name, releases }, version) {
      return releases
        .filter(({ release }) => version === undefined || String(release) === version)
        .map(({ release }) => ({
          name,
          version: String(release),
          ...(counters.get(`${name}/${release}`) ?? emptyCounters()),
        }));
    },
  };
}

function emptyCounters() {
  const none = (): Count => ({ count: 0, totalMs: 0 });
  return { lastInferenceMs: 0, inferences: 0, success: none(), fail: none(), queue: none(), compute: none() };
}

function add(to: Count, ms: number): void {
  to.count += 1;
  to.totalMs += ms;
}
