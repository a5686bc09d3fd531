/**
 * How long an inference takes by batch size, a + b n; what going over to another release costs; how long one is loaded,
 * piece by piece. Threads of native: TF_NUM_INTRAOP_THREADS.
 */
import type { BackendPreference } from "../../src/compute/index.ts";
import { selectBackend } from "../../src/compute/backend/index.ts";
import { createInferenceUnit } from "../../src/compute/inference/index.ts";
import { batchOf, type InferenceNet, inferenceNet, seededSample, seededWeights } from "./inference-nets.ts";
import { median } from "./median.ts";

const SIZES = [1, 2, 4, 8, 16, 32] as const;
const ROUNDS = 30;
const WARM_UP = 5;

export interface InferenceTimes {
  readonly net: InferenceNet;
  readonly backend: string;
  readonly threads: number;
  readonly sizes: readonly { readonly rows: number; readonly ms: number; readonly leastMs: number }[];
  /** Of a + b n, least squares over the least times. */
  readonly fit: { readonly aMs: number; readonly bMs: number };
  /** One row with another release at each call, over one row with the same, median, ms. */
  readonly switchMs: number;
  /** Loading tensor by tensor: the longest piece, all pieces, the end, ms; then the first inference. */
  readonly load: {
    readonly longestMs: number;
    readonly allMs: number;
    readonly completeMs: number;
    readonly firstMs: number;
  };
}

export async function measureInferenceTimes(
  net: InferenceNet,
  backend: BackendPreference,
  now: () => number,
): Promise<InferenceTimes> {
  const info = await selectBackend(backend);
  const options = await inferenceNet(net);
  const unit = createInferenceUnit(options);
  const timed = (work: () => unknown): number => {
    const startMs = now();
    work();
    return now() - startMs;
  };
  const loads = [1, 2].map((release) => {
    const pieces = Object.entries(seededWeights(options, release)).map(([name, tensor]) =>
      timed(() => {
        unit.load(release, { [name]: tensor });
      }),
    );
    const completeMs = timed(() => {
      unit.complete(release);
    });
    const firstMs = timed(() =>
      unit.infer(release, batchOf(options.inputShape, [seededSample(options.inputShape, 1)])),
    );
    return { longestMs: Math.max(...pieces), allMs: pieces.reduce((sum, ms) => sum + ms, 0), completeMs, firstMs };
  });
  const samples = Array.from({ length: 32 }, (_, number) => seededSample(options.inputShape, number));
  const measure = (rows: number, releaseOf: (round: number) => number): number[] => {
    const batch = batchOf(options.inputShape, samples.slice(0, rows));
    return Array.from({ length: ROUNDS + WARM_UP }, (_, round) =>
      timed(() => unit.infer(releaseOf(round), batch)),
    ).slice(WARM_UP);
  };
  const sizes = SIZES.map((rows) => {
    const times = measure(rows, () => 1);
    return { rows, ms: median(times), leastMs: Math.min(...times) };
  });
  const switching = median(measure(1, (round) => 1 + (round % 2)));
  const same = median(measure(1, () => 1));
  unit.dispose();
  return {
    net,
    backend: info.name,
    threads: info.threads,
    sizes,
    fit: fitLine(sizes),
    switchMs: switching - same,
    load: loads[1] as InferenceTimes["load"], // the first one also warms the code
  };
}

function fitLine(sizes: InferenceTimes["sizes"]): InferenceTimes["fit"] {
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [n, t] = [mean(sizes.map(({ rows }) => rows)), mean(sizes.map(({ leastMs }) => leastMs))];
  const bMs =
    sizes.reduce((sum, { rows, leastMs }) => sum + (rows - n) * (leastMs - t), 0) /
    sizes.reduce((sum, { rows }) => sum + (rows - n) ** 2, 0);
  return { aMs: t - bMs * n, bMs };
}
