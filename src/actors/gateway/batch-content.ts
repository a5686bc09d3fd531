/** What the batches of a gateway are made of. */
import type { TensorView } from "../../messages/index.ts";
import type { BatchUnderWay } from "./gateway-batches.ts";
import type { AnsweredInput } from "./live-inputs.ts";
import type { OpenRequest } from "./open-requests.ts";

/** The requests of a batch, or a copy of their input whose result is compared. */
export type BatchContent =
  | { readonly kind: "requests"; readonly requests: readonly OpenRequest[]; readonly shadow?: ShadowCopy | undefined }
  | {
      readonly kind: "shadow";
      readonly expected: TensorView;
      readonly nonFinite: readonly number[];
      readonly observed: ObservedBatch;
    };

/** Inputs of a batch that observers get. */
export interface ObservedBatch {
  /** Release that answered them. */
  readonly release: number;
  readonly inputs: readonly ObservedRows[];
}

/** Rows `from` to `to` (exclusive) of the batch. */
export interface ObservedRows extends AnsweredInput {
  readonly from: number;
  readonly to: number;
}

export interface ShadowCopy {
  readonly release: number;
  readonly input: TensorView;
}

export type RequestBatch = BatchUnderWay<BatchContent> & {
  readonly content: BatchContent & { readonly kind: "requests" };
};

export function isBulk({ content }: BatchUnderWay<BatchContent>): boolean {
  return content.kind === "requests" && content.requests[0]?.priority === "bulk";
}

export function isShadow({ content }: BatchUnderWay<BatchContent>): boolean {
  return content.kind === "shadow";
}

export function isOfRequests(batch: BatchUnderWay<BatchContent>): batch is RequestBatch {
  return batch.content.kind === "requests";
}
