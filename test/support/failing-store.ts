/**
 * A store whose calls fail as a schedule says: over a memory store it stands for a server or a disk in trouble. Without
 * faults it is the store below it (test/contract/store/failing-store.test.ts).
 *
 * @example
 * const store = failingStore(await memoryStore({ clock }), failTimes(1, { operation: "put" }), clock);
 */
import { type ErrorCode, KnowledgeNetError } from "../../src/errors/index.ts";
import type { Clock } from "../../src/runtime/clock/index.ts";
import type { Blobs, KeyValue, Log, Store } from "../../src/runtime/store/index.ts";

export interface StoreCall {
  readonly kind: "store" | "kv" | "blobs" | "log";
  /** Of the bucket, or of the log. */
  readonly bucket: string;
  /** Name of the method: "put", "list", ...; of the store: "kv", "removeBucket", ... */
  readonly operation: string;
  /** Key, blob or filter; "" where there is none. */
  readonly name: string;
  readonly isChange: boolean;
}

export type StoreFault =
  /** Nothing is done. @default KN_UNAVAILABLE; KN_CHECKPOINT for a full disk, which may pass */
  | { readonly kind: "refused"; readonly code?: ErrorCode }
  /** It is done, and the caller gets KN_UNAVAILABLE. */
  | { readonly kind: "unanswered" }
  /** Nothing is done, and the caller gets KN_UNAVAILABLE after `delayMs`: its time limit. */
  | { readonly kind: "timeout"; readonly delayMs: number }
  /** The caller gets KN_UNAVAILABLE at once, and it is done after `delayMs`. */
  | { readonly kind: "late"; readonly delayMs: number }
  /** It is done after `delayMs`, and the caller gets the answer then. */
  | { readonly kind: "slow"; readonly delayMs: number };

/** Called before each call. @returns undefined: it goes through */
export type StoreFaults = (call: StoreCall) => StoreFault | undefined;

export function failingStore(store: Store, faults: StoreFaults, clock: Clock): Store {
  const failed = ({ bucket, operation, name }: StoreCall, fault: StoreFault): KnowledgeNetError =>
    new KnowledgeNetError(fault.kind === "refused" ? (fault.code ?? "KN_UNAVAILABLE") : "KN_UNAVAILABLE", {
      attempt: `${operation} ${bucket}/${name}`,
      rule: "the store must answer",
      value: fault.kind,
      mayPass: fault.kind === "refused" && fault.code === "KN_CHECKPOINT",
    });

  const calling = async <T>(call: StoreCall, work: () => Promise<T>): Promise<T> => {
    const fault = faults(call);
    if (fault === undefined) return work();
    switch (fault.kind) {
      case "refused":
        break;
      case "timeout":
        await clock.sleep(fault.delayMs);
        break;
      case "unanswered":
        await work();
        break;
      case "late":
        clock.setTimeout(() => {
          work().catch(() => undefined);
        }, fault.delayMs);
        break;
      case "slow":
        await clock.sleep(fault.delayMs);
        return work();
    }
    throw failed(call, fault);
  };

  const failingKv = (kv: KeyValue): KeyValue => {
    const { bucket } = kv;
    const read = (operation: string, name: string) =>
      ({ kind: "kv", bucket, operation, name, isChange: false }) as const;
    const change = (operation: string, name: string) => ({ ...read(operation, name), isChange: true });
    return {
      bucket,
      get: (key) => calling(read("get", key), () => kv.get(key)),
      put: (key, value) => calling(change("put", key), () => kv.put(key, value)),
      create: (key, value) => calling(change("create", key), () => kv.create(key, value)),
      update: (key, value, revision) => calling(change("update", key), () => kv.update(key, value, revision)),
      delete: (key, revision) => calling(change("delete", key), () => kv.delete(key, revision)),
      keys: (filter) => calling(read("keys", filter ?? ">"), () => kv.keys(filter)),
      entries: (filter) => calling(read("entries", filter ?? ">"), () => kv.entries(filter)),
      watch(filter, options) {
        const changes = kv.watch(filter, options);
        return {
          [Symbol.asyncIterator]() {
            const inner = changes[Symbol.asyncIterator]();
            return {
              /** A fault of "watch" ends it with an error, before the next change. */
              next: () => calling(read("watch", filter), () => inner.next()),
              return: async () => (await inner.return?.()) ?? { done: true, value: undefined },
            };
          },
        };
      },
    };
  };

  const failingBlobs = (blobs: Blobs): Blobs => {
    const { bucket } = blobs;
    const read = (operation: string, name: string) =>
      ({ kind: "blobs", bucket, operation, name, isChange: false }) as const;
    const change = (operation: string, name: string) => ({ ...read(operation, name), isChange: true });
    return {
      bucket,
      put: (name, content) => calling(change("put", name), () => blobs.put(name, content)),
      get: (name) => calling(read("get", name), () => blobs.get(name)),
      info: (name) => calling(read("info", name), () => blobs.info(name)),
      delete: (name, options) => calling(change("delete", name), () => blobs.delete(name, options)),
      list: (prefix) => calling(read("list", prefix ?? ""), () => blobs.list(prefix)),
      sweep: (options) =>
        calling(options?.isDryRun === true ? read("sweep", "") : change("sweep", ""), () => blobs.sweep(options)),
    };
  };

  const failingLog = (log: Log): Log => {
    const call = (operation: string, isChange: boolean) =>
      ({ kind: "log", bucket: log.name, operation, name: "", isChange }) as const;
    return {
      name: log.name,
      append: (data) => calling(call("append", true), () => log.append(data)),
      removeBefore: (position) => calling(call("removeBefore", true), () => log.removeBefore(position)),
      read(options) {
        const entries = log.read(options);
        return {
          async *[Symbol.asyncIterator]() {
            await calling(call("read", false), () => Promise.resolve());
            yield* entries;
          },
        };
      },
    };
  };

  const call = (operation: string, name: string, isChange = false): StoreCall => ({
    kind: "store",
    bucket: "",
    operation,
    name,
    isChange,
  });
  return {
    description: store.description,
    kv: (bucket, options) => calling(call("kv", bucket), async () => failingKv(await store.kv(bucket, options))),
    blobs: (bucket) => calling(call("blobs", bucket), async () => failingBlobs(await store.blobs(bucket))),
    log: (name, options) => calling(call("log", name), async () => failingLog(await store.log(name, options))),
    buckets: () => calling(call("buckets", ""), () => store.buckets()),
    logs: (prefix) => calling(call("logs", prefix ?? ""), () => store.logs(prefix)),
    removeBucket: (kind, name) => calling(call("removeBucket", name, true), () => store.removeBucket(kind, name)),
    removeLog: (name) => calling(call("removeLog", name, true), () => store.removeLog(name)),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** Which calls a schedule is about. */
export type CallMatch = Partial<StoreCall>;

const matches = (call: StoreCall, match: CallMatch): boolean =>
  (Object.keys(match) as (keyof StoreCall)[]).every((key) => call[key] === match[key]);

/** The first `times` calls that match fail, the others go through. */
export function failTimes(times: number, match: CallMatch = {}, fault: StoreFault = { kind: "refused" }): StoreFaults {
  let left = times;
  return (call) => {
    if (left === 0 || !matches(call, match)) return undefined;
    left -= 1;
    return fault;
  };
}

/** Every call that matches fails. */
export function failAlways(match: CallMatch = {}, fault: StoreFault = { kind: "refused" }): StoreFaults {
  return failTimes(Infinity, match, fault);
}

/** Faults that a test sets while it runs: `faults.now = failAlways()` is a store that is away. */
export function switchedFaults(): StoreFaults & { now: StoreFaults | undefined } {
  const faults = Object.assign((call: StoreCall) => faults.now?.(call), { now: undefined as StoreFaults | undefined });
  return faults;
}

export interface RandomFaultsOptions {
  /** In [0, 1), as from `randomFrom(seed)`. */
  readonly draw: () => number;
  /** Of all calls, the part that fails. */
  readonly rate: number;
  /** Longest delay of a fault that delays, ms. @default 5000 */
  readonly maxDelayMs?: number;
  /** @default all calls */
  readonly match?: CallMatch;
}

/** Each call fails with a chance of `rate`, in one of the ways. */
export function randomFaults({ draw, rate, maxDelayMs = 5_000, match = {} }: RandomFaultsOptions): StoreFaults {
  return (call) => {
    if (!matches(call, match) || draw() >= rate) return undefined;
    const delayMs = Math.floor(draw() * maxDelayMs);
    const kinds: readonly StoreFault[] = [
      { kind: "refused" },
      { kind: "unanswered" },
      { kind: "slow", delayMs },
      ...(call.isChange
        ? [{ kind: "late", delayMs } as const, { kind: "refused", code: "KN_CHECKPOINT" } as const]
        : []),
    ];
    return kinds[Math.floor(draw() * kinds.length)];
  };
}
