/**
 * One model: its releases, and what is live. Every release that it gives out is one that can be computed with: its
 * manifest is that of the model, its signature is intact and, where keys are trusted, by one of them.
 *
 * What is live and what is deleted are decided in one record, the live one: a release is deleted only after it was
 * declared there as retired, by compare-and-set, and a retired release cannot become live.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../errors/index.ts";
import {
  ARTIFACT_RECORDS,
  type ArtifactScope,
  openReleases,
  type Release,
  type Releases,
  scopeOfModel,
} from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { type KeyValue, parseJson, type Store } from "../runtime/store/index.ts";
import { type ModelManifest, modelManifestSchema } from "../run-spec/index.ts";
import { assertWeights, weightShapesOf } from "./check-weights.ts";
import { appendChange, readChanges } from "./history.ts";
import {
  type Candidate,
  changeLive,
  type ChangeNote,
  type LiveChange,
  type LiveCommand,
  type LiveRecord,
  liveRecordSchema,
  NOTHING_LIVE,
  releasesInUse,
  type RollbackOptions,
} from "./live-record.ts";
import { listModels } from "./list-models.ts";
import { liveKey, type ModelStore } from "./model-store.ts";
import { observationsOf } from "./observations/index.ts";
import { encodeFacts, parseFacts } from "./release-facts.ts";
import type { ModelRelease, NamedTensors } from "./release.ts";
import { clearShelf } from "./shelf/index.ts";
import type { Signer, TrustedKey } from "./signature.ts";

/** Wait before an absent store is asked again, ms: within the quarter of a second in which changes are seen. */
const RETRY_MS = 200;
/** A watch is begun anew so often, ms: one of JetStream may fall silent when the server comes back without its consumer. */
const REWATCH_MS = 2_000;

export interface ReleaseOptions {
  /** @default false */
  readonly isPinned?: boolean;
}

export interface Model {
  readonly name: string;
  /**
   * All releases, newest first, those with a refused signature too. One whose record does not parse is left out. Rejects
   * with KN_UNAVAILABLE.
   */
  releases(): Promise<ModelRelease[]>;
  /** Rejects with KN_CONFIG when there is no such release, KN_CHECKPOINT when its record or its signature is refused. */
  release(release: number): Promise<ModelRelease>;
  /**
   * The weights of one block, verified: digest, names and shapes by the network, every value finite. Owned by the caller.
   * Rejects with KN_CHECKPOINT when they are absent, damaged, or break a rule.
   */
  loadPart(release: ModelRelease, block: number): Promise<NamedTensors>;
  /** What is live now; NOTHING_LIVE before the first promotion. Rejects with KN_CHECKPOINT when it does not parse. */
  live(): Promise<LiveRecord>;
  /**
   * The live record now, and after each change, by whatever process, within a quarter of a second; of several changes
   * perhaps the last one only. Waits while the store is away. Done after an abort; never an error.
   */
  changes(signal?: AbortSignal): AsyncIterable<LiveRecord>;
  /** Every change of what was live, oldest first. */
  history(): Promise<LiveChange[]>;

  /** Makes `parts`, one for each block of the network, the newest release. Rejects as `loadPart`, before it writes. */
  publish(
    manifest: Omit<ModelManifest, "format" | "model">,
    parts: readonly NamedTensors[],
    options?: ReleaseOptions,
  ): Promise<ModelRelease>;
  /** Makes it live, once all of it is verified; it stays so when it is already. Ends a candidate. Rejects as `release`. */
  promote(release: number, note: ChangeNote): Promise<LiveRecord>;
  /**
   * Returns to the release that was live before, or to another one, verified before. After KN_UNAVAILABLE name the release
   * to repeat it: a second rollback to the one before would return to the first.
   */
  rollback(note: ChangeNote, options?: RollbackOptions): Promise<LiveRecord>;
  /** Verified before; takes the place of another candidate. Rejects with KN_CONFIG while nothing is live. */
  startCandidate(candidate: Candidate, note: ChangeNote): Promise<LiveRecord>;
  /** @param release only while this is the candidate. @default whichever is */
  endCandidate(note: ChangeNote, release?: number): Promise<LiveRecord>;
  /** A pinned release is never deleted. Rejects with KN_CONFIG when there is no such release. */
  setPinned(release: number, isPinned: boolean): Promise<void>;
  /**
   * Deletes all but the newest `kept`, the pinned, and those that the live record names.
   * @param isMeant which releases are counted and deleted. @default all, those too whose record does not parse
   * @returns what was deleted
   */
  retain(kept: number, isMeant?: (release: ModelRelease) => boolean): Promise<number[]>;
  /**
   * Deletes all releases, observations and updates; the history stays, and their numbers are not used again. One that is
   * published meanwhile stays.
   * Rejects with KN_CONFIG when there is none, and, unless it is forced, while one is live or pinned.
   * @returns what was deleted
   */
  remove(note: ChangeNote, options?: RemoveOptions): Promise<number[]>;
}

export interface RemoveOptions {
  /** @default false */
  readonly isForced?: boolean;
}

export interface ModelDeps {
  readonly clock: Pick<Clock, "wallTimeMs" | "sleep">;
  /** Keys of which a release must have one. @default none: any release is accepted that is intact */
  readonly trusted?: readonly TrustedKey[];
  /** Signs what is published. @default nobody */
  readonly signer?: Signer;
}

/** @throws KnowledgeNetError KN_CONFIG when `name` is no name of a model */
export function openModel(models: ModelStore, name: string, { clock, trusted = [], signer }: ModelDeps): Model {
  assertModelName(name);
  const scope = scopeOfModel(name);
  const key = liveKey(name);
  let opened: { readonly store: Store; readonly parts: Promise<Opened> } | undefined;
  /** Newest change that this process has appended to the history. */
  let appended = 0;

  const withParts = async <T>(store: Store, work: (opened: Opened) => Promise<T>): Promise<T> => {
    if (opened?.store !== store) opened = { store, parts: openParts(store, scope) };
    try {
      return await work(await opened.parts);
    } catch (error) {
      // A store that was away when it was opened is opened again.
      if (isKnowledgeNetError(error, "KN_UNAVAILABLE")) opened = undefined;
      throw error;
    }
  };
  const using = <T>(work: (opened: Opened) => Promise<T>): Promise<T> => models.use((store) => withParts(store, work));
  const reading = <T>(work: (opened: Opened) => Promise<T>): Promise<T> =>
    models.read((store) => withParts(store, work));

  const parseLive = (value: Uint8Array): LiveRecord => {
    const parsed = liveRecordSchema.safeParse(parseJson(value));
    if (parsed.success) return parsed.data;
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `read what is live of ${name}`,
      rule: "the record must be one of this version",
      value: new TextDecoder().decode(value.subarray(0, 100)),
      remedy: "use the version of knowledgenet that wrote it",
    });
  };

  const readLive = async ({ records }: Opened): Promise<LiveRecord> => {
    const entry = await records.get(key);
    return entry === undefined ? NOTHING_LIVE : parseLive(entry.value);
  };

  /**
   * Compare-and-set of the live record. @returns the record before and after
   * @param needed a release that must be there: looked for after each read of the record, so that one that was retired and
   * deleted since it was verified is refused
   */
  const change = async (
    at: Opened,
    next: (record: LiveRecord) => LiveRecord,
    needed?: number,
  ): Promise<readonly [before: LiveRecord, after: LiveRecord]> => {
    for (;;) {
      const entry = await at.records.get(key);
      const before = entry === undefined ? NOTHING_LIVE : parseLive(entry.value);
      if (needed !== undefined) await find(at, needed);
      const after = next(before);
      if (after === before) return [before, after];
      const value = new TextEncoder().encode(JSON.stringify(after));
      try {
        if (entry === undefined) await at.records.create(key, value);
        else await at.records.update(key, value, entry.revision);
        return [before, after];
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
      }
    }
  };

  const append = async ({ store }: Opened, { last }: LiveRecord): Promise<void> => {
    if (last === undefined || last.change <= appended) return;
    await appendChange(store, name, last);
    appended = last.change;
  };

  const command = async (at: Opened, given: LiveCommand, note: ChangeNote, needed?: number): Promise<LiveRecord> => {
    // Before the record forgets its last change, the history has it.
    await append(at, await readLive(at));
    const next = (record: LiveRecord): LiveRecord => changeLive(name, record, given, note, clock.wallTimeMs());
    const [before, after] = await change(at, next, needed);
    if (after !== before) {
      // The record holds the change: the history gets it now, or before the next one.
      await append(at, before)
        .then(() => append(at, after))
        .catch(onlyKnown);
    }
    return after;
  };

  const parse = (record: Release): ModelRelease | undefined => parseFacts(name, record, trusted);

  const refuseRelease = (release: number, rule: string, value: string, remedy: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CHECKPOINT", { attempt: `use release ${release} of ${name}`, rule, value, remedy });

  const find = async (at: Opened, release: number): Promise<ModelRelease> => {
    const record = await at.releases.find(release);
    if (record === undefined) throw await unknownRelease(at, release);
    const found = parse(record);
    if (found === undefined) {
      const rule = "its record must hold a manifest of this version, with the digest of each block";
      throw refuseRelease(release, rule, "another content", "publish it again, or use the version that published it");
    }
    const { signature } = found;
    if (signature.kind === "refused") {
      const remedy = "publish it again with the key that is trusted: kn publish RUN --key FILE";
      throw refuseRelease(release, signature.rule, signature.value, remedy);
    }
    return found;
  };

  const unknownRelease = async ({ store, releases }: Opened, release: number): Promise<KnowledgeNetError> => {
    const known = (await releases.list()).map((each) => each.release);
    const attempt = `use release ${release} of ${name}`;
    const listed = known.length > 8 ? [...known.slice(0, 8), "..."] : known;
    if (known.length > 0) {
      const rule = "the model must have a release of that number";
      return new KnowledgeNetError("KN_CONFIG", {
        ...{ attempt, rule, value: `it has ${listed.join(", ")}` },
        remedy: `kn releases ${name}`,
      });
    }
    const models = await listModels(store);
    return new KnowledgeNetError("KN_CONFIG", {
      ...{ attempt, rule: `${store.description} must have releases of that model` },
      value: models.length === 0 ? "no models" : models.map((each) => each.model).join(", "),
      remedy: `publish one: kn publish RUN --model ${name}`,
    });
  };

  const load = async (
    { releases }: Opened,
    { release, digests, manifest }: ModelRelease,
    block: number,
  ): Promise<NamedTensors> => {
    const shapes = weightShapesOf(manifest.network)[block];
    if (shapes === undefined) throw new RangeError(`release ${release} of ${name} has no block ${block}`);
    const tensors = await releases.load({ release, digests: [...digests] }, block);
    assertWeights(`use release ${release} of ${name}`, shapes, tensors);
    return tensors;
  };

  /** Deletes what is declared as retired. @returns what is gone */
  const removeRetired = async (at: Opened, retired: readonly number[]): Promise<number[]> => {
    await at.releases.remove(retired);
    const left = await at.releases.list();
    // One that was pinned meanwhile stays. What another process has declared it deletes itself.
    await change(at, (record) => {
      const isLeft = (release: number) => left.some((each) => each.release === release && !each.isPinned);
      const stillRetired = record.retired.filter(isLeft);
      return stillRetired.length === record.retired.length ? record : { ...record, retired: stillRetired };
    });
    return retired.filter((release) => !left.some((each) => each.release === release));
  };

  /** Reads all of a release. Rejects as `find` and `load`. */
  const verify = async (at: Opened, release: number): Promise<void> => {
    const found = await find(at, release);
    for (const block of found.digests.keys()) await load(at, found, block);
  };

  return {
    name,
    releases: () => reading(async ({ releases }) => (await releases.list()).flatMap((record) => parse(record) ?? [])),
    release: (release) => reading((at) => find(at, release)),
    loadPart: (release, block) => reading((at) => load(at, release, block)),
    live: () => reading(readLive),
    async *changes(signal) {
      let seen: number | undefined;
      while (signal?.aborted !== true && !models.isClosed) {
        const round = new AbortController();
        const ended = signal === undefined ? round.signal : AbortSignal.any([signal, round.signal]);
        clock.sleep(REWATCH_MS, ended).then(
          () => {
            round.abort();
          },
          () => undefined,
        );
        try {
          for await (const _tick of models.changes(name, ended)) {
            const record = await reading(readLive);
            if (record.change === seen) continue;
            seen = record.change;
            yield record;
          }
          if (round.signal.aborted) continue;
        } catch (error) {
          // The store is away, or its record is of another version: the reader keeps what it has until that is over.
          if (!isKnowledgeNetError(error)) throw error;
        } finally {
          round.abort();
        }
        if (!models.isClosed) await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    },
    history: () => reading(async (at) => readChanges(at.store, name, await readLive(at))),
    async publish(facts, parts, { isPinned = false } = {}) {
      const attempt = `publish ${name}`;
      const manifest = parseManifest(attempt, { ...facts, format: 1, model: name });
      const shapes = weightShapesOf(manifest.network);
      if (parts.length !== shapes.length) {
        throw new RangeError(`a network of ${shapes.length} blocks has as many parts, not ${parts.length}`);
      }
      shapes.forEach((each, block) => {
        assertWeights(attempt, each, parts[block] ?? {});
      });
      return using(async (at) => {
        const record = await at.releases.publish(parts, {
          isPinned,
          after: async () => (await readLive(at)).removedThrough ?? 0,
          metadata: (numbered) => encodeFacts({ ...numbered, manifest }, signer),
        });
        const published = parse(record);
        if (published !== undefined) return published;
        throw new KnowledgeNetError("KN_INVARIANT", { attempt, rule: "what it writes must parse" });
      });
    },
    promote: (release, note) =>
      using(async (at) => {
        await verify(at, release);
        return command(at, { kind: "promote", release }, note, release);
      }),
    rollback: (note, options = {}) =>
      using(async (at) => {
        const to = options.to ?? (await readLive(at)).previous;
        if (to !== undefined) await verify(at, to);
        // The release that was verified, whatever another process makes the previous one meanwhile.
        return command(at, { kind: "rollback", ...options, ...(to === undefined ? {} : { to }) }, note, to);
      }),
    startCandidate: (candidate, note) =>
      using(async (at) => {
        await verify(at, candidate.release);
        return command(at, { kind: "start-candidate", candidate }, note, candidate.release);
      }),
    endCandidate: (note, release) =>
      using((at) => command(at, { kind: "end-candidate", ...(release === undefined ? {} : { release }) }, note)),
    setPinned: (release, isPinned) =>
      using(async (at) => {
        if ((await at.releases.find(release)) === undefined) throw await unknownRelease(at, release);
        await at.releases.setPinned(release, isPinned);
        // A release that was retired before the pin is deleted all the same.
        if (isPinned && (await readLive(at)).retired.includes(release)) throw await unknownRelease(at, release);
      }),
    retain: (kept, isMeant) =>
      using(async (at) => {
        const all = await at.releases.list();
        const meant = isMeant === undefined ? all : all.filter((each) => isParsedAs(isMeant, parse(each)));
        const beyond = meant.slice(Math.max(1, kept)).filter((each) => !each.isPinned);
        const [, declared] = await change(at, (record) => {
          const inUse = releasesInUse(record);
          const retired = all
            .filter((each) => record.retired.includes(each.release) || beyond.includes(each))
            .map(({ release }) => release)
            .filter((release) => !inUse.includes(release));
          return retired.join() === record.retired.join() ? record : { ...record, retired };
        });
        return removeRetired(at, declared.retired);
      }),
    remove: (note, { isForced = false } = {}) =>
      using(async (at) => {
        const all = await at.releases.list();
        if (all.length === 0) throw await unknownRelease(at, 1);
        const pinned = all.filter(({ isPinned }) => isPinned).map(({ release }) => release);
        if (pinned.length > 0 && !isForced) {
          throw new KnowledgeNetError("KN_CONFIG", {
            attempt: `remove ${name}`,
            rule: "none of its releases may be pinned",
            value: pinned.join(", "),
            remedy: `kn pin ${name} RELEASE --off, or remove it all the same: --force`,
          });
        }
        const releases = all.map(({ release }) => release);
        const { retired } = await command(at, { kind: "remove", releases, isForced }, note);
        for (const release of pinned) await at.releases.setPinned(release, false);
        await at.store.removeLog(observationsOf(name));
        await clearShelf(at.store, name);
        return removeRetired(at, retired);
      }),
  };
}

function isParsedAs(isMeant: (release: ModelRelease) => boolean, release: ModelRelease | undefined): boolean {
  return release !== undefined && isMeant(release);
}

function onlyKnown(error: unknown): void {
  if (!isKnowledgeNetError(error)) throw error;
}

/** A store that is open, and what this model has in it. */
interface Opened {
  readonly store: Store;
  readonly releases: Releases;
  readonly records: KeyValue;
}

async function openParts(store: Store, scope: ArtifactScope): Promise<Opened> {
  return { store, releases: await openReleases(store, scope), records: await store.kv(ARTIFACT_RECORDS) };
}

const MODEL_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** @throws KnowledgeNetError KN_CONFIG */
function assertModelName(name: string): void {
  if (MODEL_NAME.test(name)) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "name a model",
    rule: "it must be 1 to 64 letters, digits, '_' or '-'",
    value: JSON.stringify(name),
    remedy: "choose another name: --model",
  });
}

/** @throws KnowledgeNetError KN_CONFIG */
function parseManifest(attempt: string, manifest: ModelManifest): ModelManifest {
  const parsed = modelManifestSchema.safeParse(manifest);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt,
      rule: `its manifest must be valid: ${issue?.path.join(".")}: ${issue?.message}`,
    });
  }
  return parsed.data;
}
