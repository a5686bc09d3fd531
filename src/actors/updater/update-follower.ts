/** Looks at a shelf of updates after each change of it and of the live record, and again where something is to be done later. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { Model } from "../../models/index.ts";
import type { UpdateShelf } from "../../models/updates/index.ts";
import { type Clock, settlesWithin } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { Look, UpdateLooks } from "./update-look.ts";

export interface UpdateFollowerDeps {
  readonly looks: UpdateLooks;
  readonly model: Model;
  readonly openShelf: () => Promise<UpdateShelf>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onFound: (found: Look["found"]) => void;
  /** A look has failed: the shelf is to be opened anew, its bucket may be gone. */
  readonly onFailed: () => void;
}

/** A look follows so often in any case, ms: over a link that was cut a watch may be silent for longer. */
const LOOK_EVERY_MS = 8_000;
/** A watch is begun anew so often, ms: when the server comes back without its consumer it stays silent. */
const REWATCH_MS = 60_000;
/** Pause after a failure, ms; twice as long after each further one. */
const RETRY_MS = 500;
/** Beside the time limit of a call (5 s) and of a reconnection: a site is current within 10 s of its link's return. */
const MAX_RETRY_MS = 2_000;
/** A store that does not answer keeps the updater from its end for so long at most, ms. */
const LEAVE_MS = 2_000;

/** Done after the abort, when nothing is under way. Rejects with a programming error only. */
export async function followUpdates(deps: UpdateFollowerDeps, signal: AbortSignal): Promise<void> {
  const { looks, clock, log, onFound, onFailed } = deps;
  const bell = createBell(clock);
  const watching = Promise.all([watchShelf(deps, bell.ring, signal), watchModel(deps, bell.ring, signal)]);
  let failures = 0;
  let obstacle: string | undefined;
  while (!signal.aborted) {
    let waitMs = LOOK_EVERY_MS;
    try {
      const { found, dueAtMs } = await looks.look();
      if (failures > 0) {
        looks.linkReturned();
        log.info({}, "updates are followed again");
      }
      [failures, obstacle] = [0, undefined];
      onFound(found);
      if (dueAtMs !== undefined) waitMs = Math.min(LOOK_EVERY_MS, Math.max(0, dueAtMs - clock.now()));
    } catch (error) {
      if (!isKnowledgeNetError(error)) throw error;
      if (error.message !== obstacle) log.warn({ err: error }, "updates wait");
      obstacle = error.message;
      waitMs = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures);
      failures += 1;
      onFailed();
      onFound("waiting");
    }
    if (waitMs > 0) await bell.wait(waitMs, signal);
  }
  await settlesWithin(LEAVE_MS, watching, clock);
}

async function watchShelf({ openShelf, clock }: UpdateFollowerDeps, ring: () => void, signal: AbortSignal) {
  while (!signal.aborted) {
    const round = new AbortController();
    const ended = AbortSignal.any([signal, round.signal]);
    clock.sleep(REWATCH_MS, ended).then(
      () => {
        round.abort();
      },
      () => undefined,
    );
    try {
      for await (const _newest of (await openShelf()).changes(ended)) ring();
    } catch (error) {
      if (!isKnowledgeNetError(error)) throw error; // the looks report it
    } finally {
      round.abort();
    }
    await clock.sleep(RETRY_MS, signal).catch(() => undefined);
  }
}

async function watchModel({ model }: UpdateFollowerDeps, ring: () => void, signal: AbortSignal): Promise<void> {
  for await (const _record of model.changes(signal)) ring();
}

/** A ring ends the wait under way, or the next one. */
function createBell(clock: Clock): { ring(): void; wait(ms: number, signal: AbortSignal): Promise<void> } {
  let isRung = false;
  let wake = (): void => undefined;
  return {
    ring() {
      isRung = true;
      wake();
    },
    async wait(ms, signal) {
      const rung = new AbortController();
      wake = () => {
        rung.abort();
      };
      if (!isRung) await clock.sleep(ms, AbortSignal.any([signal, rung.signal])).catch(() => undefined);
      isRung = false;
    },
  };
}
