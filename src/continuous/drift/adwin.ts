/**
 * ADWIN, adaptive windowing (Bifet and Gavalda, SDM 2007, ADWIN2): keeps a window of numbers as an exponential histogram
 * and drops its oldest part when two parts of it have different means. Decisions, widths and means equal those of
 * `river.drift.ADWIN` 0.26 (conformance/statistics).
 *
 * A detection asks for labels and training. It never swaps a release: a distribution that moved says nothing about which
 * model is better on it.
 */

export interface AdwinOptions {
  /** Chance of a false detection at a check. @default 0.002, river's */
  readonly delta?: number;
  /** Values between two checks. @default 32 */
  readonly checkEvery?: number;
}

/** Plain data: an actor stores it and goes on from it. */
export interface AdwinState {
  /** Rows of buckets, each oldest first; a bucket of row r has 2^r values. */
  readonly rows: readonly (readonly Bucket[])[];
  /** Values seen since the last detection. */
  readonly seen: number;
}

interface Bucket {
  readonly total: number;
  /** Sum of squared differences from the bucket's mean. */
  readonly squares: number;
}

/** Part of a window. */
interface Part extends Bucket {
  readonly count: number;
}

export interface Adwin {
  /** @returns whether the mean changed: the window has just lost its oldest part, and the next value begins a new one */
  update(value: number): boolean;
  /** Values in the window. */
  width(): number;
  /** NaN for an empty window. */
  mean(): number;
  state(): AdwinState;
}

/** Buckets of each size before two merge: M of the paper. */
const MOST_BUCKETS = 5;
/** Parts that are shorter are not compared. */
const SHORTEST_PART = 5;
/** No check before so many values. */
const GRACE = 10;
const NOTHING: Part = { count: 0, total: 0, squares: 0 };

/** @param from state of an earlier life */
export function openAdwin({ delta = 0.002, checkEvery = 32 }: AdwinOptions = {}, from?: AdwinState): Adwin {
  let rows: Bucket[][] = from === undefined ? [[]] : from.rows.map((row) => [...row]);
  let seen = from?.seen ?? 0;
  let window = partOf(rows);
  let isSpent = false; // a detection was just reported

  function insert(value: number): void {
    window = joined(window, { count: 1, total: value, squares: 0 });
    (rows[0] as Bucket[]).push({ total: value, squares: 0 });
    for (let r = 0; (rows[r]?.length ?? 0) > MOST_BUCKETS; r += 1) {
      const [older, newer] = (rows[r] as Bucket[]).splice(0, 2) as [Bucket, Bucket];
      const { total, squares } = joined({ count: 2 ** r, ...older }, { count: 2 ** r, ...newer });
      rows[r + 1] ??= [];
      (rows[r + 1] as Bucket[]).push({ total, squares });
    }
  }

  function dropOldest(): void {
    const r = rows.length - 1;
    const row = rows[r] as Bucket[];
    const oldest = row.shift() as Bucket;
    window = without(window, { count: 2 ** r, ...oldest });
    if (row.length === 0) rows.pop();
  }

  /** Whether some cut has two parts with different means. */
  function hasCut(): boolean {
    const deltaPrime = Math.log((2 * Math.log(window.count)) / delta);
    const variance = window.squares / window.count;
    let old = NOTHING;
    let recent = window;
    for (let r = rows.length - 1; r >= 0; r -= 1) {
      for (const bucket of rows[r] as Bucket[]) {
        const part = { count: 2 ** r, ...bucket };
        old = joined(old, part);
        recent = without(recent, part);
        if (old.count < SHORTEST_PART || recent.count < SHORTEST_PART) continue;
        const m = 1 / (old.count - SHORTEST_PART + 1) + 1 / (recent.count - SHORTEST_PART + 1);
        const limit = Math.sqrt(2 * m * variance * deltaPrime) + (2 / 3) * deltaPrime * m;
        if (Math.abs(old.total / old.count - recent.total / recent.count) > limit) return true;
      }
    }
    return false;
  }

  return {
    update(value) {
      if (isSpent) {
        rows = [[]];
        window = NOTHING;
        seen = 0;
        isSpent = false;
      }
      insert(value);
      seen += 1;
      if (seen % checkEvery !== 0 || window.count <= GRACE) return false;
      while (hasCut()) {
        isSpent = true;
        dropOldest();
      }
      return isSpent;
    },
    width: () => window.count,
    mean: () => window.total / window.count,
    state: () => (isSpent ? { rows: [[]], seen: 0 } : { rows: rows.map((row) => [...row]), seen }),
  };
}

function partOf(rows: readonly (readonly Bucket[])[]): Part {
  return rows
    .flatMap((row, r) => row.map((bucket) => ({ count: 2 ** r, ...bucket })))
    .reduce<Part>((whole, part) => joined(whole, part), NOTHING);
}

function joined(a: Part, b: Part): Part {
  if (a.count === 0) return b;
  const count = a.count + b.count;
  const apart = a.total / a.count - b.total / b.count;
  return {
    count,
    total: a.total + b.total,
    squares: a.squares + b.squares + (a.count * b.count * apart * apart) / count,
  };
}

/** The whole less one of its parts. */
function without(whole: Part, part: Part): Part {
  const count = whole.count - part.count;
  const total = whole.total - part.total;
  if (count === 0) return NOTHING;
  const apart = total / count - part.total / part.count;
  return { count, total, squares: whole.squares - part.squares - (count * part.count * apart * apart) / whole.count };
}
