/** `kn.v1.infer.<model>` on NATS, with the bare client: one request and its answer. */
import { isKnowledgeNetError } from "../../../src/errors/index.ts";
import { decodeInferReply, encodeInferRequest, inferSubject, type TensorView } from "../../../src/messages/index.ts";
import { connectNats, NatsError } from "../../../src/runtime/nats/index.ts";
import { imageBodies } from "./http-wire.ts";
import { DEFAULT_TIMEOUT_MS, type LoadImages, type LoadStream } from "./load-options.ts";
import { GRACE_MS } from "./generate-load.ts";
import type { Outcome } from "./outcome.ts";
import type { Wire, WireAnswer } from "./wire.ts";

const MAX_REPLY_BYTES = 16 * 1024 * 1024;
const OUTCOME_OF_CODE: Readonly<Record<string, Outcome>> = {
  KN_OVERLOADED: "overloaded",
  KN_UNAVAILABLE: "unavailable",
  KN_STALE: "stale",
};

export interface NatsWireOptions {
  readonly url: string;
  readonly model: string;
  readonly images: LoadImages;
  /** The most samples that one request takes. */
  readonly maxSamples: number;
}

export async function natsWire({ url, model, images, maxSamples }: NatsWireOptions): Promise<Wire> {
  const { connection } = await connectNats({ servers: url, name: "kn load" });
  const subject = inferSubject(model);
  const bodies = imageBodies(images, maxSamples);
  const inputOf = ({ samples = 1 }: LoadStream, image: number): TensorView => {
    const bytes = bodies.of(image, samples);
    const shape = [samples, ...images.shape];
    return images.values instanceof Uint8Array
      ? { dtype: "u8", shape, values: bytes }
      : { dtype: "f32", shape, values: new Float32Array(new Uint8Array(bytes).buffer) };
  };
  let requests = 0;

  const ask = async (stream: LoadStream, image: number): Promise<WireAnswer> => {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, release = 0, priority = "interactive", name } = stream;
    requests += 1;
    const id = String(requests);
    const input = inputOf(stream, image);
    const data = encodeInferRequest({ id, release, remainingMs: timeoutMs, priority, client: name, input });
    // Never the first to give up: the generator is.
    const message = await connection.request(subject, data, { timeout: timeoutMs + 2 * GRACE_MS });
    const reply = decodeInferReply(message.data, { maxBytes: MAX_REPLY_BYTES });
    if (reply.id !== id) return { kind: "failure", outcome: "malformed", text: "the id of another request" };
    if (reply.outcome.kind === "refused") {
      const { code, message: text } = reply.outcome.failure;
      return { kind: "failure", outcome: OUTCOME_OF_CODE[code] ?? "rejected", text };
    }
    const { logits, batch, release: by } = reply.outcome;
    return { kind: "logits", release: by, batch, logits: logits.values as Float32Array };
  };

  return {
    send({ stream, image }, then) {
      let isGivenUp = false;
      ask(stream, image)
        .catch((error: unknown): WireAnswer => ({ kind: "failure", ...failureOf(error) }))
        .then((answer) => {
          if (!isGivenUp) then(answer);
        })
        .catch((error: unknown) => {
          throw error; // of the generator itself: it ends
        });
      return () => (isGivenUp = true);
    },
    close: () => connection.close(),
  };
}

function failureOf(error: unknown): { readonly outcome: Outcome; readonly text: string } {
  const text = error instanceof Error ? error.message : String(error);
  if (isKnowledgeNetError(error, "KN_DECODE")) return { outcome: "malformed", text };
  if (error instanceof NatsError && error.code === "503") return { outcome: "unreachable", text: "no responders" };
  return { outcome: "broken", text };
}
