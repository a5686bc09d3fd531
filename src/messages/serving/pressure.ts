/** That requests for inference wait too long; every field as in serving.proto. */
import { MAX_HOST } from "../control/replica-state.ts";
import { wire } from "../generated/knowledgenet.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readNumber, readText, readToken } from "../wire/fields.ts";
import { refusal } from "../wire/refusal.ts";

export interface ServingPressure {
  readonly model: string;
  readonly queueMs: number;
  readonly targetMs: number;
  /** Machines that compute the model. */
  readonly hosts: readonly string[];
}

const ATTEMPT = "decode a notice of pressure";
const MAX_HOSTS = 64;
const MAX_BYTES = 32 * 1024;

export function encodeServingPressure({ model, queueMs, targetMs, hosts }: ServingPressure): Uint8Array {
  return wire.ServingPressure.encode({ model, queueMs, targetMs, hosts: hosts.slice(0, MAX_HOSTS) }).finish();
}

/** @throws KnowledgeNetError KN_DECODE. */
export function decodeServingPressure(data: Uint8Array): ServingPressure {
  return decodeWire(wire.ServingPressure, data, { attempt: ATTEMPT, maxBytes: MAX_BYTES }, (fields) => {
    const hosts = fields.hosts ?? [];
    if (hosts.length > MAX_HOSTS) throw refusal(ATTEMPT, `at most ${MAX_HOSTS} machines must compute it`, hosts.length);
    return {
      model: readToken(ATTEMPT, "model", fields.model),
      queueMs: readNumber(ATTEMPT, "queue_ms", fields.queueMs, 0),
      targetMs: readNumber(ATTEMPT, "target_ms", fields.targetMs, 0),
      hosts: hosts.map((host) => readText(ATTEMPT, "hosts", host, MAX_HOST)),
    };
  });
}
