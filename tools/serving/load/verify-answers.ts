/**
 * The bits of every answer against those of the release that it names, computed by somebody else. Answers were kept once for
 * each release, batch size and sample, so what is computed here is a few batches of each release.
 */
import type { LoadRecords } from "./load-records.ts";
import { sameBits } from "./load-records.ts";
import { OUTCOMES, type Outcome } from "./outcome.ts";

/**
 * Logits of all samples of the pool, [samples, classes], computed by `release` in batches of `batch`; undefined: there is no
 * such release.
 */
export type Expected = (release: number, batch: number) => Float32Array | undefined | Promise<Float32Array | undefined>;

export interface Verdict {
  /** Of each request, indices in OUTCOMES: those of the records, or what the bits say. */
  readonly outcome: Uint8Array;
  /** Distinct answers that were compared. */
  readonly compared: number;
}

export async function verifyAnswers(records: LoadRecords, expected: Expected): Promise<Verdict> {
  const { variants, count, outcome: recorded, firstRow, rows } = records;
  const tables = new Map<string, Float32Array | undefined>();
  const rowOf = async (release: number, batch: number, image: number, classes: number) => {
    const key = `${release} ${batch}`;
    if (!tables.has(key)) tables.set(key, await expected(release, batch));
    return tables.get(key)?.subarray(image * classes, (image + 1) * classes);
  };
  const named = [...new Set(variants.map(({ release }) => release))];
  /** For each variant the release whose bits it has: its own, another one's, or 0. */
  const releaseOfBits: number[] = [];
  for (const { release, batch, image, logits } of variants) {
    let found = 0;
    for (const candidate of [release, ...named.filter((each) => each !== release)]) {
      if (!sameBits(await rowOf(candidate, batch, image, logits.length), logits)) continue;
      found = candidate;
      break;
    }
    releaseOfBits.push(found);
  }

  const outcome = recorded.slice();
  const ok = OUTCOMES.indexOf("ok");
  for (let index = 0; index < count; index += 1) {
    if (recorded[index] !== ok) continue;
    const found = new Set<number>();
    for (let row = firstRow[index] ?? 0; row < (firstRow[index + 1] ?? 0); row += 1) {
      found.add(releaseOfBits[rows[row] ?? 0] ?? 0);
    }
    outcome[index] = OUTCOMES.indexOf(judge(found, records.release[index] ?? 0));
  }
  return { outcome, compared: variants.length };
}

function judge(found: ReadonlySet<number>, named: number): Outcome {
  if (found.has(0)) return "wrong-bits";
  if (found.size > 1) return "mixed";
  return found.has(named) ? "ok" : "wrong-release";
}
