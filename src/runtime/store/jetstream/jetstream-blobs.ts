/**
 * Blobs in JetStream: chunks on `$O.<bucket>.C.<id>`, then one message on `$O.<bucket>.M.<name>` that makes them the blob.
 *
 * The records are those of NATS object stores (ADR-20), so that `nats object ls` shows the blobs. Their subject is not: it
 * holds the name as it is, not in base64, so that the server selects the names that begin with the same tokens. So
 * `nats object get` finds none of them by name.
 *
 * Not nats.js's own reader and writer: its `getBlob` waits for ever for chunks that are not there (replaced while it
 * read, or when the connection ends), its `putBlob` sends all chunks at once against one time-out, and its digest, in
 * JavaScript, blocks the main loop.
 */
import type { Clock } from "../../clock/index.ts";
import { headers, type JetStreamClient, type JetStreamManager, type NatsConnection } from "../../nats/index.ts";
import { sha256Beside } from "../../sha256.ts";
import { uniqueId } from "../../unique-id.ts";
import { assertName, assertOwnDomain, assertPrefix, damaged } from "../keys.ts";
import type { BlobInfo, Blobs } from "../store.ts";
import { directGet, type StreamMessage } from "./direct-get.ts";
import { isNoResponders, isTransient, isWrongRevision, orTranslate } from "./jetstream-errors.ts";
import { lastMessage, mapInTurn, messageFrom, subjectCounts, throughElection } from "./leader-reads.ts";
import { decodeMeta, encodeMeta, type ObjectMeta } from "./object-meta.ts";

/** A quarter of a server's default limit; in base64, as the stream's leader sends it, still well below. */
const MAX_CHUNK_BYTES = 256 * 1024;
/** Of a message, at most; a server's limit counts them. */
const HEADERS_BYTES = 512;
/** Chunks on their way without an acknowledgement. */
const CHUNKS_IN_FLIGHT = 8;
/** Chunks without a record are of a put that was cut off once none was added for so long, ms: far longer than any time-out. */
export const CUT_OFF_AFTER_MS = 3_600_000;
/** Attempts of a reader whose blob is replaced while it reads. */
const READ_ATTEMPTS = 5;

export interface JetStreamBlobsOptions {
  readonly bucket: string;
  /** Another JetStream domain than the server's, of which blobs are read; undefined: its own. */
  readonly domain: string | undefined;
}

export interface JetStreamBlobsDeps {
  readonly connection: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly description: string;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
  readonly clock: Clock;
}

interface StoredMeta extends ObjectMeta {
  /** Sequence of the record's message. */
  readonly revision: number;
}

export function jetStreamBlobs({ bucket, domain }: JetStreamBlobsOptions, deps: JetStreamBlobsDeps): Blobs {
  const { connection, jetstream, manager, description, assertOpen, clock } = deps;
  const stream = streamOfBlobs(bucket);
  const chunkSubject = (id: string): string => `$O.${bucket}.C.${id}`;
  const metaSubject = (name: string): string => `$O.${bucket}.M.${name}`;

  const reading = <T>(work: () => Promise<T>): Promise<T> => throughElection(clock, work);

  const checked = <T>(what: string, name: string, work: () => Promise<T>): Promise<T> => {
    const attempt = `${what} ${bucket}/${name}`;
    return orTranslate(description, attempt, async () => {
      assertOpen(attempt);
      assertName(bucket, name);
      return work();
    });
  };

  /** The last record of the name, one of a deletion by another client too. */
  const lastRecord = async (name: string): Promise<StoredMeta | undefined> => {
    const message = await reading(() => lastMessage(manager, stream, metaSubject(name)));
    return message === undefined ? undefined : { ...decodeMeta(bucket, name, message.data), revision: message.seq };
  };
  const lastMeta = async (name: string): Promise<StoredMeta | undefined> => {
    const found = await lastRecord(name);
    return found?.deleted === true ? undefined : found;
  };

  /**
   * Replaces the last record of the name. Each record replaces the one that it has read, so that of many puts at once
   * each removes the chunks of its predecessor.
   *
   * @returns the blob's revision, and the record that it replaces
   */
  const publishMeta = async (meta: ObjectMeta): Promise<{ revision: number; replaced: StoredMeta | undefined }> => {
    for (;;) {
      const replaced = await lastRecord(meta.name);
      const head = headers();
      head.set("Nats-Rollup", "sub");
      const expect = { lastSubjectSequence: replaced?.revision ?? 0 };
      try {
        const { seq } = await jetstream.publish(metaSubject(meta.name), encodeMeta(meta), { headers: head, expect });
        return { revision: seq, replaced };
      } catch (error) {
        // Written by another put meanwhile, or by this one, whose acknowledgement was lost.
        const now = isWrongRevision(error) || isTransient(error) ? await lastRecord(meta.name) : undefined;
        if (now?.nuid === meta.nuid) return { revision: now.revision, replaced };
        if (!isWrongRevision(error)) throw error;
      }
    }
  };

  const purgeChunks = async (id: string): Promise<void> => {
    await manager.streams.purge(stream, { filter: chunkSubject(id) });
  };

  const publishChunks = async (id: string, content: Uint8Array): Promise<number> => {
    const inFlight = new Set<Promise<unknown>>();
    const chunkBytes = Math.min(MAX_CHUNK_BYTES, (connection.info?.max_payload ?? MAX_CHUNK_BYTES) - HEADERS_BYTES);
    let chunks = 0;
    for (let at = 0; at < content.byteLength; at += chunkBytes) {
      const sent: Promise<unknown> = jetstream
        .publish(chunkSubject(id), content.subarray(at, at + chunkBytes))
        .finally(() => inFlight.delete(sent));
      sent.catch(() => undefined); // the race below or the last wait rejects with it
      inFlight.add(sent);
      chunks += 1;
      if (inFlight.size >= CHUNKS_IN_FLIGHT) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    return chunks;
  };

  /** The chunk after sequence `after`; undefined when there is none. */
  const nextChunk = async (id: string, after: number): Promise<StreamMessage | undefined> => {
    const query = { seq: after + 1, next_by_subj: chunkSubject(id) };
    // Chunks never change, so that any replica's answer is right; one that is behind has no answer, and the leader does.
    const chunk = await directGet(connection, { stream, domain }, query).catch(unlessUnanswered);
    return chunk ?? reading(() => messageFrom(manager, stream, query.next_by_subj, query.seq));
  };

  /** @returns the content as far as its chunks are there */
  const readChunks = async ({ nuid, size, chunks }: ObjectMeta): Promise<Uint8Array> => {
    // Not one buffer of `size`: the record may be damaged.
    const parts: Uint8Array[] = [];
    let filled = 0;
    let seq = 0;
    for (let i = 0; i < chunks; i += 1) {
      const chunk = await nextChunk(nuid, seq);
      if (chunk === undefined || filled + chunk.data.byteLength > size) break;
      parts.push(chunk.data);
      filled += chunk.data.byteLength;
      seq = chunk.seq;
    }
    return new Uint8Array(Buffer.concat(parts));
  };

  const read = async (name: string): Promise<Uint8Array | undefined> => {
    for (let attempt = 1; ; attempt += 1) {
      const meta = await lastMeta(name);
      if (meta === undefined) return undefined;
      const content = await readChunks(meta);
      const actual = await sha256Beside(content);
      if (actual === meta.digest) return content;
      const isReplaced = (await lastMeta(name))?.nuid !== meta.nuid;
      if (!isReplaced || attempt === READ_ATTEMPTS) {
        throw damaged(
          bucket,
          name,
          `its content must have the digest ${meta.digest}`,
          `${actual}, ${content.byteLength} of ${meta.size} bytes`,
        );
      }
    }
  };

  /** One request, whose answer is as long as the names that share the prefix's whole tokens. */
  const namesOf = async (prefix: string): Promise<string[]> => {
    const wholeTokens = prefix.slice(0, prefix.lastIndexOf(".") + 1);
    const subjects = await reading(() => subjectCounts(manager, stream, metaSubject(`${wholeTokens}>`)));
    return Object.keys(subjects)
      .map((subject) => subject.slice(metaSubject("").length))
      .filter((name) => name.startsWith(prefix))
      .sort();
  };

  /** Ids of chunks that no record names, the newest of which is older than an hour. */
  const cutOff = async (): Promise<string[]> => {
    const subjects = await reading(() => subjectCounts(manager, stream, chunkSubject("*")));
    const old = await mapInTurn(Object.keys(subjects), async (subject) => {
      const newest = await reading(() => lastMessage(manager, stream, subject));
      if (newest === undefined || clock.wallTimeMs() - newest.time.getTime() < CUT_OFF_AFTER_MS) return [];
      return [subject.slice(chunkSubject("").length)];
    });
    // Records after chunks: one that was written meanwhile names its chunks.
    const named = new Set((await mapInTurn(await namesOf(""), lastRecord)).map((record) => record?.nuid));
    return old.flat().filter((id) => !named.has(id));
  };

  return {
    bucket,
    put: (name, content) =>
      checked("save", name, async () => {
        assertOwnDomain(`save ${bucket}/${name}`, domain);
        const nuid = uniqueId();
        const digest = await sha256Beside(content);
        const size = content.byteLength;
        let chunks: number;
        try {
          chunks = await publishChunks(nuid, content);
        } catch (error) {
          await purgeChunks(nuid).catch(() => undefined);
          throw error;
        }
        const mtime = new Date(clock.wallTimeMs()).toISOString();
        // When this fails the record may still arrive: its chunks stay.
        const { revision, replaced } = await publishMeta({
          name,
          bucket,
          nuid,
          size,
          chunks,
          digest,
          mtime,
          deleted: false,
        });
        // The blob is whole from here on; chunks that stay behind only take space.
        if (replaced !== undefined) await purgeChunks(replaced.nuid).catch(() => undefined);
        return { name, sizeBytes: size, digest, revision };
      }),
    get: (name) => checked("read", name, () => read(name)),
    info: (name) =>
      checked("look at", name, async () => {
        const meta = await lastMeta(name);
        return meta === undefined ? undefined : toInfo(meta);
      }),
    delete: (name, { revision } = {}) =>
      checked("delete", name, async () => {
        const meta = await lastMeta(name);
        if (meta === undefined) return true;
        if (revision !== undefined && meta.revision !== revision) return false;
        // Up to this revision: the record of a later put stays.
        const { purged } = await manager.streams.purge(stream, { filter: metaSubject(name), seq: meta.revision + 1 });
        if (purged === 0 && (await lastMeta(name)) !== undefined) return false;
        await purgeChunks(meta.nuid);
        return true;
      }),
    list: (prefix = "") =>
      orTranslate(description, `list ${bucket}`, async () => {
        assertOpen(`list ${bucket}`);
        assertPrefix(bucket, prefix);
        const found = await mapInTurn(await namesOf(prefix), lastMeta);
        return found.filter((meta) => meta !== undefined).map(toInfo);
      }),
    sweep: ({ isDryRun = false } = {}) =>
      orTranslate(description, `sweep ${bucket}`, async () => {
        assertOpen(`sweep ${bucket}`);
        const ids = await cutOff();
        if (!isDryRun) await mapInTurn(ids, purgeChunks);
        return ids.sort();
      }),
  };
}

/** Name of the stream that holds the blobs of a bucket. */
export function streamOfBlobs(bucket: string): string {
  return `OBJ_${bucket}`;
}

function unlessUnanswered(error: unknown): undefined {
  if (!isTransient(error) && !isNoResponders(error)) throw error;
}

function toInfo({ name, size, digest, revision }: StoredMeta): BlobInfo {
  return { name, sizeBytes: size, digest, revision };
}
