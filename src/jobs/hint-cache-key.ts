/**
 * The key of a partition of the hint cache: everything that the output of one teacher section depends on. A key that
 * omits one of them would serve stale hints after an edit of the spec or of the files.
 */
import type { DistillationSpec, LayerSpec } from "../run-spec/index.ts";

export interface HintCacheKeyParts {
  /** Fingerprint of the data set, by content. */
  readonly dataset: string;
  /** Layers of the whole teacher, by section. */
  readonly layers: readonly (readonly LayerSpec[])[];
  /** Digest of each section's weights, of one version of the teacher. */
  readonly digests: readonly string[];
  /** The section whose output is cached. */
  readonly section: number;
  /** Codec of the cached output. */
  readonly codec: string;
  readonly augmentation: DistillationSpec["data"]["augmentation"];
  /** The view of the samples; 0: the unchanged samples. */
  readonly view: number;
  /** Seed of the views. */
  readonly viewSeed: number;
}

export function hintCacheKey(parts: HintCacheKeyParts): string {
  const { dataset, layers, digests, section, codec, augmentation, view, viewSeed } = parts;
  const end = section + 1;
  return JSON.stringify({
    dataset,
    // Layers carry options that no weight shows: a pool, the bound of a ReLU, the factor of a rescaling.
    layers: layers.slice(0, end).map((own) => own.map(sortedEntries)),
    weights: digests.slice(0, end),
    codec,
    view: view === 0 ? [0] : [view, viewSeed, augmentation?.flip, augmentation?.shift, augmentation?.rotate],
  });
}

function sortedEntries(layer: LayerSpec): [string, unknown][] {
  return Object.entries(layer).sort(([a], [b]) => (a < b ? -1 : 1));
}
