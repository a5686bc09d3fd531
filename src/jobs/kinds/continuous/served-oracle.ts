/** A served model as the oracle: its live release answers, as a client among others, and one that can wait. */
import { createHash } from "node:crypto";
import { type ComputingOracle, stack } from "../../../actors/learner/index.ts";
import type { ServedModel } from "../../../actors/gateway/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { Model } from "../../../models/index.ts";
import type { Clock } from "../../../runtime/clock/index.ts";

export interface ServedOracleOptions {
  /** Of the student, which the oracle must have, too. */
  readonly sampleShape: readonly number[];
  readonly classes: number;
  readonly dtype: "u8" | "f32";
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
  { sampleShape, classes, dtype }: ServedOracleOptions,
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
        const { network } = found.manifest;
        const fits = network.classes === classes && network.input.join() === sampleShape.join();
        if (!fits) throw misfit(served.name, network, { sampleShape, classes });
        return found.release;
      }
      await wait(`no release of ${served.name} is ready`);
    }
  };

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
      const release = [...versions].find(([, each]) => each === version)?.[0];
      const logits = new Float32Array(inputs.length * classes);
      for (let from = 0; from < inputs.length; ) {
        signal.throwIfAborted();
        if (served.live?.release !== release) return undefined;
        const part = inputs.slice(from, from + served.maxBatch);
        const outcome = await served.infer({
          input: stack(
            part.map((values) => ({ values })),
            { sampleShape, dtype },
          ),
          client: "learner",
          priority: "bulk",
          timeoutMs: TIMEOUT_MS,
          signal,
        });
        if (outcome.kind === "refusal") {
          if (outcome.error.code === "KN_NUMERIC" || outcome.error.code === "KN_SHAPE") throw outcome.error;
          await wait(outcome.error.message);
          continue;
        }
        if (outcome.release !== release) return undefined;
        isWaiting = false;
        logits.set(outcome.logits.values, from * classes);
        from += part.length;
      }
      return logits;
    },
  };
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
