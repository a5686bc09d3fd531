/** Requests of digits that turn, window by window: the traffic of the demo. The answers are counted by their labels. */
import { connectClient } from "../../client/index.ts";
import { createDriftStream, type DriftStream, type DriftWindow } from "../../data/drift/index.ts";
import { type Dataset, epochOrder, type Split } from "../../data/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";

export interface TurningOptions {
  readonly seed: number;
  readonly windows: number;
  /** Requests of one window, of one image each. */
  readonly images: number;
  /** Turn in the last window, degrees. */
  readonly degrees: number;
  /** Of the test set, those that the learner remembers; the traffic has none of them. */
  readonly remembered: number;
}

/** Images that nobody was trained on, from window 0, where they are upright, to the last. */
export function turningDigits(
  { name, sampleShape, classes, fingerprint, test }: Dataset,
  { seed, windows, images, degrees, remembered }: TurningOptions,
): DriftStream {
  const others = epochOrder(test.count, seed, 0).subarray(remembered);
  const pick = (indices: ArrayLike<number>): number[] => Array.from(indices, (index) => others[index] as number);
  const rest: Split = {
    count: others.length,
    idOf: (index) => test.idOf(others[index] as number),
    batch: (indices) => test.batch(pick(indices)),
  };
  return createDriftStream(
    { name, sampleShape, classes, fingerprint, images: rest },
    {
      ...{ seed, windows, samples: images, testSamples: 500, testShare: 0.2 },
      schedule: { kind: "ramp", domain: [{ kind: "rotation", degrees }] },
    },
  );
}

export interface Answered {
  readonly requests: number;
  readonly right: number;
  readonly failed: number;
  /** That answered last. */
  readonly release: number;
}

/** Images of one request, and requests in a second: 200 images, of which 5 % are 10 observations. */
const BATCH = 8;
const PER_SECOND = 25;

/** Sends the live images of a window, evenly over time; resolves with what was answered. */
export async function sendWindow(
  { live }: DriftWindow,
  { url, model, clock }: { readonly url: string; readonly model: string; readonly clock: Clock },
): Promise<Answered> {
  await using client = await connectClient({ url, model });
  let [right, failed, release] = [0, 0, 0];
  const send = async (from: number): Promise<void> => {
    const indices = Array.from({ length: Math.min(BATCH, live.count - from) }, (_, row) => from + row);
    const { samples, labels } = live.batch(indices);
    try {
      const answer = await client.infer(samples.values as Uint8Array, { shape: samples.shape });
      release = Math.max(release, answer.release);
      right += answer.classes.filter((name, row) => Number(name) === labels.values[row]).length;
    } catch {
      failed += indices.length;
    }
  };
  const startedMs = clock.now();
  const sent: Promise<void>[] = [];
  for (let from = 0; from < live.count; from += BATCH) {
    const dueMs = startedMs + (from / BATCH) * (1_000 / PER_SECOND);
    await clock.sleep(Math.max(1, dueMs - clock.now()));
    sent.push(send(from));
  }
  await Promise.all(sent);
  return { requests: live.count, right, failed, release };
}
