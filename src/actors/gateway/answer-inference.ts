/**
 * The body of a request for inference to the body of its answer, by the Open Inference Protocol; whatever carried them.
 * HTTP (src/apps/http) and the bus (`kn.v1.infer.<model>`) answer with it. Outcomes are HTTP's status codes: they are the
 * protocol's, and every failure of a request is one.
 *
 * @example
 * const { status, body } = await answerInference(model, Buffer.from(JSON.stringify({ inputs: [...] })));
 */
import { type ErrorCode, isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { TensorView } from "../../messages/index.ts";
import {
  encodeOpenInferenceAnswer,
  encodeOpenInferenceError,
  jsonBytesOf,
  parseOpenInferenceRequest,
} from "../../messages/open-inference/index.ts";
import type { InferenceRequest, ServedModel, ServedRelease } from "./inference.ts";
import { modelInputOf } from "./model-input.ts";
import { answerOutputsOf, requestedOutputsOf } from "./model-outputs.ts";

export interface AnswerInferenceOptions {
  /** Value of `Inference-Header-Content-Length`: bytes of JSON before binary tensors. @default the whole body is JSON */
  readonly headerLength?: string;
  /** Release that the request names. @default the live one */
  readonly version?: string;
  /** Whose share of the capacity it takes, where the request's parameters name no client. */
  readonly client?: string;
  /** The client has gone: the request leaves the queue. */
  readonly signal?: AbortSignal;
  /** Most bytes of JSON: 25 ms of the thread for these. Binary tensors have no such bound. @default 2,097,152 */
  readonly jsonBytes?: number;
  /** Most pixels of all images together: up to 100 ms of the thread. @default 1,048,576 */
  readonly imagePixels?: number;
}

export interface InferenceBody {
  /** 200, 400, 404, 413, 429, 500, 503 or 504. */
  readonly status: number;
  readonly body: Uint8Array;
  /** Bytes of JSON before binary outputs; absent: all are JSON. */
  readonly headerLength?: number;
  readonly retryAfterMs?: number;
  /** What was computed; absent: nothing. */
  readonly computed?: {
    readonly release: number;
    readonly samples: number;
    readonly batch: number;
    readonly queueMs: number;
    readonly computeMs: number;
  };
}

export const DEFAULT_JSON_BYTES = 2 * 1024 * 1024;
export const DEFAULT_IMAGE_PIXELS = 1024 * 1024;

const STATUS = {
  KN_CONFIG: 404, // no such release
  KN_DECODE: 400,
  KN_SHAPE: 400,
  KN_NUMERIC: 400, // the network is finite (a release is refused otherwise): the input is beyond its range
  KN_OVERLOADED: 429,
  KN_STALE: 504,
  KN_UNAVAILABLE: 503,
  KN_FENCED: 503,
  KN_CHECKPOINT: 500,
  KN_INVARIANT: 500,
} as const satisfies Record<ErrorCode, number>;

/** When a client may come back that no replica could answer, where the gateway does not say. */
const RETRY_UNAVAILABLE_MS = 1000;

/** Never rejects, except with `signal.reason` after an abort. */
export async function answerInference(
  model: ServedModel,
  body: Uint8Array,
  options: AnswerInferenceOptions = {},
): Promise<InferenceBody> {
  try {
    return await answer(model, body, options);
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    return refusalBody(error);
  }
}

/** The body and the status for an error: the protocol's object with one string. */
export function refusalBody(error: unknown, retryAfterMs?: number): InferenceBody {
  const status = isKnowledgeNetError(error) ? STATUS[error.code] : 500;
  const message = error instanceof Error ? error.message : String(error);
  const wait = retryAfterMs ?? (status === 503 || status === 429 ? RETRY_UNAVAILABLE_MS : undefined);
  return { status, body: encodeOpenInferenceError(message), ...(wait === undefined ? {} : { retryAfterMs: wait }) };
}

async function answer(
  model: ServedModel,
  body: Uint8Array,
  {
    headerLength,
    version,
    client = "",
    signal,
    jsonBytes = DEFAULT_JSON_BYTES,
    imagePixels = DEFAULT_IMAGE_PIXELS,
  }: AnswerInferenceOptions,
): Promise<InferenceBody> {
  const served = findRelease(model, version);
  const wire = headerLength === undefined ? {} : { headerLength };
  const json = jsonBytesOf(body, wire);
  if (json > jsonBytes) {
    const message = `JSON of a request must have at most ${jsonBytes} bytes (got ${json}). Send tensors as binary data`;
    return { status: 413, body: encodeOpenInferenceError(message) };
  }
  const request = parseOpenInferenceRequest(body, wire);
  const { manifest } = served;
  const isRaw = "raw" in request;
  const outputs = requestedOutputsOf(isRaw ? { areOutputsBinary: false } : request, manifest);
  const pending = modelInputOf(request, { manifest, maxBatch: model.maxBatch, imagePixels });
  const input = pending instanceof Promise ? await pending : pending;
  const outcome = await model.infer(inferenceRequestOf({ input, client, signal, version, request }));
  if (outcome.kind === "refusal") return refusalBody(outcome.error, outcome.retryAfterMs);
  const { release, logits, batch, queueMs, computeMs } = outcome;
  // A canary or a promotion in between: the names of the classes are those of the release that answered.
  const answered =
    release === served.release
      ? manifest
      : (model.releases.find((each) => each.release === release) ?? served).manifest;
  const encoded = encodeOpenInferenceAnswer({
    model: model.name,
    version: String(release),
    ...(isRaw || request.id === undefined ? {} : { id: request.id }),
    parameters: { batch, queue_ms: rounded(queueMs), compute_ms: rounded(computeMs) },
    outputs: answerOutputsOf(logits, outputs, answered),
  });
  return { status: 200, ...encoded, computed: { release, samples: input.shape[0] ?? 0, batch, queueMs, computeMs } };
}

function inferenceRequestOf({
  input,
  client,
  signal,
  version,
  request,
}: {
  readonly input: TensorView;
  readonly client: string;
  readonly signal: AbortSignal | undefined;
  readonly version: string | undefined;
  readonly request: ReturnType<typeof parseOpenInferenceRequest>;
}): InferenceRequest {
  const isRaw = "raw" in request;
  const timeoutMicros = isRaw ? undefined : request.timeoutMicros;
  return {
    input,
    client: (isRaw ? undefined : request.client) ?? client,
    // Triton: 1 is the highest, 0 the default.
    priority: isRaw || request.priority <= 1 ? "interactive" : "bulk",
    ...(version === undefined ? {} : { release: Number(version) }),
    ...(timeoutMicros === undefined ? {} : { timeoutMs: timeoutMicros / 1000 }),
    ...(isRaw || request.observe === undefined ? {} : { observe: request.observe }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/**
 * The release that a request names, or the live one.
 *
 * @throws KnowledgeNetError KN_CONFIG for one that is not served; KN_UNAVAILABLE where none is live yet
 */
export function findRelease(model: ServedModel, version?: string): ServedRelease {
  const attempt = `answer for model "${model.name}"`;
  if (version === undefined) {
    if (model.live !== undefined) return model.live;
    const value = model.unready.join("; ");
    throw new KnowledgeNetError("KN_UNAVAILABLE", { attempt, rule: "a release must be live", value });
  }
  const found = model.releases.find(({ release }) => String(release) === version);
  if (found !== undefined) return found;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt,
    rule: `versions are ${model.releases.map(({ release }) => release).join(", ") || "none"}`,
    value: version.slice(0, 80),
  });
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
