/**
 * The right to be one actor: a record in a bucket whose values expire, renewed while the holder lives. Whoever takes the
 * record after it expired gets a higher fence, and a holder that finds it taken (it was suspended, or cut off) has lost.
 *
 * The fence also grows when the store was lost and began anew with small revisions: the time of writing, by the store's
 * clock, is its upper part.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../clock/clock.ts";
import type { KeyValue } from "../store/store.ts";
import type { Logger } from "../telemetry/logger.ts";

export interface LeaseOptions {
  /** Key of the record: `<run>.<actor>`. */
  readonly key: string;
  /** Who asks: the node. Of a former life of the same holder a lease is taken over at once. */
  readonly holder: string;
  /** Tells the lives of one holder apart. */
  readonly instance: string;
  /** Of the bucket, ms. */
  readonly ttlMs: number;
  /** Written into the record, for readers. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface LeaseDeps {
  readonly leases: KeyValue;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Lease {
  readonly fence: number;
  /** Resolves when it is no longer ours: with KN_FENCED when another took it, with nothing after `release`. Never rejects. */
  readonly ended: Promise<void | Error>;
  /** Gives it back, so that the next one need not wait for its expiry. Never rejects. */
  release(): Promise<void>;
}

interface LeaseRecord {
  readonly holder: string;
  readonly instance: string;
  readonly fence: number;
}

/** Renewals within the life of a record: two may be lost. */
const RENEWALS_PER_TTL = 3;
/** Of a second: revisions up to 2 million between two seconds keep their order. */
const REVISION_RANGE = 2 ** 21;

/** Waits until the lease is free and takes it. Rejects with `signal.reason` on abort. */
export async function acquireLease(options: LeaseOptions, deps: LeaseDeps, signal: AbortSignal): Promise<Lease> {
  const { ttlMs } = options;
  for (;;) {
    signal.throwIfAborted();
    const lease = await tryLease(options, deps);
    if (lease !== undefined) return lease;
    await deps.clock.sleep(ttlMs / RENEWALS_PER_TTL, signal);
  }
}

/** @returns undefined when another holds it, or the store does not answer now. */
export async function tryLease(options: LeaseOptions, deps: LeaseDeps): Promise<Lease | undefined> {
  const { key, holder, instance, facts } = options;
  const { leases, log } = deps;
  const record = (fence: number): Uint8Array => encode({ ...facts, holder, instance, fence });
  try {
    const found = await leases.get(key);
    const isOurs = found !== undefined && decode(found.value)?.holder === holder;
    if (found !== undefined && !isOurs) return undefined;
    const taken =
      found === undefined ? await leases.create(key, record(0)) : await leases.update(key, record(0), found.revision);
    const written = await leases.get(key);
    if (written?.revision !== taken) return undefined;
    const fence = Math.floor(written.writtenMs / 1000) * REVISION_RANGE + taken;
    return keepLease({ ...options, fence, revision: await leases.update(key, record(fence), taken) }, deps);
  } catch (error) {
    if (!isKnowledgeNetError(error, "KN_FENCED", "KN_UNAVAILABLE")) throw error;
    log.debug({ err: error, lease: key }, "lease not taken");
    return undefined;
  }
}

interface KeptLease extends LeaseOptions {
  readonly fence: number;
  readonly revision: number;
}

function keepLease({ key, holder, instance, ttlMs, facts, fence, ...first }: KeptLease, deps: LeaseDeps): Lease {
  const { leases, clock, log } = deps;
  const stopping = new AbortController();
  const value = encode({ ...facts, holder, instance, fence });
  let revision = first.revision;
  let finish: (outcome: void | Error) => void = () => undefined;
  const ended = new Promise<void | Error>((resolve) => {
    finish = resolve;
  });

  const renew = async (): Promise<void> => {
    try {
      revision = await leases.update(key, value, revision);
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
      const found = await leases.get(key);
      // Expired while nobody else wanted it, or lost with its store: it is still ours. Or an answer of before was lost.
      if (found === undefined) revision = await leases.create(key, value);
      else if (decode(found.value)?.fence === fence) revision = await leases.update(key, value, found.revision);
      else throw error;
    }
  };

  const keep = async (): Promise<void | Error> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(ttlMs / RENEWALS_PER_TTL, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) return undefined;
      try {
        await renew();
      } catch (error) {
        if (isKnowledgeNetError(error, "KN_FENCED")) {
          return new KnowledgeNetError("KN_FENCED", {
            attempt: `go on as ${key}`,
            rule: "its lease must be ours",
            value: "taken by another",
            remedy: "nothing: the other goes on from the last checkpoint",
            cause: error,
          });
        }
        // The store is away; then nobody else can take the lease either.
        log.debug({ err: error, lease: key }, "lease not renewed");
      }
    }
    return undefined;
  };
  void keep().then(finish);

  return {
    fence,
    ended,
    async release() {
      stopping.abort();
      if ((await ended) instanceof Error) return;
      try {
        await leases.delete(key, revision);
      } catch (error) {
        log.debug({ err: error, lease: key }, "lease not given back; it expires");
      }
    },
  };
}

function encode(record: LeaseRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

function decode(value: Uint8Array): LeaseRecord | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(value)) as LeaseRecord;
  } catch {
    return undefined;
  }
}
