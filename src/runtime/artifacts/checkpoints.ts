/**
 * The saved states of a run's actors: blobs `<actor>.<timeline>-<generation>`, and a manifest per generation whose blobs
 * are all there and belong together.
 *
 * A generation is the training step after which every actor's state was taken. It counts only once its manifest is
 * written, so a crash in the middle of saving leaves the one before in force. A timeline is the run from one start or
 * resume to the next: resuming from an older generation begins a new one, and what the old one saved later is not part of it.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { BlobInfo, Blobs, KeyValue, Store } from "../store/store.ts";

const manifestSchema = z.object({
  /** Schema of this record. */
  format: z.literal(2),
  timeline: z.int().min(1),
  generation: z.int().min(1),
  /** Sequence, step and epoch at which every actor stood. */
  sequence: z.int().min(0),
  step: z.int().min(0),
  epoch: z.int().min(0),
  /** Phase of the run that they are of. */
  phase: z.string().default("training"),
  /** SHA-256 of each actor's blob. */
  actors: z.record(z.string(), z.string()),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Which saved state of an actor. */
export interface SavedAt {
  readonly timeline: number;
  readonly generation: number;
}

/** Generations kept of each phase of the run: the newest and one to fall back to. */
const KEPT_GENERATIONS = 2;
/** States of one actor kept besides those, while no manifest names them yet. */
const KEPT_STATES = 3;

export interface Checkpoints {
  /**
   * Writes one actor's state, then forgets its older ones that no kept manifest names. Rejects with KN_CHECKPOINT when it
   * cannot be made durable; older ones stay.
   */
  save(actor: string, at: SavedAt, content: SafetensorsContent): Promise<BlobInfo>;
  /** Reads one actor's state. Rejects with KN_CHECKPOINT when it is absent or damaged. */
  load(actor: string, at: SavedAt): Promise<SafetensorsContent>;
  /** What this actor has saved, newest first. */
  saved(actor: string): Promise<SavedAt[]>;
  /** Declares a generation complete, then forgets manifests of its phase that are too old. */
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

  const manifests = async (): Promise<Manifest[]> => {
    const found: Manifest[] = [];
    for (const key of await records.keys()) {
      const entry = await records.get(key);
      if (entry === undefined) continue;
      const parsed = manifestSchema.safeParse(parseJson(entry.value));
      if (parsed.success) found.push(parsed.data);
    }
    return found.sort(newestFirst);
  };

  const saved = async (actor: string): Promise<SavedAt[]> => {
    const found = (await blobs.list()).flatMap(({ name }) => {
      const match = BLOB_NAME.exec(name);
      return match?.[1] === actor ? [{ timeline: Number(match[2]), generation: Number(match[3]) }] : [];
    });
    return found.sort(newestFirst);
  };

  const prune = async (actor: string): Promise<void> => {
    const named = (await manifests()).filter(isKept);
    const isNamed = (at: SavedAt): boolean => named.some((manifest) => newestFirst(manifest, at) === 0);
    for (const at of (await saved(actor)).slice(KEPT_STATES)) {
      if (!isNamed(at)) await blobs.delete(blobName(actor, at));
    }
  };

  return {
    async save(actor, at, content) {
      const info = await blobs.put(blobName(actor, at), encodeSafetensors(content));
      await prune(actor);
      return info;
    },
    async load(actor, at) {
      const bytes = await blobs.get(blobName(actor, at));
      if (bytes !== undefined) return decodeSafetensors(bytes);
      throw new KnowledgeNetError("KN_CHECKPOINT", {
        attempt: `restore ${actor}`,
        rule: `generation ${at.generation} must hold its state`,
        value: "absent",
        remedy: "use an older generation",
      });
    },
    saved,
    async commit(manifest) {
      const record = new TextEncoder().encode(JSON.stringify({ format: 2, ...manifest }));
      await records.put(manifestKey(manifest), record);
      const all = await manifests();
      for (const old of all.filter((each, index) => !isKept(each, index, all))) await records.delete(manifestKey(old));
    },
    manifests,
  };
}

/** Of `all`, newest first: what a phase ended with outlives the phases after it. */
function isKept({ phase }: Manifest, index: number, all: readonly Manifest[]): boolean {
  return all.slice(0, index).filter((newer) => newer.phase === phase).length < KEPT_GENERATIONS;
}

const BLOB_NAME = /^([A-Za-z0-9_-]+)\.(\d+)-(\d+)$/;

function blobName(actor: string, { timeline, generation }: SavedAt): string {
  return `${actor}.${timeline}-${generation}`;
}

function manifestKey({ timeline, generation }: SavedAt): string {
  return `generation.${timeline}-${generation}`;
}

function newestFirst(a: SavedAt, b: SavedAt): number {
  return b.timeline - a.timeline || b.generation - a.generation;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
