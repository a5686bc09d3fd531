/**
 * The states of one actor, as its holder sees them: claims the actor, writes states, and deletes old ones. A link to
 * the shared store that is down does not fail a save whose blob is durable in the node's own folder: the fence is
 * checked and old states are deleted as soon as the records can be read again.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "../../messages/checkpoint/index.ts";
import { sha256 } from "../sha256.ts";
import { changeKey } from "../store/change-key.ts";
import type { BlobInfo, Blobs, KeyValue, KvEntry } from "../store/store.ts";
import {
  type ArtifactScope,
  newestFirst,
  parseStateName,
  type SavedAt,
  type SavedState,
  stateName,
} from "./artifact-names.ts";
import { compareHolders, encodeRecord, fenceKey, type Holder, type Manifest, parseHolder } from "./manifest.ts";
import { readArtifact } from "./read-artifact.ts";
import { statesToDelete } from "./state-retention.ts";

export interface ActorStates {
  /**
   * Claims the actor for this holder: from now on what earlier holders save is refused. Rejects with KN_FENCED when a
   * newer one has.
   */
  claim(): Promise<void>;
  /** States that are in the store, newest first. */
  list(): Promise<readonly SavedState[]>;
  /** Content of one of them, verified. Rejects with KN_CHECKPOINT when it is absent or damaged. */
  load(state: SavedState): Promise<SafetensorsContent>;
  /**
   * Writes a state, then deletes those beyond retention. Rejects with KN_FENCED when a newer holder has claimed the
   * actor, KN_CHECKPOINT or KN_UNAVAILABLE when the state cannot be made durable; older states stay then.
   */
  save(at: SavedAt, content: SafetensorsContent): Promise<BlobInfo>;
}

export interface ActorStatesOptions {
  readonly scope: ArtifactScope;
  readonly actor: string;
  readonly holder: Holder;
}

export interface ActorStatesDeps {
  readonly blobs: Blobs;
  readonly records: KeyValue;
  readonly manifests: () => Promise<Manifest[]>;
}

export function openActorStates(options: ActorStatesOptions, deps: ActorStatesDeps): ActorStates {
  const { scope, actor, holder } = options;
  const { blobs, records, manifests } = deps;
  const key = fenceKey(scope, actor);
  /** Known once they were listed, kept up to date by this holder's own saves and deletions. */
  let known: SavedState[] | undefined;

  /** @returns whether it is the holder in the record already. @throws KnowledgeNetError KN_FENCED when a newer one is */
  const assertNewest = (entry: KvEntry | undefined): boolean => {
    const newest = entry === undefined ? undefined : parseHolder(entry.value);
    if (newest === undefined) return false;
    const order = compareHolders(holder, newest);
    if (order >= 0) return order === 0;
    throw new KnowledgeNetError("KN_FENCED", {
      attempt: `save ${actor} of ${scope} with the fencing token ${holder.fence} of attempt ${holder.attempt}`,
      rule: "no newer holder must have claimed the actor",
      value: `fencing token ${newest.fence} of attempt ${newest.attempt}`,
      remedy: "stop this actor: another node has its place",
    });
  };

  const list = async (): Promise<SavedState[]> => {
    const infos = await blobs.list(`${scope}.${actor}.`);
    known = infos.flatMap(({ name }) => parseStateName(name) ?? []).sort(newestFirst);
    return known;
  };

  /** Does without `work` while the shared store cannot be reached. */
  const whenReachable = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
    }
  };

  /** @param written first: of several states of one generation, retention counts the one written last as the newest */
  const deleteOld = async (written: SavedState): Promise<void> => {
    const others = (known ?? (await list())).filter(({ name }) => name !== written.name);
    known = [written, ...others];
    for (const state of statesToDelete(actor, known, await manifests())) {
      await blobs.delete(state.name);
      known = known?.filter(({ name }) => name !== state.name);
    }
  };

  return {
    async claim() {
      await changeKey(records, key, (entry) => (assertNewest(entry) ? undefined : encodeRecord(holder)));
    },
    list,
    async load({ name, digest }) {
      const bytes = await readArtifact(blobs, name, digest);
      if (bytes === undefined) {
        throw new KnowledgeNetError("KN_CHECKPOINT", {
          attempt: `restore ${actor}`,
          rule: `${name} must be in the store`,
          value: "absent",
          remedy: "use an older generation",
        });
      }
      return decodeSafetensors(bytes);
    },
    async save(at, content) {
      await whenReachable(async () => {
        assertNewest(await records.get(key));
      });
      // The fencing token is part of the content, hence of the digest: no two holders ever write the same blob.
      const metadata = { ...content.metadata, fence: String(holder.fence) };
      const bytes = encodeSafetensors({ metadata, tensors: content.tensors });
      const digest = sha256(bytes);
      const name = stateName(scope, actor, at, digest);
      const info = await blobs.put(name, bytes);
      const { attempt, generation } = at;
      await whenReachable(() => deleteOld({ name, digest, attempt, generation }));
      return info;
    },
  };
}
