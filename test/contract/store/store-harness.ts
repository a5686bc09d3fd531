/** Shared by the parts of the store contract: the harness of an adapter, and names that every adapter refuses. */
import { createHash } from "node:crypto";
import type { KeyValue, Store } from "../../../src/runtime/store/index.ts";

export interface StoreHarness extends AsyncDisposable {
  /** The store, opened by the factory. */
  readonly store: Store;
  /** Closes it and opens it again on what it has kept, as a restarted process does. */
  reopen(): Promise<void>;
  /** Makes `delayMs` pass for the store's expiry; may return before an expired value is gone. */
  passTime(delayMs: number): Promise<void>;
  /** Changes one byte of a stored blob behind the store's back. */
  damageBlob(bucket: string, name: string): Promise<void>;
}

export type StoreFactory = () => Promise<StoreHarness>;

export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
export const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);
export const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

export const BAD_NAMES = [
  "",
  ".",
  "..",
  "a.",
  ".a",
  "a..b",
  "../a",
  "a/b",
  "/a",
  "a\\b",
  "a b",
  "a*",
  "*",
  ">",
  "a.>",
  "ä",
  "a\0b",
  "a\nb",
  "x".repeat(201),
];
export const BAD_BUCKETS = ["", ".", "..", "a.b", "../a", "a/b", "a b", "*", ">", "ä", "x".repeat(201)];
export const BAD_FILTERS = ["", ".", "a.", ">.a", "a.>.b", "a/b", "a b", "a*"];

/** Runs `body` with a store of its own. */
export async function withStore(factory: StoreFactory, body: (harness: StoreHarness) => Promise<void>): Promise<void> {
  await using harness = await factory();
  await body(harness);
}

/** Runs `body` with a bucket "records" in a store of its own. */
export async function withKv(
  factory: StoreFactory,
  body: (kv: KeyValue, harness: StoreHarness) => Promise<void>,
): Promise<void> {
  await withStore(factory, async (harness) => body(await harness.store.kv("records"), harness));
}
