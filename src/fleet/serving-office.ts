/**
 * Serves a model on the nodes of a fleet: places its replicas, renews the record that the nodes follow, and places the
 * replicas of absent nodes anew. Level-triggered: each turn writes what is wanted now.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../errors/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import type { ServingSpec } from "../run-spec/index.ts";
import type { Fleet } from "./fleet.ts";
import { assertPlaced, placeReplicas } from "./place-replicas.ts";
import { PRESENCE_TTL_MS, WIRE_VERSION } from "./records.ts";
import type { ServingRecord } from "./serving-record.ts";

export interface ServingOfficeOptions {
  readonly run: string;
  readonly spec: ServingSpec;
  readonly slices: number;
  /** Distinguishes this process. */
  readonly holder: string;
}

export interface ServingOfficeDeps {
  readonly fleet: Pick<Fleet, "nodes" | "serving">;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ServingOffice extends AsyncDisposable {
  /** Node of each replica. */
  readonly replicas: Readonly<Record<string, string>>;
  /** Resolves when it has left: with KN_FENCED when another process serves the model instead. Never rejects. */
  readonly ended: Promise<void | Error>;
}

/** Three renewals in the life of a record. */
const RENEW_MS = PRESENCE_TTL_MS / 3;
/** Between two looks at the record of a process that may be gone, ms. */
const LOOK_MS = 500;

/**
 * Resolves when the replicas are placed: after the end of what a killed process has left, some seconds. Rejects with
 * KN_CONFIG when another process serves the model on this fleet, or no node is there.
 */
export async function openServingOffice(
  { run, spec, slices, holder }: ServingOfficeOptions,
  { fleet, clock, log }: ServingOfficeDeps,
): Promise<ServingOffice> {
  const leaving = new AbortController();
  let replicas: Record<string, string> = {};

  /** @returns the record of another process */
  const renew = async (): Promise<ServingRecord | undefined> => {
    const found = await fleet.serving.get(run);
    if (found !== undefined && found.value.holder !== holder) return found.value;
    const others = (await fleet.serving.all()).filter((each) => each.run !== run);
    replicas = placeReplicas({
      ...{ spec, slices, before: replicas, nodes: await fleet.nodes.all() },
      others: others.flatMap((each) => Object.values(each.replicas)),
    });
    const record: ServingRecord = { format: 1, run, wireVersion: WIRE_VERSION, spec, slices, replicas, holder };
    await fleet.serving.put(run, record);
    return undefined;
  };
  const served = (other: ServingRecord): { attempt: string; rule: string; value: string; remedy: string } => ({
    attempt: `serve ${spec.model} on the fleet`,
    rule: "one process at a time may place its replicas",
    value: `${other.holder} does`,
    remedy: `end it, or add a gateway beside it: kn serve ${spec.model} --nodes none`,
  });

  /** The record of a process that is gone expires. @returns that of one which renews it */
  const awaitFormer = async (): Promise<ServingRecord | undefined> => {
    const endMs = clock.now() + PRESENCE_TTL_MS + RENEW_MS;
    let seen: number | undefined;
    for (;;) {
      const found = await fleet.serving.get(run);
      if (found === undefined || found.value.holder === holder) return undefined;
      seen ??= found.revision;
      if (found.revision !== seen || clock.now() >= endMs) return found.value;
      await clock.sleep(LOOK_MS);
    }
  };

  const other = (await awaitFormer()) ?? (await renew());
  if (other !== undefined) throw new KnowledgeNetError("KN_CONFIG", served(other));
  assertPlaced(spec, replicas);
  const tell = (): void => {
    const waiting = slices * spec.replicas - Object.keys(replicas).length;
    if (waiting > 0) log.warn({ model: spec.model, replicas, waiting }, "replicas wait for a node that may host them");
    else log.info({ model: spec.model, replicas }, "replicas placed");
  };
  tell();

  const renewRegularly = async (): Promise<void | Error> => {
    while (!leaving.signal.aborted) {
      await clock.sleep(RENEW_MS, leaving.signal).catch(() => undefined);
      if (leaving.signal.aborted) break;
      try {
        const before = JSON.stringify(replicas);
        const taken = await renew();
        if (taken !== undefined) return new KnowledgeNetError("KN_FENCED", served(taken));
        if (JSON.stringify(replicas) !== before) tell();
      } catch (error) {
        log.warn({ err: error }, "the serving record was not renewed; trying again");
      }
    }
    return undefined;
  };
  const ended = renewRegularly();

  return {
    get replicas() {
      return replicas;
    },
    ended,
    async [Symbol.asyncDispose]() {
      leaving.abort();
      if ((await ended) instanceof Error) return;
      try {
        await fleet.serving.kv.delete(run);
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error; // it expires
      }
    },
  };
}
