/** A client's request on `kn.v1.infer.<model>` and its answer; every field as in serving.proto. */
import { type InferReplyFields, type InferRequestFields, wire } from "../generated/knowledgenet.ts";
import { type Failure, readFailure, writeFailure } from "../control/failure.ts";
import { rawTensor } from "../tensor/raw-tensor.ts";
import { readTensor, type TensorLimits } from "../tensor/tensor-codec.ts";
import type { TensorView } from "../tensor/tensor-view.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readCount, readText } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";

export interface InferRequest {
  readonly id: string;
  /** 0: the live one. */
  readonly release: number;
  /** 0: the gateway's own limit. */
  readonly remainingMs: number;
  readonly priority: "interactive" | "bulk";
  readonly client: string;
  /** [n, ...input], f32 or u8. */
  readonly input: TensorView;
  /** Observers get the input. @default false */
  readonly observe?: boolean;
}

export interface InferReply {
  readonly id: string;
  readonly outcome:
    | { readonly kind: "logits"; readonly release: number; readonly batch: number; readonly logits: TensorView }
    | { readonly kind: "refused"; readonly failure: Failure; readonly retryAfterMs: number };
}

/** Longest id and client's name, characters. */
const MAX_NAME = 128;
const PRIORITIES = { interactive: wire.Priority.PRIORITY_INTERACTIVE, bulk: wire.Priority.PRIORITY_BULK } as const;

const REQUEST = "decode a request for inference";
const REPLY = "decode an answer of inference";

/** @throws KnowledgeNetError KN_NUMERIC on a value that is not finite; RangeError on an invalid request. */
export function encodeInferRequest(request: InferRequest): Uint8Array {
  return wire.InferRequest.encode({
    id: request.id,
    release: writeCount("release", request.release),
    remainingMs: writeCount("remainingMs", request.remainingMs),
    priority: PRIORITIES[request.priority],
    client: request.client,
    input: rawTensor(request.input),
    ...(request.observe === true ? { observe: true } : {}),
  }).finish();
}

/** The input may be a view on `data`. @throws KnowledgeNetError KN_DECODE. */
export function decodeInferRequest(
  data: Uint8Array,
  limits: TensorLimits & { readonly maxBytes: number },
): InferRequest {
  return decodeWire(wire.InferRequest, data, { attempt: REQUEST, maxBytes: limits.maxBytes }, (fields) =>
    readRequest(fields, limits),
  );
}

/** @throws KnowledgeNetError KN_NUMERIC on a value that is not finite. */
export function encodeInferReply({ id, outcome }: InferReply): Uint8Array {
  if (outcome.kind === "refused") {
    const { failure, retryAfterMs } = outcome;
    return wire.InferReply.encode({
      id,
      failure: writeFailure(failure),
      retryAfterMs: writeCount("retryAfterMs", Math.ceil(retryAfterMs)),
    }).finish();
  }
  const { release, batch, logits } = outcome;
  return wire.InferReply.encode({ id, release, batch, logits: rawTensor(logits) }).finish();
}

/** The logits may be a view on `data`. @throws KnowledgeNetError KN_DECODE. */
export function decodeInferReply(data: Uint8Array, limits: { readonly maxBytes: number }): InferReply {
  return decodeWire(wire.InferReply, data, { attempt: REPLY, maxBytes: limits.maxBytes }, readReply);
}

function readRequest(fields: InferRequestFields, limits: TensorLimits): InferRequest {
  const input = readTensor(REQUEST, fields.input, limits);
  if (input.dtype === "i32") throw refusal(REQUEST, "the input must be f32 or u8", input.dtype);
  return {
    id: readText(REQUEST, "id", fields.id, MAX_NAME),
    release: readCount(REQUEST, "release", fields.release),
    remainingMs: readCount(REQUEST, "remaining_ms", fields.remainingMs),
    priority: fields.priority === PRIORITIES.bulk ? "bulk" : "interactive",
    client: readText(REQUEST, "client", fields.client, MAX_NAME),
    input,
    ...(fields.observe === true ? { observe: true } : {}),
  };
}

function readReply(fields: InferReplyFields): InferReply {
  const id = readText(REPLY, "id", fields.id, MAX_NAME);
  if (fields.failure) {
    const failure = readFailure(REPLY, fields.failure);
    return {
      id,
      outcome: { kind: "refused", failure, retryAfterMs: readCount(REPLY, "retry_after_ms", fields.retryAfterMs) },
    };
  }
  const logits = readTensor(REPLY, fields.logits);
  if (logits.dtype !== "f32") throw refusal(REPLY, "logits must be f32", logits.dtype);
  const release = readCount(REPLY, "release", fields.release);
  return { id, outcome: { kind: "logits", release, batch: readCount(REPLY, "batch", fields.batch), logits } };
}
