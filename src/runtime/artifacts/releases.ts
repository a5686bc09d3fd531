/**
 * Numbered releases of a set of weights in parts: what a run's teacher is, and which is the newest. A release is there
 * whole or not at all; its parts are blobs, told by their digests.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { Store } from "../store/store.ts";

const releaseSchema = z.object({
  format: z.literal(1),
  release: z.int().min(1),
  /** SHA-256 of each part, in order. */
  digests: z.array(z.string()),
});
export type Release = z.infer<typeof releaseSchema>;

export interface Releases {
  /** Makes `parts` the newest release. Rejects with KN_CHECKPOINT, KN_UNAVAILABLE when it cannot be made durable. */
  publish(parts: readonly SafetensorsContent["tensors"][]): Promise<Release>;
  /** Undefined: there is none. */
  newest(): Promise<Release | undefined>;
  /** Rejects with KN_CHECKPOINT when there is no such release. */
  get(release: number): Promise<Release>;
  /** Rejects with KN_CHECKPOINT when it is absent, damaged, or not what the release names. */
  load(release: Release, part: number): Promise<SafetensorsContent["tensors"]>;
}

export interface ReleaseBuckets {
  readonly blobs: string;
  readonly records: string;
}

export async function openReleases(store: Store, buckets: ReleaseBuckets): Promise<Releases> {
  const blobs = await store.blobs(buckets.blobs);
  const records = await store.kv(buckets.records);

  const missing = (release: number, value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `load version ${release} of the teacher`,
      rule: "it must be in the store, whole",
      value,
      remedy: "publish it again: kn teach",
    });

  const read = async (release: number): Promise<Release | undefined> => {
    const entry = await records.get(`${RECORD}.${release}`);
    if (entry === undefined) return undefined;
    return releaseSchema.safeParse(JSON.parse(new TextDecoder().decode(entry.value))).data;
  };

  const numbers = async (): Promise<number[]> =>
    (await records.keys(`${RECORD}.*`)).map((key) => Number(key.split(".")[1])).sort((a, b) => b - a);

  return {
    async publish(parts) {
      const digests: string[] = [];
      // The same weights give the same bytes, and so the same digest, wherever they come from.
      for (const tensors of parts) {
        const bytes = encodeSafetensors({ metadata: {}, tensors });
        const digest = createHash("sha256").update(bytes).digest("hex");
        await blobs.put(blobName(digest), bytes);
        digests.push(digest);
      }
      for (;;) {
        const release = ((await numbers())[0] ?? 0) + 1;
        const record: Release = { format: 1, release, digests };
        try {
          await records.create(`${RECORD}.${release}`, new TextEncoder().encode(JSON.stringify(record)));
          return record;
        } catch (error) {
          // Somebody else took the number: ours gets the next one.
          if (!(error instanceof KnowledgeNetError) || error.code !== "KN_FENCED") throw error;
        }
      }
    },
    async newest() {
      const [release] = await numbers();
      return release === undefined ? undefined : read(release);
    },
    async get(release) {
      const found = await read(release);
      if (found !== undefined) return found;
      throw missing(release, "absent");
    },
    async load({ release, digests }, part) {
      const digest = digests[part];
      const bytes = digest === undefined ? undefined : await blobs.get(blobName(digest));
      if (bytes === undefined) throw missing(release, `part ${part} is absent`);
      return decodeSafetensors(bytes).tensors;
    },
  };
}

const RECORD = "release";

/** Named by what is in it: two who publish at once cannot take each other's place. */
function blobName(digest: string): string {
  return `teacher.${digest}`;
}
