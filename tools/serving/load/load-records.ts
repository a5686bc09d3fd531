/**
 * One record for each request, in columns: 100,000 requests are some megabytes, and cost no collection of garbage while
 * they are made. Answers are kept once for each release, batch size, sample and distinct bits.
 */
import { OUTCOMES, type Outcome } from "./outcome.ts";

/** An event that the scenario marked, and when, in `monotonicMs`. */
export interface Mark {
  readonly name: string;
  readonly atMs: number;
}

/** Plain data: it comes from the generator's process as it is. Times in `monotonicMs`. */
export interface LoadRecords {
  readonly count: number;
  /** When the request was to be sent. */
  readonly intendedMs: Float64Array;
  /** From then to its outcome. */
  readonly latencyMs: Float64Array;
  /** From then to when it was sent: the generator's own lateness, and its queue. */
  readonly lagMs: Float64Array;
  /** Index in OUTCOMES. */
  readonly outcome: Uint8Array;
  /** Index in LoadOptions.streams. */
  readonly stream: Uint8Array;
  /** That the answer names; 0: none. */
  readonly release: Int32Array;
  readonly batch: Int32Array;
  /** Of the rows of request i: variants rows[firstRow[i]] to rows[firstRow[i + 1] - 1]; `count + 1` long. */
  readonly firstRow: Uint32Array;
  readonly rows: Uint32Array;
  /** Distinct answers of one sample. */
  readonly variants: readonly AnswerVariant[];
}

export interface AnswerVariant {
  readonly release: number;
  readonly batch: number;
  /** Index in the pool. */
  readonly image: number;
  readonly logits: Float32Array;
}

export interface LoadResult {
  readonly records: LoadRecords;
  readonly startedMs: number;
  readonly seconds: number;
  /** Of the generator's process. */
  readonly cpuSeconds: number;
  /** Texts of refusals and failures, and how often; the first hundred. */
  readonly texts: Readonly<Record<string, number>>;
  readonly marks: readonly Mark[];
  readonly streams: readonly string[];
  readonly warmUpMs: number;
}

export interface Recorder {
  /** @param logits [samples, classes] of samples `image` on; copied where they are new */
  add(request: {
    readonly intendedMs: number;
    readonly latencyMs: number;
    readonly lagMs: number;
    readonly outcome: Outcome;
    readonly stream: number;
    readonly release?: number;
    readonly batch?: number;
    readonly answer?: { readonly image: number; readonly samples: number; readonly logits: Float32Array };
  }): void;
  finish(): LoadRecords;
}

/** @param images samples of the pool */
export function createRecorder(images: number): Recorder {
  const intendedMs = column(Float64Array);
  const latencyMs = column(Float64Array);
  const lagMs = column(Float64Array);
  const outcomes = column(Uint8Array);
  const streams = column(Uint8Array);
  const releases = column(Int32Array);
  const batches = column(Int32Array);
  const firstRow = column(Uint32Array);
  const rows = column(Uint32Array);
  const variants: AnswerVariant[] = [];
  /** By release, batch and sample: numbers of the variants. */
  const known = new Map<string, number[]>();

  const variantOf = (release: number, batch: number, image: number, logits: Float32Array): number => {
    const key = `${release} ${batch} ${image}`;
    const numbers = known.get(key);
    const found = numbers?.find((number) => sameBits(variants[number]?.logits, logits));
    if (found !== undefined) return found;
    variants.push({ release, batch, image, logits: logits.slice() });
    if (numbers === undefined) known.set(key, [variants.length - 1]);
    else numbers.push(variants.length - 1);
    return variants.length - 1;
  };

  return {
    add({ answer, release = 0, batch = 0, ...request }) {
      intendedMs.push(request.intendedMs);
      latencyMs.push(request.latencyMs);
      lagMs.push(request.lagMs);
      outcomes.push(OUTCOMES.indexOf(request.outcome));
      streams.push(request.stream);
      releases.push(release);
      batches.push(batch);
      firstRow.push(rows.length());
      if (answer === undefined) return;
      const { image, samples, logits } = answer;
      const classes = logits.length / samples;
      for (let sample = 0; sample < samples; sample += 1) {
        const row = logits.subarray(sample * classes, (sample + 1) * classes);
        rows.push(variantOf(release, batch, (image + sample) % images, row));
      }
    },
    finish() {
      const count = intendedMs.length();
      firstRow.push(rows.length());
      return {
        count,
        intendedMs: intendedMs.values(),
        latencyMs: latencyMs.values(),
        lagMs: lagMs.values(),
        outcome: outcomes.values(),
        stream: streams.values(),
        release: releases.values(),
        batch: batches.values(),
        firstRow: firstRow.values(),
        rows: rows.values(),
        variants,
      };
    },
  };
}

/** Equal by their bits: NaN equals itself, and 0 is not -0. */
export function sameBits(a: Float32Array | undefined, b: Float32Array): boolean {
  if (a === undefined || a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (!Object.is(a[index], b[index])) return false;
  return true;
}

type Numbers = Float64Array | Uint8Array | Int32Array | Uint32Array;

interface Column<T extends Numbers> {
  push(value: number): void;
  length(): number;
  /** A copy. */
  values(): T;
}

/** A column that doubles as it grows. */
function column<T extends Numbers>(kind: new (length: number) => T): Column<T> {
  let values = new kind(1024);
  let length = 0;
  return {
    push(value) {
      if (length === values.length) {
        const wider = new kind(2 * length);
        wider.set(values);
        values = wider;
      }
      values[length] = value;
      length += 1;
    },
    length: () => length,
    values: () => values.slice(0, length) as T,
  };
}
