/**
 * Units that compute nothing: they answer as the mathematics would, and record their calls. They keep the contracts of
 * test/support/block-handle-contract.ts and section-handle-contract.ts.
 */
import type {
  BlockHandle,
  GradientModelHandle,
  SectionHandle,
  TeacherHandle,
  TensorData,
} from "../../../src/compute/index.ts";
import { transferList } from "../../../src/compute/tensor-data.ts";
import type { GradientOrigin } from "../../../src/messages/index.ts";
import { failure, floats } from "./actor-scene.ts";

export interface FakeBlock {
  readonly handle: BlockHandle;
  /** What was asked of it, in order: "train 1", "receive 1", "evaluate", "restore 3", "dispose". */
  readonly calls: string[];
  /** Steps, in the order in which they were trained on and applied. */
  readonly trained: number[];
  readonly applied: number[];
  /** Samples evaluated. */
  readonly evaluated: number;
  /** Answers the next calls with this. */
  failWith: Error | undefined;
  /** Answers the next change of source with this. */
  failsToUse: Error | undefined;
  /** While it is set, training does not return until it resolves. */
  hold: Promise<void> | undefined;
}

export interface FakeBlockOptions {
  readonly isFirst?: boolean;
  readonly isLast?: boolean;
  /** Its update waits for the gradient from the next block. */
  readonly isLater?: boolean;
  /** Batches kept for their gradient. @default all */
  readonly retain?: number;
  /** Training on this step fails with KN_NUMERIC. */
  readonly failsAtStep?: number;
  /** Told of each step before it trains on it. */
  readonly onStep?: ((step: number) => void) | undefined;
  /** How long its work takes. @default no time */
  readonly work?: () => Promise<void>;
}

export function fakeBlock(options: FakeBlockOptions = {}): FakeBlock {
  const { isFirst = false, isLast = false, isLater = false, retain = Infinity, failsAtStep, onStep } = options;
  /** Version at the forward, by step. */
  const kept = new Map<number, number>();
  let version = 0;
  let forgotten = 0;
  let evaluated = 0;
  const calls: string[] = [];
  const trained: number[] = [];
  const applied: number[] = [];
  const perform = async <T>(call: string, outcome: () => T): Promise<{ result: T; computeMs: number }> => {
    calls.push(call);
    await fake.hold;
    await options.work?.();
    if (fake.failWith !== undefined) throw fake.failWith;
    return { result: outcome(), computeMs: 2 };
  };
  const figures = () => ({ version, retained: kept.size, pending: kept.size, forgotten });
  const apply = (step: number, input: { readonly shape: readonly number[] }, origin: GradientOrigin, age = 0) => {
    version += 1;
    applied.push(step);
    return {
      isApplied: true,
      ...figures(),
      age,
      origin,
      ...(isFirst ? {} : { inputGradient: floats(input.shape) }),
      ...(isLast ? { loss: 0.5 } : {}),
    };
  };
  const giveUp = (count: number): number => {
    for (const step of [...kept.keys()].slice(0, count)) kept.delete(step);
    forgotten += count;
    return count;
  };
  const handle: BlockHandle = {
    parameters: 1,
    train: ({ step, input }, emit) => {
      moveOut(input);
      return perform(`train ${step}`, () => {
        kept.delete(step);
        onStep?.(step);
        if (step === failsAtStep) throw failure("KN_NUMERIC");
        trained.push(step);
        if (!isLast) emit(floats(input.shape), version);
        if (!isLater) return apply(step, input, isLast ? "true" : "synthetic");
        kept.set(step, version);
        giveUp(Math.max(0, kept.size - retain));
        return { isApplied: false, ...figures() };
      });
    },
    receive(step, gradient, origin) {
      moveOut(gradient);
      return perform(`receive ${step}`, () => {
        const age = version - (kept.get(step) ?? 0);
        return kept.delete(step) ? apply(step, gradient, origin, age) : { isApplied: false, ...figures() };
      });
    },
    evaluate(input, labels) {
      moveOut(input);
      return perform("evaluate", () => {
        evaluated += labels.values.length;
        return isLast ? { correct: labels.values.length - 1, lossSum: 0.25 } : { output: floats(input.shape) };
      });
    },
    use(source) {
      if (fake.failsToUse !== undefined) return Promise.reject(fake.failsToUse);
      calls.push(`use ${source}`);
      return Promise.resolve();
    },
    forget() {
      calls.push("forget");
      return Promise.resolve(giveUp(kept.size));
    },
    snapshot: () => Promise.resolve({ version, tensors: { w: floats([1], version) } }),
    restore(snapshot) {
      calls.push(`restore ${snapshot.version}`);
      kept.clear();
      version = snapshot.version;
      return Promise.resolve();
    },
    dispose() {
      calls.push("dispose");
      return Promise.resolve();
    },
  };
  const fake: FakeBlock = {
    handle,
    calls,
    trained,
    applied,
    get evaluated() {
      return evaluated;
    },
    failWith: undefined,
    failsToUse: undefined,
    hold: undefined,
  };
  return fake;
}

export interface FakeGradientModel {
  readonly handle: GradientModelHandle;
  readonly calls: string[];
  /** Steps whose prediction it does not keep. */
  readonly forgotten: Set<number>;
}

export function fakeGradientModel(): FakeGradientModel {
  const calls: string[] = [];
  const forgotten = new Set<number>();
  let updates = 0;
  const handle: GradientModelHandle = {
    parameters: 1,
    predict(_, activation) {
      moveOut(activation);
      return Promise.resolve({ result: floats(activation.shape), computeMs: 0 });
    },
    learn(step, gradient) {
      moveOut(gradient);
      calls.push(`learn ${step}`);
      if (forgotten.has(step)) return Promise.resolve({ result: undefined, computeMs: 1 });
      updates += 1;
      return Promise.resolve({ result: { cosine: 0.5, relativeError: 0.25, updates }, computeMs: 1 });
    },
    snapshot: () => Promise.resolve({ version: updates, tensors: { m: floats([1], updates) } }),
    restore(snapshot) {
      calls.push(`restore ${snapshot.version}`);
      updates = snapshot.version;
      return Promise.resolve();
    },
    dispose() {
      calls.push("dispose");
      return Promise.resolve();
    },
  };
  return { handle, calls, forgotten };
}

/** Shape of one sample at every section's output. */
const SECTION_OUTPUT = [3];

export interface FakeSection {
  readonly handle: SectionHandle;
  /** What was asked of it, in order: "train 1", "evaluate", "recalibrate 1", "focus w", "restore 3", "dispose". */
  readonly calls: string[];
  /** While it is set, training does not return until it resolves. */
  hold: Promise<void> | undefined;
}

export interface FakeSectionOptions {
  /** It ends in the logits, and learns from labels alone where there is no hint. */
  readonly isLast?: boolean;
  /** Training on this step fails with KN_NUMERIC. */
  readonly failsAtStep?: number;
}

export function fakeSection({ isLast = false, failsAtStep }: FakeSectionOptions = {}): FakeSection {
  const calls: string[] = [];
  let version = 0;
  const outputFor = ({ shape }: TensorData) => floats([shape[0] ?? 0, ...SECTION_OUTPUT], version);
  const handle: SectionHandle = {
    parameters: 1,
    outputShape: SECTION_OUTPUT,
    async train({ step, input, ownInput, hint }, onOutput) {
      calls.push(`train ${step}`);
      for (const tensor of [input, ownInput, hint]) if (tensor !== undefined) moveOut(tensor);
      await fake.hold;
      if (!isLast && hint === undefined) throw failure("KN_INVARIANT");
      if (step === failsAtStep) throw failure("KN_NUMERIC");
      onOutput?.(outputFor(input), version);
      version += 1;
      return { result: { version, loss: 0.5, ...(hint === undefined ? {} : { hintLoss: 0.25 }) }, computeMs: 1 };
    },
    evaluate(input, labels, hint) {
      calls.push("evaluate");
      for (const tensor of [input, hint]) if (tensor !== undefined) moveOut(tensor);
      const correct = labels.values.length - 1;
      const compared = hint === undefined ? {} : { agreeing: correct, teacherCorrect: correct };
      const result = isLast ? { correct, lossSum: 0.25, ...compared } : { output: outputFor(input) };
      return Promise.resolve({ result, computeMs: 1 });
    },
    recalibrate(n, input) {
      calls.push(`recalibrate ${n}`);
      moveOut(input);
      return Promise.resolve();
    },
    focus(places) {
      calls.push(`focus ${Object.keys(places ?? {}).join(" ")}`);
      return Promise.resolve();
    },
    snapshot: () => Promise.resolve({ version, tensors: { w: floats([1], version) } }),
    restore(snapshot) {
      calls.push(`restore ${snapshot.version}`);
      ({ version } = snapshot);
      return Promise.resolve();
    },
    dispose() {
      calls.push("dispose");
      return Promise.resolve();
    },
  };
  const fake: FakeSection = { handle, calls, hold: undefined };
  return fake;
}

export interface FakeTeacher {
  readonly handle: TeacherHandle;
  /** Rows of each inference. */
  readonly inferred: number[];
}

/** Each element of a row is the sum of the sample's. */
export function fakeTeacher(): FakeTeacher {
  const inferred: number[] = [];
  const handle: TeacherHandle = {
    parameters: 1,
    outputShape: SECTION_OUTPUT,
    infer(input) {
      const [rows = 0] = input.shape;
      inferred.push(rows);
      const [width] = SECTION_OUTPUT as [number];
      const output = floats([rows, width]);
      const length = input.values.length / rows;
      for (let row = 0; row < rows; row += 1) {
        const sample = Array.from(input.values.subarray(row * length, (row + 1) * length));
        output.values.fill(
          sample.reduce((sum, element) => sum + element, 0),
          row * width,
          (row + 1) * width,
        );
      }
      moveOut(input);
      return Promise.resolve({ result: output, computeMs: 3 });
    },
    classify: () => Promise.resolve(SECTION_OUTPUT.flatMap((classes) => Array<number>(classes).fill(1 / classes))),
    dispose: () => Promise.resolve(),
  };
  return { handle, inferred };
}

/** Takes the tensor's buffer from the caller, as a message to a thread does. */
function moveOut(tensor: TensorData): void {
  structuredClone(null, { transfer: transferList([tensor]) });
}
