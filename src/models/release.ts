/** A release of a model as a reader gets it: numbered, immutable, its manifest parsed and its signature judged. */
import type { TensorView } from "../messages/index.ts";
import type { ModelManifest } from "../run-spec/index.ts";

/** `weights/<layer>/<weight>` -> its values. */
export type NamedTensors = Readonly<Record<string, TensorView>>;

/**
 * - `unsigned`: it has none, and none is required
 * - `signed`: it is intact by the key that it carries; no keys are trusted here
 * - `trusted`: it is intact, by a key that is trusted here
 * - `refused`: it breaks `rule`: it is not intact, or keys are trusted here and it is by none of them
 */
export type SignatureState =
  | { readonly kind: "unsigned" }
  | { readonly kind: "signed" | "trusted"; readonly keyId: string }
  | { readonly kind: "refused"; readonly rule: string; readonly value: string; readonly keyId?: string };

export interface ModelRelease {
  readonly model: string;
  readonly release: number;
  /** SHA-256 of the weights of each block of `manifest.network`, lower-case hex. */
  readonly digests: readonly string[];
  readonly manifest: ModelManifest;
  readonly signature: SignatureState;
  /** Retention never deletes it. */
  readonly isPinned: boolean;
}
