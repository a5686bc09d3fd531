/**
 * Sums and means over axes that are not the last ones: bias gradients, batch statistics, global pooling. The built-in
 * kernels transpose the tensor first and then add serially; here it is average pooling, which XNNPACK vectorizes:
 * 0.2 ms instead of 5 for [128, 24, 24, 20] by channel. In two stages, so that rounding grows with the square
 * root of the number of rows: relative error 1e-7 instead of 1e-5 on that shape.
 */
import {
  floatsOf,
  type Kernel,
  ownKernel,
  type Scratch,
  sizeOf,
  type TensorInfo,
  viewed,
  withScratch,
} from "./kernel.ts";

interface Inputs {
  readonly x: TensorInfo;
}

interface Attrs {
  /** May be negative; all axes when absent. */
  readonly axis: number | readonly number[] | null | undefined;
  readonly keepDims: boolean;
}

/** Below this many rows pooling has nothing to gain from a second stage. */
const ONE_STAGE_ROWS = 64;

export const mean = ownKernel<Inputs, Attrs>("Mean", (builtIn) => reduceRows(builtIn, false));
export const sum = ownKernel<Inputs, Attrs>("Sum", (builtIn) => reduceRows(builtIn, true));

function reduceRows(builtIn: Kernel<Inputs, Attrs>, isSum: boolean): Kernel<Inputs, Attrs> {
  return (call) => {
    const { x } = call.inputs;
    const { axis, keepDims } = call.attrs;
    const axes = normalizedAxes(axis, x.shape.length);
    const first = axes[0] ?? 0;
    const afterLast = first + axes.length;
    const outer = sizeOf(x.shape.slice(0, first));
    const rows = sizeOf(x.shape.slice(first, afterLast));
    const inner = sizeOf(x.shape.slice(afterLast));
    const isRun = axes.length > 0 && axes.every((position, index) => position === first + index);
    if (x.dtype !== "float32" || !isRun || inner < 2 || rows < 2 || outer === 0) return builtIn(call);

    const result = withScratch(call.backend, (scratch) => {
      const means = meanOfRows(scratch, x, outer, rows, inner);
      if (isSum) {
        // The pooled tensor is ours, and never was a filter: it may be written in place.
        const values = floatsOf(call.backend, means);
        for (let i = 0; i < values.length; i += 1) values[i] = (values[i] ?? 0) * rows;
      }
      return means;
    });
    const between = keepDims ? axes.map(() => 1) : [];
    result.shape = [...x.shape.slice(0, first), ...between, ...x.shape.slice(afterLast)];
    return result;
  };
}

/** [outer, rows, inner] -> [outer, inner] */
function meanOfRows({ run }: Scratch, x: TensorInfo, outer: number, rows: number, inner: number): TensorInfo {
  const pool = (from: TensorInfo, batch: number, height: number): TensorInfo =>
    run(
      "AvgPool",
      { x: viewed(from, [batch, height, 1, inner]) },
      { filterSize: [height, 1], strides: [1, 1], pad: "valid" },
    );
  const groups = rows <= ONE_STAGE_ROWS ? 1 : largestDivisorUpToRoot(rows);
  if (groups === 1) return pool(x, outer, rows);
  return pool(pool(x, outer * groups, rows / groups), outer, groups);
}

function normalizedAxes(axis: Attrs["axis"], rank: number): number[] {
  const given =
    axis === null || axis === undefined ? [...Array(rank).keys()] : typeof axis === "number" ? [axis] : [...axis];
  return given.map((position) => (position < 0 ? position + rank : position)).sort((a, b) => a - b);
}

function largestDivisorUpToRoot(n: number): number {
  for (let divisor = Math.floor(Math.sqrt(n)); divisor > 1; divisor -= 1) if (n % divisor === 0) return divisor;
  return 1;
}
