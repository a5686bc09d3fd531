/** Bytes from anybody to an update that may be considered, or the reason why it is not. Pure. */
import { isKnowledgeNetError, type KnowledgeNetError } from "../../errors/index.ts";
import { decodeModelUpdate, decodeSignedUpdate, type ModelUpdate } from "../../messages/index.ts";
import { judgeUpdateSignature, type TrustedKey } from "../signature.ts";

/** Why bytes are ignored before their content is looked at. */
export type RefusedUpdate = "malformed" | "other-model" | "unsigned" | "unknown-signer" | "forged";

export type ReadUpdate =
  | { readonly kind: "read"; readonly update: ModelUpdate; readonly sizeBytes: number }
  | { readonly kind: "refused"; readonly reason: RefusedUpdate; readonly error?: KnowledgeNetError };

export interface ReadOptions {
  readonly model: string;
  /** Keys of which an update must have one. Empty: any update is accepted that is intact. */
  readonly trusted: readonly TrustedKey[];
  /** @default 64 MiB: a full update of 16 million weights in f32 */
  readonly maxBytes?: number;
}

const MAX_BYTES = 64 << 20;

/** The update's tensors are views on `bytes`. The signature is judged before anything that it covers is decoded. */
export function readUpdate(bytes: Uint8Array, { model, trusted, maxBytes = MAX_BYTES }: ReadOptions): ReadUpdate {
  try {
    const signed = decodeSignedUpdate(bytes, { maxBytes });
    const state = judgeUpdateSignature(signed.update, signed.signature, trusted);
    if (state.kind === "refused") {
      if (signed.signature === undefined) return { kind: "refused", reason: "unsigned" };
      const isIntact = judgeUpdateSignature(signed.update, signed.signature, []).kind === "signed";
      return { kind: "refused", reason: isIntact ? "unknown-signer" : "forged" };
    }
    const update = decodeModelUpdate(signed.update, { maxBytes });
    if (update.model !== model) return { kind: "refused", reason: "other-model" };
    return { kind: "read", update, sizeBytes: bytes.length };
  } catch (error) {
    if (isKnowledgeNetError(error, "KN_DECODE")) return { kind: "refused", reason: "malformed", error };
    throw error;
  }
}
