/**
 * What the bits of an inference depend on: position and neighbours (they must not), the number of rows, threads, the
 * process. libtensorflow reads its threads once, so each number of threads is measured in a process of its own, this
 * file: `node dist/tools/bench/inference-bits.js native cifar-sections 1,2,25`.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type BackendPreference, selectBackend } from "../../src/compute/backend/index.ts";
import { createInferenceUnit } from "../../src/compute/inference/index.ts";
import {
  batchOf,
  createRandom,
  INFERENCE_NETS,
  type InferenceNet,
  inferenceNet,
  seededSample,
  seededWeights,
} from "./inference-nets.ts";

export interface BitsOfSize {
  readonly rows: number;
  /** Of the result of one sample. */
  readonly digest: string;
  /** Results that were other ones at another place or beside other samples. */
  readonly dependent: number;
}

const SAMPLES = 32;
const RELEASE = 1;

/** Needs the backend that it is to measure. */
export async function measureBits(net: InferenceNet, sizes: readonly number[]): Promise<BitsOfSize[]> {
  const options = await inferenceNet(net);
  const unit = createInferenceUnit(options);
  unit.load(RELEASE, seededWeights(options, 5));
  unit.complete(RELEASE);
  const samples = Array.from({ length: SAMPLES }, (_, number) => seededSample(options.inputShape, number));
  const { random } = createRandom(11);
  const results = sizes.map((rows) => {
    const seen = new Map<number, string>();
    let dependent = 0;
    // The first sample at the first place, in the middle, and at the last place twice.
    for (const place of [0, rows >> 1, rows - 1, rows - 1]) {
      const chosen = Array.from({ length: rows }, (_, row) => (row === place ? 0 : Math.floor(random() * SAMPLES)));
      const batch = batchOf(
        options.inputShape,
        chosen.map((number) => samples[number] as Float32Array),
      );
      const { values } = unit.infer(RELEASE, batch).output;
      const size = values.length / rows;
      for (const [row, number] of chosen.entries()) {
        const bits = digestOf(values.slice(row * size, (row + 1) * size));
        if ((seen.get(number) ?? bits) !== bits) dependent += 1;
        else seen.set(number, bits);
      }
    }
    return { rows, digest: seen.get(0) ?? "", dependent };
  });
  unit.dispose();
  return results;
}

export interface BitsOfProcess {
  readonly backend: BackendPreference;
  readonly threads: number;
  readonly net: InferenceNet;
  readonly sizes: readonly BitsOfSize[];
}

/** The same in a process of its own. */
export async function bitsOfProcess(
  backend: BackendPreference,
  threads: number,
  net: InferenceNet,
  sizes: readonly number[],
): Promise<BitsOfProcess> {
  const entry = fileURLToPath(import.meta.url).replace(/\/tools\/bench\/(.*)\.ts$/, "/dist/tools/bench/$1.js");
  const { stdout } = await promisify(execFile)(process.execPath, [entry, backend, net, sizes.join(",")], {
    env: { ...process.env, TF_NUM_INTRAOP_THREADS: String(threads) },
  });
  return { backend, threads, net, sizes: JSON.parse(stdout) as BitsOfSize[] };
}

/** The sizes from 1 to 32, on wasm and on native with 1, 2 and 4 threads. */
export async function measureAllBits(write: (line: string) => void): Promise<BitsOfProcess[]> {
  const sizes = Array.from({ length: 32 }, (_, index) => index + 1);
  const results: BitsOfProcess[] = [];
  for (const net of INFERENCE_NETS) {
    for (const [backend, threads] of [
      ["wasm", 1],
      ["native", 1],
      ["native", 2],
      ["native", 4],
    ] as const) {
      const result = await bitsOfProcess(backend, threads, net, sizes);
      results.push(result);
      const dependent = result.sizes.filter((size) => size.dependent > 0).map(({ rows }) => rows);
      write(
        `${net} ${backend} ${threads} threads: ${groupsOf(result.sizes)}; ` +
          `dependent on place or neighbours: ${dependent.join(", ") || "none"}`,
      );
    }
  }
  return results;
}

/** Sizes with equal bits: `3fa1 at 1 | 77bc at 2-32`. */
function groupsOf(sizes: readonly BitsOfSize[]): string {
  const groups = new Map<string, number[]>();
  for (const { rows, digest } of sizes) groups.set(digest, [...(groups.get(digest) ?? []), rows]);
  return [...groups].map(([digest, rows]) => `${digest} at ${rangesOf(rows)}`).join(" | ");
}

function rangesOf(ascending: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const value of ascending) {
    const last = ranges.at(-1);
    if (last?.[1] === value - 1) last[1] = value;
    else ranges.push([value, value]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(",");
}

function digestOf(values: ArrayBufferView): string {
  return createHash("sha256")
    .update(values as Uint8Array)
    .digest("hex")
    .slice(0, 6);
}

const [, file, backend, net, sizes] = process.argv;
if (file === fileURLToPath(import.meta.url)) {
  await selectBackend(backend as BackendPreference);
  const result = await measureBits(net as InferenceNet, (sizes ?? "").split(",").map(Number));
  process.stdout.write(JSON.stringify(result));
}
