/** Whether a request is taken in: refused at once is what breaks a rule, or could not be answered in time. Pure. */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { BatchTimes } from "./batch-times.ts";
import type { BulkPace } from "./bulk-pace.ts";
import { type GatewayReleases, notServed } from "./gateway-releases.ts";
import type { InferenceRequest, Priority, ServedRelease } from "./inference.ts";
import { refusalOf, type RefusalCause } from "./refusals.ts";
import type { ReplicaTable } from "./replica-table.ts";

export interface AdmissionFacts {
  readonly model: string;
  readonly maxBatch: number;
  readonly maxBulkBatch: number;
  readonly targetMs: number;
  /** Time of this request, ms. */
  readonly limitMs: number;
  readonly isClosed: boolean;
  /** A request may ask that observers get its input. */
  readonly isObservable: boolean;
  readonly releases: Pick<GatewayReleases, "live" | "served" | "resolve">;
  readonly table: Pick<ReplicaTable, "lanes">;
  readonly times: BatchTimes;
  readonly bulkPace: Pick<BulkPace, "msPerSample">;
  /** Waiting samples that would be computed before it. */
  readonly samplesBefore: number;
  /** Batches that are being computed. */
  readonly underWay: { readonly count: number; readonly samples: number };
}

export interface Refused {
  readonly cause: RefusalCause;
  readonly refusal: { readonly error: KnowledgeNetError; readonly retryAfterMs?: number };
}

/** A client that is told to come back while nothing can be computed waits for so long, ms. */
const RETRY_MS = 1_000;

/** Of its time limit: predictions err, and what would be just in time is late half of the time, and computed in vain. */
const CERTAINTY = 0.8;

/** @returns undefined: it is taken in */
export function admit(request: InferenceRequest, facts: AdmissionFacts): Refused | undefined {
  const { model, isClosed, releases, limitMs } = facts;
  const refuse = (cause: RefusalCause, error: KnowledgeNetError, retryAfterMs?: number): Refused => ({
    cause,
    refusal: { error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  });
  const unavailable = (detail: string): Refused =>
    refuse("unavailable", refusalOf("unavailable", { model, timeoutMs: limitMs, detail }), RETRY_MS);
  if (isClosed) return unavailable("the gateway leaves");
  const { release } = request;
  const served = release === undefined ? releases.live : releases.resolve(release);
  if (served === undefined) {
    return release === undefined
      ? unavailable("no release is loaded everywhere")
      : refuse("invalid", notServed(model, release, releases.served));
  }
  if (request.observe === true && !facts.isObservable) return refuse("invalid", notObservable(model));
  const invalid = inputError(request, served, facts);
  if (invalid !== undefined) return refuse("invalid", invalid);
  const late = lateness(request, served.release, facts);
  if (late === undefined) return undefined;
  return refuse(
    "overloaded",
    refusalOf("overloaded", { model, timeoutMs: limitMs, detail: late.detail }),
    late.retryAfterMs,
  );
}

function notObservable(model: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `observe an input of ${model}`,
    rule: "the server must allow it",
    value: "it was started without observing",
    remedy: "start it with kn serve --observe, or send the request without `observe`",
  });
}

function inputError(
  { input }: InferenceRequest,
  { manifest }: ServedRelease,
  { model, maxBatch }: AdmissionFacts,
): KnowledgeNetError | undefined {
  const [samples = 0, ...sample] = input.shape;
  const expected = manifest.network.input;
  const refuse = (rule: string, remedy?: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_SHAPE", {
      attempt: `infer with ${model}`,
      rule,
      value: `[${input.shape.join(", ")}]`,
      ...(remedy === undefined ? {} : { remedy }),
    });
  if (sample.join() !== expected.join()) return refuse(`the input must have the shape [n, ${expected.join(", ")}]`);
  if (samples < 1 || samples > maxBatch)
    return refuse(`a request must have 1 to ${maxBatch} samples`, "send it in several requests");
  // Its neighbours in a batch would get its rows.
  const size = expected.reduce((product, extent) => product * extent, samples);
  if (input.values.length !== size)
    return refuse(`an input of that shape must have ${size} values, not ${input.values.length}`);
  return undefined;
}

/** @returns undefined: it will be in time, as far as can be told */
function lateness(
  { input, priority = "interactive" }: InferenceRequest,
  release: number,
  facts: AdmissionFacts,
): { readonly detail: string; readonly retryAfterMs: number } | undefined {
  const { targetMs, limitMs, times, samplesBefore, underWay } = facts;
  if (samplesBefore === 0 && underWay.count === 0) return undefined; // it is computed at once
  const samples = input.shape[0] ?? 1;
  const totalMs = waitMs(priority, release, facts) + times.latencyMs(samples);
  // Bulk work has no latency to keep but that which it names.
  const inTimeMs = CERTAINTY * limitMs;
  const allowedMs =
    priority === "bulk" ? inTimeMs : Math.min(inTimeMs, Math.max(targetMs, 2 * times.latencyMs(samples)));
  if (totalMs <= allowedMs) return undefined;
  return {
    detail: `the answer would take ${Math.round(totalMs)} ms, allowed are ${Math.round(allowedMs)} ms`,
    retryAfterMs: Math.max(1, Math.ceil(totalMs - allowedMs)),
  };
}

/** Until a request that comes now is sent, as far as can be told. */
function waitMs(
  priority: Priority,
  release: number,
  { maxBatch, maxBulkBatch, table, times, bulkPace, samplesBefore, underWay }: AdmissionFacts,
): number {
  const lanes = Math.max(1, table.lanes(release));
  const computingMs = underWay.count === 0 ? 0 : underWay.count * times.intervalMs(underWay.samples / underWay.count);
  if (priority === "interactive") {
    return ((samplesBefore / maxBatch) * times.intervalMs(maxBatch) + computingMs) / lanes;
  }
  // Without interactive requests its batches follow one another.
  const leastMsPerSample = times.latencyMs(maxBulkBatch) / maxBulkBatch / lanes;
  return samplesBefore * Math.max(bulkPace.msPerSample, leastMsPerSample) + computingMs / lanes;
}
