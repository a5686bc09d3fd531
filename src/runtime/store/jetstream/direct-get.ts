/**
 * One message of a stream by JetStream's Direct Get (ADR-31): plain bytes instead of base64 in JSON. nats.js 2.29.3 has it
 * for the last message of a subject only.
 */
import type { NatsConnection } from "../../nats/index.ts";

const NOT_FOUND = 404;
/** As nats.js asks JetStream, ms. */
const TIMEOUT_MS = 5_000;

export interface StreamMessage {
  readonly data: Uint8Array;
  readonly seq: number;
}

export interface DirectQuery {
  /** The first one with this sequence or a later one, */
  readonly seq: number;
  /** on this subject. */
  readonly next_by_subj: string;
}

/** @returns undefined when the replica that answers has no such message */
export async function directGet(
  connection: NatsConnection,
  { stream, domain }: { readonly stream: string; readonly domain: string | undefined },
  query: DirectQuery,
): Promise<StreamMessage | undefined> {
  const api = domain === undefined ? "$JS.API" : `$JS.${domain}.API`;
  const { data, headers } = await connection.request(`${api}.DIRECT.GET.${stream}`, JSON.stringify(query), {
    timeout: TIMEOUT_MS,
  });
  if (headers?.code === NOT_FOUND) return undefined;
  const seq = Number(headers?.get("Nats-Sequence"));
  if (Number.isSafeInteger(seq) && seq > 0) return { data, seq };
  throw new Error(`JetStream answered a direct get with ${headers?.code ?? "no"} ${headers?.description ?? "headers"}`);
}
