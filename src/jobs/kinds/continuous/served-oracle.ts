/** A served model as the oracle: its live release answers, as a client among others, and one that can wait. */
import { createHash } from "node:crypto";
import type { ComputingOracle } from "../../../actors/learner/index.ts";
import { type InferenceAnswer, joinInputs, type ServedModel } from "../../../actors/gateway/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { rowsOf, stack, type TensorView } from "../../../messages/index.ts";
import type { Model } from "../../../models/index.ts";
import type { Clock } from "../../../runtime/clock/index.ts";
import { measureSections, type ModelSpec } from "../../../run-spec/index.ts";

export interface ServedOracleOptions {
  /** Of the student, which the oracle must have, too. */
  readonly sampleShape: readonly number[];
  readonly classes: number;
  readonly dtype: "u8" | "f32";
  /** Shapes between the student's sections, which the oracle's must have, too; undefined: its sections do not teach. */
  readonly boundaries?: readonly (readonly number[])[] | undefined;
}

export interface ServedOracleDeps {
  readonly served: Pick<ServedModel, "name" | "maxBatch" | "live" | "infer">;
  readonly model: Pick<Model, "release">;
  readonly clock: Pick<Clock, "sleep">;
  /** Ends its waiting. */
  readonly signal: AbortSignal;
  /** Told once for each outage. */
  readonly onWaiting: (reason: string) => void;
}

/** Before a refused batch is sent again, ms. */
const RETRY_MS = 250;
const TIMEOUT_MS = 30_000;

/** Its calls reject with the reason of `signal` after an abort, and with KN_CONFIG when the models do not fit together. */
export function servedOracle(
  { sampleShape, classes, dtype, boundaries }: ServedOracleOptions,
  { served, model, clock, signal, onWaiting }: ServedOracleDeps,
): ComputingOracle {
  const versions = new Map<number, string>();
  let isWaiting = false;

  const wait = async (reason: string): Promise<void> => {
    if (!isWaiting) onWaiting(reason);
    isWaiting = true;
    await clock.sleep(RETRY_MS, signal);
  };
  const live = async (): Promise<number> => {
    for (;;) {
      signal.throwIfAborted();
      const { live: found } = served;
      if (found !== undefined) {
        assertTeaches(served.name, found.manifest.network, { sampleShape, classes, boundaries });
        return found.release;
      }
      await wait(`no release of ${served.name} is ready`);
    }
  };

  /** @returns the answer by `release`; undefined when another one is live */
  const ask = async (
    input: TensorView,
    release: number | undefined,
    wantsActivations: boolean,
  ): Promise<InferenceAnswer | undefined> => {
    for (;;) {
      signal.throwIfAborted();
      if (served.live?.release !== release) return undefined;
      const outcome = await served.infer({
        ...{ input, wantsActivations, client: "learner", priority: "bulk", timeoutMs: TIMEOUT_MS, signal },
      });
      if (outcome.kind === "answer") {
        isWaiting = false;
        return outcome.release === release ? outcome : undefined;
      }
      if (outcome.error.code === "KN_NUMERIC" || outcome.error.code === "KN_SHAPE") throw outcome.error;
      await wait(outcome.error.message);
    }
  };
  const releaseOf = (version: string): number | undefined => [...versions].find(([, each]) => each === version)?.[0];

  return {
    async version() {
      const release = await live();
      const known = versions.get(release);
      if (known !== undefined) return known;
      const { digests } = await model.release(release);
      const digest = createHash("sha256").update(digests.join()).digest("hex").slice(0, 16);
      const version = `${served.name}-${release}-${digest}`;
      versions.set(release, version);
      return version;
    },
    async compute(inputs, version) {
      const logits = new Float32Array(inputs.length * classes);
      for (let from = 0; from < inputs.length; from += served.maxBatch) {
        const part = inputs.slice(from, from + served.maxBatch).map((values) => ({ values }));
        const answer = await ask(stack(part, { sampleShape, dtype }), releaseOf(version), false);
        if (answer === undefined) return undefined;
        logits.set(answer.logits.values, from * classes);
      }
      return logits;
    },
    async teach(inputs, version) {
      const answers: InferenceAnswer[] = [];
      const rows = inputs.shape[0] ?? 0;
      for (let from = 0; from < rows; from += served.maxBatch) {
        const part = rowsOf(inputs, from, Math.min(rows, from + served.maxBatch));
        const answer = await ask(part, releaseOf(version), true);
        if (answer === undefined) return undefined;
        answers.push(answer);
      }
      const activations = (answers[0]?.activations ?? []).map((_, index) =>
        joinInputs(answers.map((answer) => answer.activations?.[index] as TensorView)),
      );
      return { activations, logits: joinInputs(answers.map(({ logits }) => logits)) };
    },
  };
}

/** @throws KnowledgeNetError KN_CONFIG when the oracle is not one for this student */
export function assertTeaches(
  oracle: string,
  network: ModelSpec,
  { sampleShape, classes, boundaries }: Omit<ServedOracleOptions, "dtype">,
): void {
  const fits = network.classes === classes && network.input.join() === sampleShape.join();
  if (!fits) throw misfit(oracle, network, { sampleShape, classes });
  if (boundaries !== undefined) assertBoundaries(oracle, boundariesOf(network), boundaries);
}

function misfit(
  oracle: string,
  network: { readonly input: readonly number[]; readonly classes: number },
  student: { readonly sampleShape: readonly number[]; readonly classes: number },
): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `label with ${oracle}`,
    rule: `it must have the input [${student.sampleShape.join(", ")}] and the ${student.classes} classes of the student`,
    value: `[${network.input.join(", ")}] and ${network.classes} classes`,
    remedy: "name another oracle.model",
  });
}

/** Shapes of one sample between the sections of a network. */
export function boundariesOf(network: ModelSpec): readonly (readonly number[])[] {
  return measureSections(network)
    .slice(0, -1)
    .map(({ outputShape }) => outputShape);
}

function assertBoundaries(
  oracle: string,
  found: readonly (readonly number[])[],
  wanted: readonly (readonly number[])[],
): void {
  const textOf = (shapes: readonly (readonly number[])[]): string =>
    shapes.map((shape) => `[${shape.join(", ")}]`).join(", ") || "none";
  if (wanted.length > 0 && textOf(found) === textOf(wanted)) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `let the sections of ${oracle} teach`,
    rule: `student and oracle must be cut, with one shape at each cut; the oracle's are ${textOf(found)}`,
    value: `${textOf(wanted)} of the student`,
    remedy: "derive the student from the oracle (kn plan --compress), or leave training.sections out",
  });
}
