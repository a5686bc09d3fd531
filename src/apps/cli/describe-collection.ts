/** Removed items, or those of a dry run, as text or JSON. */
import type { Collection } from "../../fleet/collection.ts";

export interface DescribeCollectionOptions {
  readonly dryRun: boolean;
  readonly json: boolean;
  /** Completes "removed 3 items": "of RUN". */
  readonly what: string;
}

export function describeCollection(
  items: Collection["items"],
  { dryRun, json, what }: DescribeCollectionOptions,
): string {
  if (json) return JSON.stringify({ isRemoved: !dryRun, items }, undefined, 2);
  const sizeBytes = items.reduce((sum, item) => sum + (item.sizeBytes ?? 0), 0);
  if (items.length === 0) return `found nothing ${what}`;
  const size = sizeBytes === 0 ? "" : `, ${(sizeBytes / 2 ** 20).toFixed(1)} MiB of blobs`;
  const lines = items.map(({ kind, name }) => `${kind} ${name}`);
  const total = `${items.length} ${items.length === 1 ? "item" : "items"} ${what}${size}`;
  return [...lines, `${dryRun ? "would remove" : "removed"} ${total}`].join("\n");
}
