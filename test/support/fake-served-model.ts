/**
 * A served model without a gateway: logits are linear in the input, with weights that follow from release, class and
 * element, so that a test computes what it must be answered. Requests are answered at once, or when they are released.
 */
import type {
  InferenceOutcome,
  InferenceRequest,
  ServedModel,
  ServedRelease,
} from "../../src/actors/gateway/inference.ts";
import { KnowledgeNetError } from "../../src/errors/index.ts";
import { type ModelManifest, signatureOf } from "../../src/run-spec/index.ts";

export interface FakeServedModelOptions {
  /** @default "digits" */
  readonly name?: string;
  /** @default [4, 4, 1] */
  readonly input?: readonly number[];
  /** @default 10 */
  readonly classes?: number;
  /** Newest first. @default [2, 1] */
  readonly releases?: readonly number[];
  /** @default the second newest: the newest is not promoted yet */
  readonly live?: number;
  /** @default 8 */
  readonly maxBatch?: number;
  /** @default true: images of the input's height, width and channels */
  readonly takesImages?: boolean;
  /** Answer instead of the computed one; undefined: compute it. */
  readonly outcome?: (request: InferenceRequest) => InferenceOutcome | undefined;
}

export interface FakeServedModel extends ServedModel {
  /** What was asked for, in order. */
  readonly requests: readonly InferenceRequest[];
  /** Requests that the front end refused unread. */
  readonly unread: number;
  /** Why it is not ready; may be changed. */
  unready: string[];
  live: ServedRelease | undefined;
  /** Requests from now on wait until the returned function is called. */
  hold(): () => void;
}

/** Weight of element `index` for class `category`. */
export function fakeWeight(release: number, category: number, index: number): number {
  return (((release * 31 + category * 7 + index * 3) % 17) - 8) / 1024;
}

/** Logits of one sample, in binary32. */
export function fakeLogits(release: number, classes: number, sample: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: classes }, (_, category) => {
    let sum = 0;
    for (let index = 0; index < sample.length; index += 1) {
      sum += fakeWeight(release, category, index) * (sample[index] ?? 0);
    }
    return sum;
  });
}

export function fakeServedModel({
  name = "digits",
  input = [4, 4, 1],
  classes = 10,
  releases: numbers = [2, 1],
  live = numbers[1] ?? numbers[0] ?? 1,
  maxBatch = 8,
  takesImages = true,
  outcome,
}: FakeServedModelOptions = {}): FakeServedModel {
  const releases = numbers.map((release) => ({
    release,
    manifest: fakeManifest(name, input, classes, takesImages),
  }));
  const size = input.reduce((product, extent) => product * extent, 1);
  const requests: InferenceRequest[] = [];
  let gate: Promise<void> | undefined;
  let unread = 0;
  const compute = (request: InferenceRequest): InferenceOutcome => {
    const release = request.release ?? model.live?.release ?? 0;
    const samples = request.input.shape[0] ?? 0;
    const values = new Float32Array(samples * classes);
    for (let sample = 0; sample < samples; sample += 1) {
      const logits = fakeLogits(release, classes, request.input.values.subarray(sample * size, (sample + 1) * size));
      values.set(logits, sample * classes);
    }
    return {
      kind: "answer",
      release,
      logits: { dtype: "f32", shape: [samples, classes], values },
      batch: samples,
      queueMs: 0.25,
      computeMs: 0.5,
    };
  };
  const model: FakeServedModel = {
    name,
    maxBatch,
    live: releases.find(({ release }) => release === live),
    releases,
    unready: [],
    requests,
    get unread() {
      return unread;
    },
    refuseUnread() {
      unread += 1;
      const error = new KnowledgeNetError("KN_OVERLOADED", {
        attempt: `infer with ${name}`,
        rule: "there must be time",
      });
      return { kind: "refusal", error, retryAfterMs: 1_500 };
    },
    hold() {
      let open = (): void => undefined;
      gate = new Promise((resolve) => {
        open = resolve;
      });
      return () => {
        gate = undefined;
        open();
      };
    },
    async infer(request) {
      requests.push(request);
      const { signal } = request;
      if (gate !== undefined) {
        const aborted = new Promise<never>((_resolve, reject) => {
          signal?.addEventListener("abort", () => {
            reject(signal.reason as Error);
          });
        });
        await (signal === undefined ? gate : Promise.race([gate, aborted]));
      }
      return outcome?.(request) ?? compute(request);
    },
  };
  return model;
}

function fakeManifest(model: string, input: readonly number[], classes: number, takesImages: boolean): ModelManifest {
  const [height = 1, width = 1, channels = 1] = input;
  return {
    format: 1,
    model,
    network: {
      input: [...input],
      classes,
      layers: [
        { name: "flat", type: "flatten" },
        { name: "out", type: "dense", units: classes },
      ],
      cuts: [],
    } as ModelManifest["network"],
    ...signatureOf({ input, classes }),
    ...(takesImages ? { image: { height, width, channels: channels === 3 ? 3 : 1, resize: "bilinear" } } : {}),
    classNames: Array.from({ length: classes }, (_, index) => `class ${index}`),
    origin: {
      run: "fake",
      kind: "training",
      attempt: 1,
      generation: 100,
      phase: "train",
      blocks: [{ actor: "block-0", applied: 100 }],
      softwareVersion: "0.1.0",
    },
    evaluation: { accuracy: 0.9, samples: 100, step: 100 },
    createdAt: "2026-11-27T00:00:00.000Z",
  };
}
