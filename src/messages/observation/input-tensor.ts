/** The tensors of an observation: inputs and the logits of a release. */
import type { TensorFields } from "../generated/knowledgenet.ts";
import { readTensor } from "../tensor/tensor-codec.ts";
import type { TensorView } from "../tensor/tensor-view.ts";
import { readCount } from "../wire/fields.ts";
import { refusal } from "../wire/refusal.ts";

/** What a network takes. */
export type InputTensor = Exclude<TensorView, { readonly dtype: "i32" }>;
export type FloatTensor = TensorView & { readonly dtype: "f32" };

/** @param leastRank axes that it must have @throws KnowledgeNetError KN_DECODE */
export function readInput(attempt: string, fields: TensorFields | null | undefined, leastRank: number): InputTensor {
  const input = readTensor(attempt, fields);
  if (input.dtype !== "i32" && input.shape.length >= leastRank) return input;
  throw refusal(
    attempt,
    `the input must be f32 or u8 of ${leastRank} axes or more`,
    `${input.dtype} [${input.shape.join(", ")}]`,
  );
}

/** @param rank axes that they must have @throws KnowledgeNetError KN_DECODE */
export function readLogits(attempt: string, fields: TensorFields | null | undefined, rank: number): FloatTensor {
  const logits = readTensor(attempt, fields);
  if (logits.dtype === "f32" && logits.shape.length === rank) return logits;
  const value = `${logits.dtype} [${logits.shape.join(", ")}]`;
  throw refusal(attempt, `logits must be f32 of ${rank} axes`, value);
}

/** @throws KnowledgeNetError KN_DECODE */
export function readRelease(attempt: string, value: number | null | undefined): number {
  const release = readCount(attempt, "release", value);
  if (release < 1) throw refusal(attempt, "releases must count from 1", release);
  return release;
}
