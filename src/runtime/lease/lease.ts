/**
 * The exclusive right to be one actor: a record in a bucket whose values expire, renewed by its holder. A successor
 * takes the record once it has expired or was released, and gets a higher fencing token.
 *
 * A holder that cannot renew loses the right to act by its own clock: one TTL after the last renewal `isConfirmed`
 * turns false, and nothing may leave the holder until a renewal succeeds. The next contact with the store decides: if
 * no other holder took the lease meanwhile (the store was unreachable, or its values expired), the holder continues
 * under its token; otherwise the lease has ended. `fences` holds the highest token ever granted, so that a lease which
 * was taken and released again in between counts as taken.
 *
 * The token also grows when the store was lost and restarted with small revisions: its upper part is the time of
 * writing by the store's clock.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../clock/clock.ts";
import type { KeyValue } from "../store/store.ts";
import { FENCES_PER_SECOND } from "../stream/fence-guard.ts";
import type { Logger } from "../telemetry/logger.ts";

export interface LeaseOptions {
  /** Key of the record: `<run>.<actor>`. */
  readonly key: string;
  /** The node. Another instance of the same holder is superseded at once, if `assertGone` resolves. */
  readonly holder: string;
  /** Distinguishes the instances of one holder. */
  readonly instance: string;
  /** Rejects while an instance of the same holder is there: asked about each before it is superseded. @default it is gone */
  readonly assertGone?: (instance: string) => Promise<void>;
  /** Of the bucket, ms. */
  readonly ttlMs: number;
  /** Written into the record, for readers; evaluated at each renewal. */
  readonly facts?: () => Readonly<Record<string, unknown>>;
  /** Called when a renewal succeeds after the lease was unconfirmed: unsent messages are due. */
  readonly onConfirmed?: () => void;
}

export interface LeaseDeps {
  readonly leases: KeyValue;
  /** Highest token granted for each key; its values do not expire. @default tokens are not used: nothing is recorded */
  readonly fences?: KeyValue;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Lease extends AsyncDisposable {
  /** Fencing token. */
  readonly fence: number;
  /** False from one TTL after the last renewal, by the holder's clock: nothing may leave the holder then. */
  readonly isConfirmed: boolean;
  /**
   * Resolves when the lease has ended: with KN_FENCED when another took it, with nothing after `release`. Never
   * rejects.
   */
  readonly ended: Promise<void | Error>;
  /** Releases it, so that a successor need not wait for its expiry. Safe to call twice. Never rejects. */
  release(): Promise<void>;
}

interface LeaseRecord {
  readonly holder: string;
  readonly instance: string;
  readonly fence: number;
}

/** Renewals within the TTL: two may be lost. */
const RENEWALS_PER_TTL = 3;
/** Factor on the renewal rate of an unconfirmed lease: its holder cannot send meanwhile. */
const UNCONFIRMED_HURRY = 4;

/** Waits until the lease is free and takes it. Rejects with `signal.reason` on abort, or as `tryLease`. */
export async function acquireLease(options: LeaseOptions, deps: LeaseDeps, signal: AbortSignal): Promise<Lease> {
  const { ttlMs } = options;
  for (;;) {
    signal.throwIfAborted();
    const lease = await tryLease(options, deps);
    if (lease !== undefined) return lease;
    await deps.clock.sleep(ttlMs / RENEWALS_PER_TTL, signal);
  }
}

/**
 * @returns undefined when another holds it, or the store does not answer or has no room now. Rejects with an error of
 * `assertGone` other than KN_UNAVAILABLE.
 */
export async function tryLease(options: LeaseOptions, deps: LeaseDeps): Promise<Lease | undefined> {
  const { key, holder, instance, assertGone, facts } = options;
  const { leases, fences, clock, log } = deps;
  const record = (fence: number): Uint8Array => encode({ ...facts?.(), holder, instance, fence });
  try {
    const found = await leases.get(key);
    const former = found === undefined ? undefined : decode(found.value);
    if (found !== undefined && former?.holder !== holder) return undefined;
    // An instance that renews its lease meanwhile keeps it: the update below names the revision that was found.
    if (former !== undefined && former.instance !== instance) await assertGone?.(former.instance);
    const taken =
      found === undefined ? await leases.create(key, record(0)) : await leases.update(key, record(0), found.revision);
    const written = await leases.get(key);
    if (written?.revision !== taken) return undefined;
    const stamp = Math.floor(written.writtenMs / 1000) * FENCES_PER_SECOND + taken;
    const fence = fences === undefined ? stamp : await grantFence(key, stamp, fences);
    const confirmedMs = clock.now();
    const revision = await leases.update(key, record(fence), taken);
    return keepLease({ ...options, fence, revision, confirmedMs }, deps);
  } catch (error) {
    if (!isKnowledgeNetError(error, "KN_FENCED", "KN_UNAVAILABLE", "KN_CHECKPOINT")) throw error;
    const isFull = error.code === "KN_CHECKPOINT";
    log[isFull ? "warn" : "debug"]({ err: error, lease: key }, "lease not taken");
    return undefined;
  }
}

/** Records a token above all before it. Rejects with KN_FENCED when another holder does the same. */
async function grantFence(key: string, atLeast: number, fences: KeyValue): Promise<number> {
  const found = await fences.get(key);
  const fence = Math.max(atLeast, highestOf(found?.value) + 1);
  const value = encodeFence(fence);
  if (found === undefined) await fences.create(key, value);
  else await fences.update(key, value, found.revision);
  return fence;
}

interface KeptLease extends LeaseOptions {
  readonly fence: number;
  readonly revision: number;
  readonly confirmedMs: number;
}

function keepLease(kept: KeptLease, deps: LeaseDeps): Lease {
  const { key, holder, instance, ttlMs, facts, fence, onConfirmed } = kept;
  const { leases, fences, clock, log } = deps;
  const stopping = new AbortController();
  let { revision, confirmedMs } = kept;
  const isConfirmed = (): boolean => clock.now() - confirmedMs < ttlMs;

  const renew = async (): Promise<void> => {
    const startedMs = clock.now();
    const value = encode({ ...facts?.(), holder, instance, fence });
    try {
      revision = await leases.update(key, value, revision);
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
      const found = await leases.get(key);
      if (found === undefined) revision = await takeAgain(value, error);
      // The answer to an earlier renewal was lost.
      else if (decode(found.value)?.fence === fence) revision = await leases.update(key, value, found.revision);
      else throw error;
    }
    const wasConfirmed = isConfirmed();
    confirmedMs = startedMs;
    if (!wasConfirmed && isConfirmed()) onConfirmed?.();
  };

  /** The record expired, or was lost with its store. It is still ours unless a token was granted meanwhile. */
  const takeAgain = async (value: Uint8Array, refusal: KnowledgeNetError): Promise<number> => {
    const created = await leases.create(key, value);
    if (fences === undefined) return created;
    const granted = await fences.get(key);
    if (granted === undefined) await fences.create(key, encodeFence(fence));
    else if (highestOf(granted.value) !== fence) {
      await leases.delete(key, created);
      throw refusal;
    }
    return created;
  };

  const keep = async (): Promise<void | Error> => {
    for (;;) {
      const pauseMs = ttlMs / RENEWALS_PER_TTL / (isConfirmed() ? 1 : UNCONFIRMED_HURRY);
      await clock.sleep(pauseMs, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) return undefined;
      try {
        await renew();
      } catch (error) {
        if (isKnowledgeNetError(error, "KN_FENCED")) return lost(key, error);
        log.debug({ err: error, lease: key }, "lease not renewed");
      }
    }
  };
  const ended = keep();

  const release = async (): Promise<void> => {
    stopping.abort();
    if ((await ended) instanceof Error) return;
    try {
      await leases.delete(key, revision);
    } catch (error) {
      log.debug({ err: error, lease: key }, "lease not released; it expires");
    }
  };

  return {
    fence,
    get isConfirmed() {
      return !stopping.signal.aborted && isConfirmed();
    },
    ended,
    release,
    [Symbol.asyncDispose]: release,
  };
}

function lost(key: string, cause: KnowledgeNetError): KnowledgeNetError {
  return new KnowledgeNetError("KN_FENCED", {
    attempt: `continue as ${key}`,
    rule: "this process must hold its lease",
    value: "taken by another holder",
    remedy: "no action: the successor continues from the last checkpoint",
    cause,
  });
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

function encodeFence(fence: number): Uint8Array {
  return new TextEncoder().encode(String(fence));
}

/** An unreadable value counts as none: the time of writing in a token keeps the order. */
function highestOf(value: Uint8Array | undefined): number {
  const fence = value === undefined ? 0 : Number(new TextDecoder().decode(value));
  return Number.isSafeInteger(fence) ? fence : 0;
}
