/** What every `Store` does: the same tests on a disk, in memory, on JetStream and mirrored. */
import { describe } from "vitest";
import { describeBlobs } from "./blob-contract.ts";
import { describeKv } from "./kv-contract.ts";
import { describeLifecycle } from "./lifecycle-contract.ts";
import { describeLogs } from "./log-contract.ts";
import type { StoreFactory } from "./store-harness.ts";
import { describeWatch } from "./watch-contract.ts";

/** @param describeAdapter `describe`, or one that skips where the adapter cannot run */
export function describeStoreContract(
  name: string,
  factory: StoreFactory,
  describeAdapter: typeof describe | typeof describe.skip = describe,
): void {
  describeAdapter(name, () => {
    describeKv(factory);
    describeWatch(factory);
    describeBlobs(factory);
    describeLogs(factory);
    describeLifecycle(factory);
  });
}
