/**
 * Numbered releases of a set of weights in parts: the versions of a run's teacher, the published versions of a model. A
 * release is there whole or not at all; its parts are blobs named by their digests, shared by releases of one scope.
 */
import { z } from "zod";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { KeyValue, Store } from "../store/store.ts";
import { ARTIFACT_BLOBS, ARTIFACT_RECORDS, type ArtifactScope, digestOf, partName } from "./artifact-names.ts";
import { changeKey } from "../store/change-key.ts";
import { parseJson } from "../store/parse-json.ts";
import { readArtifact } from "./read-artifact.ts";

const releaseSchema = z.object({
  format: z.literal(2),
  release: z.int().min(1),
  /** SHA-256 of each part, in order. */
  digests: z.array(z.string()),
  /** Facts about it: run, generation, step. */
  metadata: z.record(z.string(), z.string()),
  /** A pinned release is never collected. */
  isPinned: z.boolean(),
});
const namesSchema = z.object({ digests: z.array(z.string()) });
export type Release = z.infer<typeof releaseSchema>;

export interface PublishOptions {
  /** @default none */
  readonly metadata?: Readonly<Record<string, string>>;
  /** @default false */
  readonly isPinned?: boolean;
}

export interface Releases {
  /** Makes `parts` the newest release. Rejects with KN_CHECKPOINT, KN_UNAVAILABLE when it cannot be made durable. */
  publish(parts: readonly SafetensorsContent["tensors"][], options?: PublishOptions): Promise<Release>;
  /** Newest first. A record that does not parse is left out. */
  list(): Promise<Release[]>;
  /** Undefined: there is none. */
  newest(): Promise<Release | undefined>;
  /** Rejects with KN_CHECKPOINT when there is no such release. */
  get(release: number): Promise<Release>;
  /** Rejects with KN_CHECKPOINT when it is absent, damaged, or not what the release names. */
  load(release: Release, part: number): Promise<SafetensorsContent["tensors"]>;
  /** Rejects with KN_CHECKPOINT when there is no such release. */
  setPinned(release: number, isPinned: boolean): Promise<void>;
  /** Deletes all but the newest `kept`, the pinned and those `inUse`, then the parts that no release names. */
  retain(options: { readonly kept: number; readonly inUse?: readonly number[] }): Promise<void>;
}

const releaseFilter = (scope: ArtifactScope): string => `${scope}.release.*`;
const releaseKey = (scope: ArtifactScope, release: number): string => `${scope}.release.${release}`;

const publishingKey = (scope: ArtifactScope, digest: string): string => `${scope}.publishing.${digest}`;

/** Names of the parts of a scope's releases, and of those that are being published. */
export async function namedParts(scope: ArtifactScope, records: KeyValue): Promise<ReadonlySet<string>> {
  const keys = [...(await records.keys(`${scope}.publishing.*`)), ...(await records.keys(releaseFilter(scope)))];
  const named = new Set<string>();
  for (const key of keys) {
    const entry = await records.get(key);
    const found = entry === undefined ? undefined : namesSchema.safeParse(parseJson(entry.value)).data;
    for (const digest of found?.digests ?? []) named.add(partName(scope, digest));
  }
  return named;
}

/** @returns undefined when the bytes are not such a record. */
function parseRelease(bytes: Uint8Array): Release | undefined {
  return releaseSchema.safeParse(parseJson(bytes)).data;
}

export async function openReleases(store: Store, scope: ArtifactScope): Promise<Releases> {
  const blobs = await store.blobs(ARTIFACT_BLOBS);
  const records = await store.kv(ARTIFACT_RECORDS);

  const missing = (release: number, value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `load release ${release} of ${scope}`,
      rule: "it must be in the store, whole",
      value,
      remedy: "publish it again",
    });

  const read = async (release: number): Promise<Release | undefined> => {
    const entry = await records.get(releaseKey(scope, release));
    return entry === undefined ? undefined : parseRelease(entry.value);
  };

  const numbers = async (): Promise<number[]> =>
    (await records.keys(releaseFilter(scope))).map((key) => Number(key.split(".").at(-1))).sort((a, b) => b - a);

  const list = async (): Promise<Release[]> => {
    return (await Promise.all((await numbers()).map(read))).filter((found) => found !== undefined);
  };

  const encode = (record: Release): Uint8Array => new TextEncoder().encode(JSON.stringify(record));

  /** The first number that nobody has taken. */
  const create = async (digests: string[], { metadata = {}, isPinned = false }: PublishOptions): Promise<Release> => {
    for (;;) {
      const release = ((await numbers())[0] ?? 0) + 1;
      const record: Release = { format: 2, release, digests, metadata: { ...metadata }, isPinned };
      try {
        await records.create(releaseKey(scope, release), encode(record));
        return record;
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
      }
    }
  };

  return {
    async publish(parts, options = {}) {
      const encoded = parts.map((tensors) => encodeSafetensors({ metadata: {}, tensors }));
      const digests = encoded.map(digestOf);
      const write = async (part: number): Promise<void> => {
        await blobs.put(partName(scope, digests[part] ?? ""), encoded[part] ?? new Uint8Array());
      };
      // Names the parts while no release does: a collection at the same time leaves them alone.
      const intent = publishingKey(scope, digestOf(new TextEncoder().encode(digests.join(" "))));
      await records.put(intent, new TextEncoder().encode(JSON.stringify({ digests })));
      for (const part of encoded.keys()) await write(part);
      const record = await create(digests, options);
      await records.delete(intent);
      return record;
    },
    list,
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
      const bytes = digest === undefined ? undefined : await readArtifact(blobs, partName(scope, digest), digest);
      if (bytes === undefined) throw missing(release, `part ${part} is absent`);
      return decodeSafetensors(bytes).tensors;
    },
    async setPinned(release, isPinned) {
      await changeKey(records, releaseKey(scope, release), (entry) => {
        const found = entry === undefined ? undefined : parseRelease(entry.value);
        if (found === undefined) throw missing(release, "absent");
        return encode({ ...found, isPinned });
      });
    },
    async retain({ kept, inUse = [] }) {
      const all = await list();
      const dropped = all.slice(kept).filter(({ release, isPinned }) => !isPinned && !inUse.includes(release));
      for (const { release } of dropped) await records.delete(releaseKey(scope, release));
      const names = new Set(dropped.flatMap(({ digests }) => digests.map((digest) => partName(scope, digest))));
      // Revisions before records: a part that is published again meanwhile has another one, and stays.
      const infos = await Promise.all([...names].map((name) => blobs.info(name)));
      const named = await namedParts(scope, records);
      for (const info of infos)
        if (info !== undefined && !named.has(info.name)) await blobs.delete(info.name, { revision: info.revision });
    },
  };
}
