/**
 * Numbered releases of a set of weights in parts: the versions of a run's teacher, the published versions of a model. A
 * release is there whole or not at all; its parts are blobs named by their digests, shared by releases of one scope.
 */
import { z } from "zod";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "../../messages/checkpoint/index.ts";
import { sha256 } from "../sha256.ts";
import type { KeyValue, Store } from "../store/store.ts";
import { ARTIFACT_BLOBS, ARTIFACT_RECORDS, type ArtifactScope, partName } from "./artifact-names.ts";
import { changeKey } from "../store/change-key.ts";
import { parseJson } from "../store/parse-json.ts";
import { readArtifact } from "./read-artifact.ts";
import { uniqueId } from "../unique-id.ts";

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
  /** Facts about it, perhaps computed from its number and digests, once they are known. @default none */
  readonly metadata?:
    | Readonly<Record<string, string>>
    | ((release: Pick<Release, "release" | "digests">) => Readonly<Record<string, string>>);
  /** @default false */
  readonly isPinned?: boolean;
  /** Numbers up to this one are not used, asked for when those of all releases have been read. @default none */
  readonly after?: () => Promise<number>;
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
  /** Undefined when there is no such release. Rejects with KN_CHECKPOINT when its record does not parse. */
  find(release: number): Promise<Release | undefined>;
  /** Rejects with KN_CHECKPOINT when it is absent, damaged, or not what the release names. */
  load(release: Pick<Release, "release" | "digests">, part: number): Promise<SafetensorsContent["tensors"]>;
  /** Rejects with KN_CHECKPOINT when there is no such release. */
  setPinned(release: number, isPinned: boolean): Promise<void>;
  /** Deletes all but the newest `kept`, the pinned and those `inUse`, then the parts that no release names. */
  retain(options: { readonly kept: number; readonly inUse?: readonly number[] }): Promise<void>;
  /** Deletes these, then the parts that no release names. One that is absent is no error. */
  remove(releases: readonly number[]): Promise<void>;
}

const releaseFilter = (scope: ArtifactScope): string => `${scope}.release.*`;
const releaseKey = (scope: ArtifactScope, release: number): string => `${scope}.release.${release}`;
const publishingFilter = (scope: ArtifactScope): string => `${scope}.publishing.*`;

/** Keys of publications that began before `beforeMs`, ms since 1970: of processes that have ended. */
export async function abandonedPublications(
  scope: ArtifactScope,
  records: KeyValue,
  beforeMs: number,
): Promise<string[]> {
  const entries = await records.entries(publishingFilter(scope));
  return entries.filter(({ writtenMs }) => writtenMs < beforeMs).map(({ key }) => key);
}

/**
 * Names of the parts of a scope's releases, and of those that are being published. Undefined: a record does not parse, so
 * it is not known what it names.
 * @param abandoned keys of publications that do not count
 */
export async function namedParts(
  scope: ArtifactScope,
  records: KeyValue,
  abandoned: readonly string[] = [],
): Promise<ReadonlySet<string> | undefined> {
  // In this order: what is being published when the first is read is a release by the time of the second.
  const publishing = (await records.entries(publishingFilter(scope))).filter(({ key }) => !abandoned.includes(key));
  const entries = [...publishing, ...(await records.entries(releaseFilter(scope)))];
  const named = new Set<string>();
  for (const { value } of entries) {
    const found = namesSchema.safeParse(parseJson(value)).data;
    if (found === undefined) return undefined;
    for (const digest of found.digests) named.add(partName(scope, digest));
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
  /** Publications of this process under way, by key: of the same parts there may be several. */
  const underWay = new Map<string, number>();
  const own = uniqueId();

  const missing = (release: number, value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `load release ${release} of ${scope}`,
      rule: "it must be in the store, whole",
      value,
      remedy: "publish it again",
    });

  const find = async (release: number): Promise<Release | undefined> => {
    const entry = await records.get(releaseKey(scope, release));
    if (entry === undefined) return undefined;
    const found = parseRelease(entry.value);
    if (found === undefined) throw missing(release, "a record of another version");
    return found;
  };

  const numbers = async (): Promise<number[]> =>
    (await records.keys(releaseFilter(scope))).map((key) => Number(key.split(".").at(-1))).sort((a, b) => b - a);

  const list = async (): Promise<Release[]> =>
    (await records.entries(releaseFilter(scope)))
      .flatMap(({ value }) => parseRelease(value) ?? [])
      .sort((a, b) => b.release - a.release);

  const encode = (record: Release): Uint8Array => new TextEncoder().encode(JSON.stringify(record));

  /** The first number that nobody has taken. */
  const create = async (
    digests: string[],
    { metadata = {}, isPinned = false, after }: PublishOptions,
  ): Promise<Release> => {
    for (;;) {
      const [newest = 0] = await numbers();
      const release = Math.max(newest, (await after?.()) ?? 0) + 1;
      const facts = typeof metadata === "function" ? metadata({ release, digests }) : metadata;
      const record: Release = { format: 2, release, digests, metadata: { ...facts }, isPinned };
      try {
        await records.create(releaseKey(scope, release), encode(record));
        return record;
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
      }
    }
  };

  /**
   * Names the parts while no release does: a collection at the same time leaves them alone. After an error the name stays,
   * since the release may have been made: until these parts are published again from here, or it is collected.
   */
  const whileNamed = async <T>(digests: readonly string[], work: () => Promise<T>): Promise<T> => {
    const key = `${scope}.publishing.${sha256(new TextEncoder().encode([own, ...digests].join(" ")))}`;
    underWay.set(key, (underWay.get(key) ?? 0) + 1);
    let isDone = false;
    try {
      await records.put(key, new TextEncoder().encode(JSON.stringify({ digests })));
      const result = await work();
      isDone = true;
      return result;
    } finally {
      const left = (underWay.get(key) ?? 1) - 1;
      underWay.set(key, left);
      if (left === 0) underWay.delete(key);
      if (isDone && left === 0) await records.delete(key).catch(leftToCollection);
    }
  };

  /** Deletes its record. @returns it; undefined when it is absent, or pinned and stays */
  const removeRecord = async (release: number): Promise<Release | undefined> => {
    for (;;) {
      const entry = await records.get(releaseKey(scope, release));
      const found = entry === undefined ? undefined : parseRelease(entry.value);
      if (entry === undefined || found === undefined || found.isPinned) return undefined;
      try {
        await records.delete(entry.key, entry.revision);
        return found;
      } catch (error) {
        // Pinned or unpinned meanwhile.
        if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
      }
    }
  };

  const remove = async (releases: readonly number[]): Promise<void> => {
    const digests = new Set<string>();
    for (const release of releases)
      for (const digest of (await removeRecord(release))?.digests ?? []) digests.add(digest);
    // Revisions before records: a part that is published again meanwhile has another one, and stays.
    const infos = await Promise.all([...digests].map((digest) => blobs.info(partName(scope, digest))));
    const named = await namedParts(scope, records);
    if (named === undefined) return; // left to collection
    for (const info of infos)
      if (info !== undefined && !named.has(info.name)) await blobs.delete(info.name, { revision: info.revision });
  };

  return {
    async publish(parts, options = {}) {
      const encoded = parts.map((tensors) => encodeSafetensors({ metadata: {}, tensors }));
      const digests = encoded.map(sha256);
      return whileNamed(digests, async () => {
        for (const [part, bytes] of encoded.entries()) await blobs.put(partName(scope, digests[part] ?? ""), bytes);
        return create(digests, options);
      });
    },
    list,
    async newest() {
      const [release] = await numbers();
      return release === undefined ? undefined : find(release);
    },
    async get(release) {
      const found = await find(release);
      if (found !== undefined) return found;
      throw missing(release, "absent");
    },
    find,
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
      await remove(dropped.map(({ release }) => release));
    },
    remove,
  };
}

/** The release is there; only the name of its publication is left. */
function leftToCollection(error: unknown): void {
  if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
}
