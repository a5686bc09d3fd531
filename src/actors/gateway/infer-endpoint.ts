/**
 * Requests for inference on the bus, `kn.v1.infer.<model>`: a service of its own (`kn-infer`), so that it can leave the bus
 * before the gateway does. Each request goes to one gateway of the model. A body is an InferRequest, or text that
 * the Open Inference Protocol takes (JSON, a PNG or JPEG file): the first byte tells which.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  copyTensor,
  decodeInferRequest,
  encodeInferReply,
  failureOf,
  inferSubject,
  type InferReply,
  type InferRequest,
} from "../../messages/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import { answerInference, refusalBody } from "./answer-inference.ts";
import type { InferenceOutcome, ServedModel } from "./inference.ts";

export interface InferEndpointOptions {
  /** Largest request, bytes. */
  readonly maxFrameBytes: number;
  readonly softwareVersion: string;
}

export interface InferEndpointDeps {
  readonly served: ServedModel;
  readonly bus: Bus;
}

export interface InferEndpoint {
  /** Takes no request any more; resolves when those that came are answered. Safe to call twice. */
  leave(): Promise<void>;
}

/** A gateway of a model takes the next request: they are all alike. */
const QUEUE = "gateways";

export async function openInferEndpoint(
  { maxFrameBytes, softwareVersion }: InferEndpointOptions,
  { served, bus }: InferEndpointDeps,
): Promise<InferEndpoint> {
  const answering = new Set<Promise<unknown>>();
  const counts = { requests: 0, answers: 0, refusals: 0 };

  const infer = async (request: InferRequest): Promise<InferenceOutcome> => {
    const { release, remainingMs, priority, client, input, observe } = request;
    return served.infer({
      // The message is lent for the length of the handler only.
      input: copyTensor(input),
      client,
      priority,
      ...(release === 0 ? {} : { release }),
      ...(remainingMs === 0 ? {} : { timeoutMs: remainingMs }),
      ...(observe === undefined ? {} : { observe }),
    });
  };

  const answerRequest = async (data: Uint8Array): Promise<Uint8Array> => {
    let id = "";
    const refuse = (error: unknown): Uint8Array =>
      encodeInferReply({ id, outcome: { kind: "refused", failure: failureOf(error), retryAfterMs: 0 } });
    try {
      const request = decodeInferRequest(data, { maxBytes: maxFrameBytes });
      ({ id } = request);
      const outcome = await infer(request);
      counts[outcome.kind === "answer" ? "answers" : "refusals"] += 1;
      return fitting(encodeInferReply(replyOf(id, outcome)), bus.maxPayloadBytes, refuse);
    } catch (error) {
      counts.refusals += 1;
      return refuse(error);
    }
  };

  const answerText = async (data: Uint8Array): Promise<Uint8Array> => {
    const { status, body } = await answerInference(served, data);
    counts[status === 200 ? "answers" : "refusals"] += 1;
    return fitting(body, bus.maxPayloadBytes, (error) => refusalBody(error).body);
  };

  const answer = (data: Uint8Array): Promise<Uint8Array> => {
    counts.requests += 1;
    return isText(data) ? answerText(data.slice()) : answerRequest(data);
  };

  const service = await bus.service({
    name: "kn-infer",
    version: softwareVersion,
    description: `inference with ${served.name}`,
    metadata: { model: served.name },
    endpoints: [
      {
        name: "infer",
        subject: inferSubject(served.name),
        queue: QUEUE,
        async handler(message) {
          const work = answer(message.data);
          answering.add(work);
          try {
            message.respond(await work);
          } finally {
            answering.delete(work);
          }
        },
      },
    ],
    stats: () => ({ ...counts, live: served.live?.release ?? null }),
  });

  let leaving: Promise<void> | undefined;
  const leave = async (): Promise<void> => {
    await service.stop();
    await Promise.allSettled([...answering]);
    await bus.flush().catch(() => undefined); // a lost connection: nobody waits for these answers
  };
  return { leave: () => (leaving ??= leave()) };
}

/** The answer, or the refusal of one that no message can hold: a time-out would not say so. */
function fitting(
  reply: Uint8Array,
  maxPayloadBytes: number,
  refuse: (error: KnowledgeNetError) => Uint8Array,
): Uint8Array {
  if (reply.byteLength <= maxPayloadBytes) return reply;
  return refuse(
    new KnowledgeNetError("KN_OVERLOADED", {
      attempt: "answer a request for inference",
      rule: `the server takes messages of at most ${maxPayloadBytes} bytes`,
      value: `${reply.byteLength} bytes`,
      remedy: "send fewer samples in one request",
    }),
  );
}

function replyOf(id: string, outcome: InferenceOutcome): InferReply {
  if (outcome.kind === "answer") {
    const { release, batch, logits } = outcome;
    return { id, outcome: { kind: "logits", release, batch, logits } };
  }
  const { error, retryAfterMs = 0 } = outcome;
  return { id, outcome: { kind: "refused", failure: failureOf(error), retryAfterMs } };
}

/** JSON, PNG or JPEG by the first byte, with which no InferRequest begins; an empty body is no request either. */
function isText([first]: Uint8Array): boolean {
  return first === undefined || first === 0x7b || first === 0x89 || first === 0xff;
}
