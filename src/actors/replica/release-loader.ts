/**
 * Loads the releases that a model's live record names, one after another, beside the batches: read, verified and warmed in
 * pieces that each take their turn in the compute worker, so that no batch waits for a whole release.
 */
import type { InferenceHandle, InferenceUnitOptions } from "../../compute/index.ts";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { failureOf } from "../../messages/index.ts";
import type { LiveRecord, Model, NamedTensors } from "../../models/index.ts";
import { type Clock, settlesWithin } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { HeldReleases } from "./held-releases.ts";
import { sliceOfNetwork } from "./slice-of-network.ts";

export interface ReleaseLoaderOptions {
  readonly slice: number;
  readonly slices: number;
  /** Numbers of samples that a release computes once before it is announced. */
  readonly warmBatches: readonly number[];
}

export interface ReleaseLoaderDeps {
  readonly model: Model;
  readonly held: HeldReleases;
  readonly openUnit: (options: InferenceUnitOptions) => Promise<InferenceHandle>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The compute worker is gone. */
  readonly onFailed: (error: Error) => void;
  readonly onPhase: (phase: "LoadBegun" | "WarmBegun" | "LoadEnded") => void;
  /** A release became ready or refused, is wanted, or left. */
  readonly onChange: () => void;
  /** Nothing is to be loaded or dropped now. */
  readonly onSettled: () => void;
}

export interface ReleaseLoader {
  /** Follows the live record until the signal aborts; done when nothing is being loaded, or in `LEAVE_MS`. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** A batch has been computed, or time has passed: a release may be of no use now. */
  sweep(): void;
  /** @returns undefined when the release is not ready */
  unitOf(release: number): InferenceHandle | undefined;
  /** Closes the networks, once nothing is being loaded, or in `LEAVE_MS`. */
  close(): Promise<void>;
}

/** Pause before the next attempt to read a release while the store is away, ms. */
const RETRY_MS = 500;
/** A store or a worker that does not answer keeps the replica from its end for so long at most, ms. */
const LEAVE_MS = 2_000;

export function createReleaseLoader(
  { slice: index, slices, warmBatches }: ReleaseLoaderOptions,
  { model, held, openUnit, clock, log, onFailed, onPhase, onChange, onSettled }: ReleaseLoaderDeps,
): ReleaseLoader {
  /** By topology: releases of one network share its unit. */
  const units = new Map<string, InferenceHandle>();
  const topologies = new Map<number, string>();
  let working: Promise<void> = Promise.resolve();
  let signal = AbortSignal.abort();

  /** Unlike a store, a worker that is gone does not come back. */
  const inWorker = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      if (isKnowledgeNetError(error, "KN_UNAVAILABLE")) onFailed(error);
      throw error;
    }
  };

  const unitFor = async (options: InferenceUnitOptions): Promise<readonly [string, InferenceHandle]> => {
    const topology = JSON.stringify([options.inputShape, options.layers]);
    const unit = units.get(topology) ?? (await inWorker(openUnit(options)));
    units.set(topology, unit);
    return [topology, unit];
  };

  const load = async (release: number): Promise<string> => {
    const published = await model.release(release);
    const { inputShape, layers, blocks } = sliceOfNetwork(published.manifest.network, index, slices);
    const [topology, unit] = await unitFor({ inputShape, layers });
    try {
      for (const block of blocks) {
        for (const piece of piecesOf(await model.loadPart(published, block))) {
          signal.throwIfAborted();
          await inWorker(unit.load(release, piece));
        }
      }
      await inWorker(unit.complete(release));
      onPhase("WarmBegun");
      for (const rows of warmBatches) {
        signal.throwIfAborted();
        await inWorker(warm(unit, release, [rows, ...inputShape]));
      }
    } catch (error) {
      await unit.drop(release).catch(() => undefined); // the worker may be what failed
      throw error;
    }
    return topology;
  };

  const loadNext = async (release: number): Promise<void> => {
    onPhase("LoadBegun");
    try {
      topologies.set(release, await load(release));
      held.loaded(release, clock.now());
      log.info({ release }, "release ready");
    } catch (error) {
      if (signal.aborted) return;
      if (isKnowledgeNetError(error, "KN_UNAVAILABLE")) {
        log.warn({ release, err: error }, "release not loaded; trying again");
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      } else {
        log.error({ release, err: error }, "release refused");
        held.refused(release, failureOf(error));
      }
    } finally {
      onPhase("LoadEnded");
    }
    onChange();
  };

  const dropUnwanted = async (): Promise<void> => {
    const unwanted = held.takeUnwanted(clock.now());
    if (unwanted.length > 0) onChange(); // before: gateways compute with what was announced
    for (const release of unwanted) {
      await units.get(topologies.get(release) ?? "")?.drop(release);
      topologies.delete(release);
    }
    const used = new Set(topologies.values());
    for (const [topology, unit] of units) {
      if (used.has(topology)) continue;
      units.delete(topology);
      await unit.close();
    }
  };

  const reconcile = async (): Promise<void> => {
    for (;;) {
      const release = signal.aborted ? undefined : held.nextToLoad();
      if (release === undefined) break;
      await loadNext(release);
    }
    await dropUnwanted();
    onSettled();
  };
  const kick = (): void => {
    working = working.then(reconcile).catch((error: unknown) => {
      log.error({ err: error }, "releases not reconciled");
    });
  };

  return {
    async run(following) {
      signal = following;
      for await (const record of model.changes(following)) {
        held.want(byUrgency(record), clock.now());
        onChange();
        kick();
      }
      await settlesWithin(LEAVE_MS, working, clock);
    },
    sweep() {
      if (held.hasUnwanted(clock.now())) kick();
    },
    unitOf: (release) => (held.isReady(release) ? units.get(topologies.get(release) ?? "") : undefined),
    async close() {
      await settlesWithin(LEAVE_MS, working, clock);
      const closing = Promise.allSettled([...units.values()].map((unit) => unit.close()));
      units.clear();
      await settlesWithin(LEAVE_MS, closing, clock);
    },
  };
}

/** Tensors of up to so many bytes go to the worker together: each piece waits for a batch, and takes 0.1 ms or so. */
const PIECE_BYTES = 256 * 1024;

/** In the order of the tensors; one that is larger is a piece of its own. */
function piecesOf(tensors: NamedTensors): NamedTensors[] {
  const pieces: Record<string, NamedTensors[string]>[] = [];
  let leftBytes = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const { byteLength } = tensor.values;
    const last = pieces.at(-1);
    if (last === undefined || byteLength > leftBytes) {
      pieces.push({ [name]: tensor });
      leftBytes = PIECE_BYTES - byteLength;
    } else {
      last[name] = tensor;
      leftBytes -= byteLength;
    }
  }
  return pieces;
}

/** The live one is the most urgent; the previous one waits for a rollback. */
function byUrgency({ live, candidate, previous }: LiveRecord): number[] {
  return [live, candidate?.release, previous].filter((release) => release !== undefined);
}

/** Computes a batch of zeros once. Rejects with KN_NUMERIC when the result is not finite. */
async function warm(unit: InferenceHandle, release: number, shape: readonly number[]): Promise<void> {
  const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
  const { result } = await unit.infer(release, { dtype: "f32", shape, values });
  if (result.nonFiniteRows.length === 0) return;
  throw new KnowledgeNetError("KN_NUMERIC", {
    attempt: `warm release ${release}`,
    rule: "an input of zeros must have a finite result",
    value: `${result.nonFiniteRows.length} of ${shape[0] ?? 0} samples have none`,
    remedy: "publish a release whose weights and statistics are sound",
  });
}
