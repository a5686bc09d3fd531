/**
 * The saved states of a run's actors: blobs `<actor>.<generation>`, and a manifest that names the generation whose
 * blobs are all there and belong together. A generation counts only once its manifest is written, so a crash in the
 * middle of saving leaves the one before in force.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { BlobInfo, Blobs, KeyValue, Store } from "../store/store.ts";

const manifestSchema = z.object({
  /** Schema of this record. */
  format: z.literal(1),
  generation: z.int().min(1),
  /** Sequence, step and epoch at which every actor stood. */
  sequence: z.int().min(0),
  step: z.int().min(0),
  epoch: z.int().min(0),
  /** SHA-256 of each actor's blob. */
  actors: z.record(z.string(), z.string()),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Generations kept: the newest and one to fall back to. */
const KEPT_GENERATIONS = 2;

export interface Checkpoints {
  /** Writes one actor's state. Rejects with KN_CHECKPOINT when it cannot be made durable; older ones stay. */
  save(actor: string, generation: number, content: SafetensorsContent): Promise<BlobInfo>;
  /** Reads one actor's state of one generation. Rejects with KN_CHECKPOINT when it is absent or damaged. */
  load(actor: string, generation: number): Promise<SafetensorsContent>;
  /** Declares a generation complete, then forgets those that are too old. */
  commit(manifest: Omit<Manifest, "format">): Promise<void>;
  /** Complete generations, newest first. A record that does not parse is left out. */
  manifests(): Promise<Manifest[]>;
}

export interface CheckpointBuckets {
  readonly blobs: string;
  readonly manifests: string;
}

export async function openCheckpoints(store: Store, buckets: CheckpointBuckets): Promise<Checkpoints> {
  const blobs: Blobs = await store.blobs(buckets.blobs);
  const records: KeyValue = await store.kv(buckets.manifests);
  const blobName = (actor: string, generation: number): string => `${actor}.${generation}`;

  const manifests = async (): Promise<Manifest[]> => {
    const found: Manifest[] = [];
    for (const key of await records.keys()) {
      const entry = await records.get(key);
      if (entry === undefined) continue;
      const parsed = manifestSchema.safeParse(parseJson(entry.value));
      if (parsed.success) found.push(parsed.data);
    }
    return found.sort((a, b) => b.generation - a.generation);
  };

  return {
    save: (actor, generation, content) => blobs.put(blobName(actor, generation), encodeSafetensors(content)),
    async load(actor, generation) {
      const bytes = await blobs.get(blobName(actor, generation));
      if (bytes !== undefined) return decodeSafetensors(bytes);
      throw new KnowledgeNetError("KN_CHECKPOINT", {
        attempt: `restore ${actor}`,
        rule: `generation ${generation} must hold its state`,
        value: "absent",
        remedy: "use an older generation",
      });
    },
    async commit(manifest) {
      const record = new TextEncoder().encode(JSON.stringify({ format: 1, ...manifest }));
      await records.put(`generation-${manifest.generation}`, record);
      for (const old of (await manifests()).slice(KEPT_GENERATIONS)) {
        await records.delete(`generation-${old.generation}`);
        for (const actor of Object.keys(old.actors)) await blobs.delete(blobName(actor, old.generation));
      }
    },
    manifests,
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
