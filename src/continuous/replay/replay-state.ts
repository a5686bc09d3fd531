/**
 * A replay memory as named tensors and texts: the content of a safetensors file. One row for each sample: those of the
 * past by class and slot, then the recent ones, then the stale ones, each in its order.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { ClassReservoirState } from "./class-reservoir.ts";
import type { ReplayOptions } from "./replay-options.ts";
import { contentDigest, type NotTaken, type ReplaySample } from "./replay-sample.ts";

export type StateTensor =
  | { readonly dtype: "f32"; readonly shape: readonly number[]; readonly values: Float32Array }
  | { readonly dtype: "i32"; readonly shape: readonly number[]; readonly values: Int32Array }
  | { readonly dtype: "u8"; readonly shape: readonly number[]; readonly values: Uint8Array };

export interface ReplayState {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, StateTensor>>;
}

/** What changes; the rest is in the options. */
export interface ReplayContent {
  readonly oracleVersion: string | undefined;
  /** Changes of the oracle. */
  readonly versions: number;
  readonly window: number;
  /** First window whose samples may be recent. */
  readonly era: number;
  readonly recent: readonly ReplaySample[];
  readonly past: ClassReservoirState<ReplaySample>;
  readonly stale: readonly ReplaySample[];
  readonly ledger: readonly string[];
  readonly counts: Readonly<Record<NotTaken | "taken", number>>;
}

const DIGEST_BYTES = 32;
const count = z.int().min(0);
const factsSchema = z.strictObject({
  oracleVersion: z.string().optional(),
  versions: count,
  window: count,
  era: count,
  counts: z.strictObject({ taken: count, duplicate: count, otherVersion: count, invalid: count }),
  /** Named by index in `versionIndices`. */
  versionNames: z.array(z.string()),
});

export function writeReplayState(content: ReplayContent, options: ReplayOptions): ReplayState {
  const { past, recent, stale, ledger, oracleVersion, versions, window, era, counts } = content;
  const { sampleShape, classes, dtype } = options;
  const samples = [...past.held.flat(), ...recent, ...stale];
  const elements = sampleShape.reduce((product, extent) => product * extent, 1);
  const versionNames = [...new Set(samples.map((sample) => sample.oracleVersion))];
  const values = new (dtype === "u8" ? Uint8Array : Float32Array)(samples.length * elements);
  const softLabels = new Float32Array(samples.length * classes);
  for (const [row, sample] of samples.entries()) {
    values.set(sample.values, row * elements);
    softLabels.set(sample.softLabel, row * classes);
  }
  const shape = [samples.length, ...sampleShape];
  const integers = (list: readonly number[]): StateTensor => ({
    dtype: "i32",
    shape: [list.length],
    values: Int32Array.from(list),
  });
  return {
    metadata: {
      options: JSON.stringify(options),
      facts: JSON.stringify({ oracleVersion, versions, window, era, counts, versionNames }),
    },
    tensors: {
      samples: values instanceof Uint8Array ? { dtype: "u8", shape, values } : { dtype: "f32", shape, values },
      softLabels: { dtype: "f32", shape: [samples.length, classes], values: softLabels },
      windows: integers(samples.map((sample) => sample.window)),
      versionIndices: integers(samples.map((sample) => versionNames.indexOf(sample.oracleVersion))),
      digests: packDigests(samples.map(({ digest }) => digest)),
      ledger: packDigests(ledger),
      seen: integers(past.seen),
      rows: integers([...past.held.map(({ length }) => length), recent.length, stale.length]),
    },
  };
}

/** @throws KnowledgeNetError KN_CHECKPOINT for a state of other options, and one whose parts do not fit each other. */
export function readReplayState({ metadata, tensors }: ReplayState, options: ReplayOptions): ReplayContent {
  const { sampleShape, classes, dtype } = options;
  if (metadata["options"] !== JSON.stringify(options)) {
    throw refuse("it must be of a memory with the same options", String(metadata["options"]));
  }
  const { versionNames, oracleVersion, ...facts } = readFacts(metadata["facts"]);
  const tensor = <D extends StateTensor["dtype"]>(name: string, wanted: D): Extract<StateTensor, { dtype: D }> => {
    const found = tensors[name];
    if (found?.dtype !== wanted) throw refuse(`it must have ${name} of ${wanted}`, found?.dtype ?? "none");
    return found as Extract<StateTensor, { dtype: D }>;
  };
  const samples = tensor("samples", dtype);
  const softLabels = tensor("softLabels", "f32").values;
  const windows = tensor("windows", "i32").values;
  const versionIndices = tensor("versionIndices", "i32").values;
  const digests = unpackDigests(tensor("digests", "u8").values);
  const rows = Array.from(tensor("rows", "i32").values);
  const seen = Array.from(tensor("seen", "i32").values);

  const total = digests.length;
  const elements = sampleShape.reduce((product, extent) => product * extent, 1);
  const isWhole =
    rows.length === classes + 2 &&
    seen.length === classes &&
    rows.every((length) => length >= 0) &&
    rows.reduce((sum, length) => sum + length, 0) === total &&
    samples.values.length === total * elements &&
    softLabels.length === total * classes &&
    windows.length === total &&
    versionIndices.length === total;
  if (!isWhole) throw refuse("its parts must have a row for each sample", `${total} digests, rows ${rows.join(", ")}`);

  const all = digests.map((digest, row): ReplaySample => {
    const values = samples.values.slice(row * elements, (row + 1) * elements);
    const version = versionNames[versionIndices[row] as number];
    if (version === undefined || contentDigest(values) !== digest) {
      throw refuse("each sample must have its digest and version", `sample ${row}`);
    }
    const softLabel = softLabels.slice(row * classes, (row + 1) * classes);
    return { values, softLabel, oracleVersion: version, window: windows[row] as number, digest };
  });
  let next = 0;
  const parts = rows.map((length) => {
    next += length;
    return all.slice(next - length, next);
  });
  const held = parts.slice(0, classes);
  const [recent = [], stale = []] = parts.slice(classes);
  return {
    ...facts,
    oracleVersion,
    recent,
    stale,
    past: { held, seen },
    ledger: unpackDigests(tensor("ledger", "u8").values),
  };
}

function readFacts(text: string | undefined): z.infer<typeof factsSchema> {
  try {
    return factsSchema.parse(JSON.parse(text ?? ""));
  } catch (error) {
    throw refuse("its facts must be whole", text ?? "absent", error);
  }
}

function packDigests(digests: readonly string[]): StateTensor {
  const values = new Uint8Array(digests.length * DIGEST_BYTES);
  for (const [row, digest] of digests.entries()) values.set(Buffer.from(digest, "hex"), row * DIGEST_BYTES);
  return { dtype: "u8", shape: [digests.length, DIGEST_BYTES], values };
}

function unpackDigests(bytes: Uint8Array): string[] {
  return Array.from({ length: Math.floor(bytes.length / DIGEST_BYTES) }, (_, row) =>
    Buffer.from(bytes.subarray(row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES)).toString("hex"),
  );
}

function refuse(rule: string, value: string, cause?: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: "read a replay memory",
    rule,
    value,
    remedy: "use an older generation, or begin with an empty memory",
    ...(cause === undefined ? {} : { cause }),
  });
}
