/**
 * The saved states of one run's actors, and which of them belong together.
 *
 * An actor writes its states as immutable blobs and deletes its own old ones, as far as the committed generations
 * allow. The coordinator commits a generation once all states of it are durable, in one record of the retained
 * generations. Both are fenced: a holder whose place was taken while it was suspended changes nothing any more. The
 * number of requests of a save and of a commit does not depend on the age of the run.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { decodeSafetensors, type SafetensorsContent } from "../../messages/checkpoint/index.ts";
import { changeKey } from "../store/change-key.ts";
import type { Blobs, KeyValue, KvEntry, Store } from "../store/store.ts";
import { ARTIFACT_BLOBS, ARTIFACT_RECORDS, type ArtifactScope, type SavedAt, stateName } from "./artifact-names.ts";
import { type ActorStates, openActorStates } from "./actor-states.ts";
import {
  compareHolders,
  encodeRecord,
  type Holder,
  type Manifest,
  manifestAt,
  type ManifestRecord,
  manifestsKey,
  NO_MANIFESTS,
  parseManifestRecord,
  withManifest,
} from "./manifest.ts";
import { readArtifact } from "./read-artifact.ts";

export interface Checkpoints {
  /**
   * Declares a generation complete and drops generations beyond retention. Rejects with KN_CHECKPOINT when a state
   * that it names is not in the store, KN_FENCED when a newer coordinator has written; what was committed before stays.
   * @param fence fencing token of the coordinator. @default 0
   */
  commit(manifest: Manifest, fence?: number): Promise<void>;
  /** Committed generations, newest first. Rejects with KN_CHECKPOINT when the record does not parse. */
  manifests(): Promise<Manifest[]>;
  /**
   * State of one actor in a committed generation, verified. Rejects with KN_CHECKPOINT when it is absent or damaged.
   */
  load(actor: string, at: SavedAt): Promise<SafetensorsContent>;
  /** The states of one actor, for its holder. */
  statesOf(actor: string, holder: Holder): ActorStates;
}

/** Rejects with KN_CHECKPOINT when an earlier version saved the run in buckets of its own. */
export async function openCheckpoints(store: Store, scope: ArtifactScope): Promise<Checkpoints> {
  await assertPresentLayout(store, scope);
  const blobs: Blobs = await store.blobs(ARTIFACT_BLOBS);
  const records: KeyValue = await store.kv(ARTIFACT_RECORDS);
  const key = manifestsKey(scope);

  const recordIn = (entry: KvEntry | undefined): ManifestRecord => {
    if (entry === undefined) return NO_MANIFESTS;
    const record = parseManifestRecord(entry.value);
    if (record !== undefined) return record;
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `read the manifests of ${scope}`,
      rule: "the record must be one of this version",
      value: new TextDecoder().decode(entry.value.subarray(0, 100)),
      remedy: "use the version of knowledgenet that wrote it",
    });
  };
  const manifests = async (): Promise<Manifest[]> => recordIn(await records.get(key)).manifests;

  const assertStates = async ({ actors, ...at }: Manifest): Promise<void> => {
    const found = await Promise.all(
      Object.entries(actors).map(async ([actor, digest]) => {
        const info = await blobs.info(stateName(scope, actor, at, digest));
        return info?.digest === digest ? undefined : actor;
      }),
    );
    const missing = found.filter((actor) => actor !== undefined);
    if (missing.length === 0) return;
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `commit generation ${at.generation} of ${scope}`,
      rule: "every state that it names must be in the store",
      value: `absent: ${missing.join(", ")}`,
      remedy: "the next generation is committed instead",
    });
  };

  return {
    async commit(manifest, fence = 0) {
      const holder = { attempt: manifest.attempt, fence };
      await assertStates(manifest);
      // After a write of another coordinator the holder in its record decides which of the two is stale.
      await changeKey(records, key, (entry) => {
        const record = recordIn(entry);
        if (compareHolders(holder, record.holder) < 0) throw staleCoordinator(scope, holder, record.holder);
        return encodeRecord(withManifest(record, holder, manifest));
      });
    },
    manifests,
    async load(actor, at) {
      const digest = manifestAt(await manifests(), at)?.actors[actor];
      if (digest === undefined) throw absent(actor, at, "no manifest names it");
      const name = stateName(scope, actor, at, digest);
      const bytes = await readArtifact(blobs, name, digest);
      if (bytes === undefined) throw absent(actor, at, "absent");
      return decodeSafetensors(bytes);
    },
    statesOf: (actor, holder) => openActorStates({ scope, actor, holder }, { blobs, records, manifests }),
  };
}

/** Such a run would look like one without checkpoints, and restart from the beginning. */
async function assertPresentLayout(store: Store, scope: ArtifactScope): Promise<void> {
  const run = scope.slice(scope.indexOf(".") + 1);
  const names = new Set(["checkpoints", `checkpoints-${run}`]);
  const old = (await store.buckets()).find(({ kind, name }) => kind === "blobs" && names.has(name));
  if (old === undefined) return;
  throw new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: `open the checkpoints of ${scope}`,
    rule: "they must be in the layout of this version",
    value: `bucket ${old.name} in ${store.description}`,
    remedy: "finish or export the run with the version that saved it, or start it again under another name",
  });
}

function absent(actor: string, { generation }: SavedAt, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: `restore ${actor}`,
    rule: `generation ${generation} must hold its state`,
    value,
    remedy: "use an older generation",
  });
}

function staleCoordinator(scope: string, holder: Holder, newest: Holder): KnowledgeNetError {
  return new KnowledgeNetError("KN_FENCED", {
    attempt: `commit a generation of ${scope} with the fencing token ${holder.fence} of attempt ${holder.attempt}`,
    rule: "no newer coordinator must have committed",
    value: `fencing token ${newest.fence} of attempt ${newest.attempt}`,
    remedy: "stop this coordinator",
  });
}
