/** An oracle that is asked once for each input: its labels are kept by content and version. */
import { contentDigest } from "../../continuous/index.ts";
import type { KeyValue, Store } from "../../runtime/store/index.ts";
import type { Oracle } from "./follower-options.ts";
import { labelKey, openLabels } from "./label-records.ts";

/** A model that computes, as a served one does. */
export interface ComputingOracle {
  /** Token that names the weights that would compute now. Rejects with KN_UNAVAILABLE while there are none. */
  version(): Promise<string>;
  /** @returns logits [n, classes] by `version`; undefined when that is not live any more */
  compute(inputs: readonly (Uint8Array | Float32Array)[], version: string): Promise<Float32Array | undefined>;
  readonly teach?: Oracle["teach"];
}

export interface LabelCounts {
  readonly computed: number;
  readonly cached: number;
}

/** Records that are read or written together. */
const AT_ONCE = 16;
/** Changes of the oracle during one request. */
const ATTEMPTS = 5;

export async function cacheLabels(
  oracle: ComputingOracle,
  store: Store,
): Promise<Oracle & { readonly counts: LabelCounts }> {
  const labels = await openLabels(store);
  const counts = { computed: 0, cached: 0 };
  return {
    counts,
    ...(oracle.teach === undefined ? {} : { teach: oracle.teach }),
    async label(inputs) {
      for (let attempt = 1; ; attempt += 1) {
        const version = await oracle.version();
        const keys = inputs.map((input) => labelKey(version, contentDigest(input)));
        const known = await readAll(labels, keys);
        const missing = [...new Map(keys.map((key, index) => [key, index])).values()].filter(
          (index) => !known.has(keys[index] ?? ""),
        );
        const computed =
          missing.length === 0
            ? new Float32Array(0)
            : await oracle.compute(
                missing.map((index) => inputs[index] as Uint8Array),
                version,
              );
        if (computed === undefined && attempt < ATTEMPTS) continue;
        const classes = missing.length === 0 ? 0 : (computed?.length ?? 0) / missing.length;
        const fresh = missing.map((index, row): [string, Float32Array] => [
          keys[index] ?? "",
          (computed ?? new Float32Array(0)).slice(row * classes, (row + 1) * classes),
        ]);
        await writeAll(labels, fresh);
        counts.computed += missing.length;
        counts.cached += inputs.length - missing.length;
        const all = new Map([...known, ...fresh]);
        const rows = keys.map((key) => all.get(key) ?? new Float32Array(0));
        const logits = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
        let at = 0;
        for (const row of rows) {
          logits.set(row, at);
          at += row.length;
        }
        return { version, logits };
      }
    },
  };
}

async function readAll(labels: KeyValue, keys: readonly string[]): Promise<Map<string, Float32Array>> {
  const known = new Map<string, Float32Array>();
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    const part = keys.slice(at, at + AT_ONCE);
    const entries = await Promise.all(part.map((key) => labels.get(key)));
    for (const entry of entries) {
      // A copy: the bytes need not be aligned.
      if (entry !== undefined) known.set(entry.key, new Float32Array(new Uint8Array(entry.value).buffer));
    }
  }
  return known;
}

async function writeAll(labels: KeyValue, fresh: readonly (readonly [string, Float32Array])[]): Promise<void> {
  for (let at = 0; at < fresh.length; at += AT_ONCE) {
    await Promise.all(
      fresh
        .slice(at, at + AT_ONCE)
        .map(([key, { buffer, byteOffset, byteLength }]) =>
          labels.put(key, new Uint8Array(buffer, byteOffset, byteLength)),
        ),
    );
  }
}
