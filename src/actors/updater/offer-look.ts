/**
 * The part of a look that is about the candidate on the shelf: while the site serves the newest weights, those of the
 * candidate are made beside them, published as a release, and computed by the gateways as a shadow, so that observations
 * say where both differ. The record names the release before it becomes the shadow, so that a look after a crash ends it
 * when the offer is over. A candidate of somebody else is not touched.
 */
import { isKnowledgeNetError, type KnowledgeNetError } from "../../errors/index.ts";
import type { LiveRecord, Model } from "../../models/index.ts";
import {
  type DeviceUpdateOptions,
  type DeviceUpdates,
  receiveOffer,
  type ShelfHead,
  type ShelvedUpdate,
  type UpdatePlan,
  type UpdateShelf,
  withOffered,
} from "../../models/updates/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { MadeWeights } from "./make-weights.ts";
import { AUTHOR, isOver, judgeShadow, type UpdaterRecord } from "./updater-state.ts";

/** What a look has of its site. */
export interface OfferSite {
  readonly record: UpdaterRecord;
  /** Rejects as the store: then record and state are to be opened again. */
  write(record: UpdaterRecord): Promise<void>;
  /** From the record as it is stored, where it was not read yet. */
  open(): Promise<DeviceUpdates>;
  /** The record may be another one: `open` reads it. */
  reopen(): void;
  hold(device: DeviceUpdates): void;
  make(plan: UpdatePlan, live: LiveRecord): Promise<MadeWeights>;
  /** Weights were made of an update of so many bytes. */
  onMade(sizeBytes: number): void;
  refuse(update: ShelvedUpdate, reason: string, error?: Error): void;
  /** Deletes releases of its own that are of no use any more. */
  retain(): Promise<void>;
}

export interface OfferLooksDeps {
  readonly model: Model;
  readonly site: OfferSite;
  readonly bounds: DeviceUpdateOptions;
  /** Share of the requests that the shadow computes too. */
  readonly percent: number;
  readonly log: Logger;
}

export interface OfferLooks {
  /** Number of the offer that is the site's shadow; 0: none. */
  readonly shadow: number;
  /** Ends the shadow of an offer that is over. Rejects as the stores. */
  end(live: LiveRecord, head: ShelfHead | undefined): Promise<void>;
  /** Makes the offer the shadow, where it can be. Rejects as the stores. */
  follow(shelf: UpdateShelf, head: ShelfHead | undefined): Promise<void>;
}

export function createOfferLooks({ model, site, bounds, percent, log }: OfferLooksDeps): OfferLooks {
  let shadow = 0;
  /** Content of the offer that cannot be used. */
  let refused: string | undefined;
  /** What the log has of why there is no shadow. */
  let said: string | undefined;
  /** The record was read since this release became the candidate. */
  let readFor: number | undefined;
  /** Change of the live record at which somebody had ended the shadow. */
  let endedAt: number | undefined;

  const say = (what: string, facts: Readonly<Record<string, unknown>>): void => {
    const whole = `${what} ${JSON.stringify(facts)}`;
    if (said !== whole) log.info(facts, what);
    said = whole;
  };

  const drop = async (): Promise<void> => {
    const device = await site.open();
    const { offered: _over, ...rest } = site.record;
    await site.write(rest);
    site.hold(withOffered(device, undefined));
    shadow = 0;
  };

  const get = async (shelf: UpdateShelf, offer: ShelvedUpdate): Promise<Uint8Array | undefined> => {
    try {
      return await shelf.get(offer.number, offer.kind);
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_CHECKPOINT")) throw error;
      refuse(offer, "damaged", error);
      return undefined;
    }
  };
  const refuse = (offer: ShelvedUpdate, reason: string, error?: Error): void => {
    refused = offer.content;
    site.refuse(offer, reason, error);
  };

  /** Somebody else's, unless another updater of this site has started it. */
  const isOthers = async ({ candidate }: LiveRecord): Promise<boolean> => {
    if (candidate === undefined) return false;
    if (readFor !== candidate.release) site.reopen();
    readFor = candidate.release;
    await site.open();
    if (site.record.offered !== undefined) return false;
    say("another release is the candidate: no shadow of what is offered", { candidate: candidate.release });
    return true;
  };

  const prepare = async (shelf: UpdateShelf, offer: ShelvedUpdate, live: LiveRecord): Promise<void> => {
    if (refused === offer.content || (await isOthers(live)) || site.record.offered !== undefined) return;
    const bytes = await get(shelf, offer);
    if (bytes === undefined) return;
    const device = await site.open();
    const decision = receiveOffer(device, bytes, bounds);
    if (decision.kind === "hold") return;
    if (decision.kind === "ignore") {
      refuse(offer, decision.reason, decision.error);
      return;
    }
    const { plan } = decision;
    const { number, digest } = plan.result;
    if (number !== offer.number || digest !== offer.digest) return; // another one is offered meanwhile
    const made = await site.make(plan, live);
    if (made.outcome !== "made") {
      refuse(offer, "not-applied", made.outcome === "failed" ? made.error : undefined);
      return;
    }
    const { release } = made;
    const { change: after } = await model.live();
    await site.write({ ...site.record, offered: { number, digest, content: offer.content, release, after } });
    site.hold(withOffered(device, plan.result));
    site.onMade(bytes.length);
  };

  const judge = async (offered: NonNullable<UpdaterRecord["offered"]>, live: LiveRecord) => {
    if (live.candidate !== undefined || live.change === offered.after) return judgeShadow(offered, live, []);
    if (live.change === endedAt) return "ended";
    const verdict = judgeShadow(offered, live, await model.history());
    endedAt = verdict === "ended" ? live.change : undefined;
    return verdict;
  };

  const start = async ({ number, release }: NonNullable<UpdaterRecord["offered"]>): Promise<void> => {
    try {
      const reason = `offer ${number}`;
      await model.startCandidate({ release, mode: "shadow", percent }, { reason, by: AUTHOR });
    } catch (error) {
      if (!isUseless(error)) throw error;
      refused = site.record.offered?.content;
      log.warn({ err: error, release, number }, "the offered weights cannot be the shadow");
      await drop();
      return;
    }
    shadow = number;
    said = undefined;
    log.info({ release, number }, "what is offered is the shadow");
  };

  const compute = async (offered: NonNullable<UpdaterRecord["offered"]>): Promise<void> => {
    const live = await model.live();
    const verdict = await judge(offered, live);
    shadow = verdict === "own" ? offered.number : 0;
    if (verdict === "start") await start(offered);
    const facts = { number: offered.number, candidate: live.candidate?.release };
    if (verdict === "other") say("another release is the candidate: no shadow of what is offered", facts);
    if (verdict === "ended") say("the shadow of what is offered was ended", facts);
  };

  return {
    get shadow() {
      return shadow;
    },
    async end(live, head) {
      await site.open();
      const { offered } = site.record;
      if (refused !== head?.candidate?.content) refused = undefined;
      if (offered === undefined) shadow = 0;
      if (offered === undefined || !isOver(offered, head)) return;
      const { number, release } = offered;
      if (judgeShadow(offered, live, []) === "own") {
        await model.endCandidate({ reason: `offer ${number} has ended`, by: AUTHOR }, release);
      }
      await drop();
      log.info({ release, number }, "what was offered has ended");
      await site.retain();
    },
    async follow(shelf, head) {
      const offer = head?.candidate;
      if (head === undefined || offer === undefined) return;
      const live = await model.live();
      const [served] = site.record.kept;
      const isServed = served?.number === head.number && served.digest === head.digest;
      if (!isServed || served.release !== live.live) return;
      if (site.record.offered === undefined) await prepare(shelf, offer, live);
      const { offered } = site.record;
      if (offered !== undefined && !isOver(offered, head)) await compute(offered);
    },
  };
}

/** The release is gone or damaged, and will be. */
function isUseless(error: unknown): error is KnowledgeNetError {
  return isKnowledgeNetError(error, "KN_CONFIG", "KN_CHECKPOINT") && !error.mayPass;
}
