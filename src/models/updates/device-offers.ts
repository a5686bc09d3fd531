/**
 * What a device does with an update that is offered, not promoted: it may make the weights beside those that it serves. Pure.
 *
 * An offer is no update that was seen: `newest` moves with its promotion, which takes no bytes, since number and digest of
 * the weights were verified with the offer. The rules for signers are those of updates.
 */
import type { NumberedWeights } from "../../messages/index.ts";
import {
  type DeviceUpdateOptions,
  type DeviceUpdates,
  DEVICE_DEFAULTS,
  planTo,
  type UpdatePlan,
} from "./device-updates.ts";
import { readUpdate, type RefusedUpdate } from "./read-update.ts";

type OfferDecision =
  /** Make the weights of `plan`, then call `withOffered`. */
  | { readonly kind: "prepare"; readonly plan: UpdatePlan }
  /** `old`: its number was seen; `other-base`: it is not made from the served weights, or needs some that are not kept. */
  | { readonly kind: "ignore"; readonly reason: RefusedUpdate | "old" | "other-base"; readonly error?: Error }
  /** The device does not serve the newest weights: offer it again when it does. */
  | { readonly kind: "hold"; readonly reason: "behind" };

/** @param bytes from anybody */
export function receiveOffer(
  { model, kept, newest }: DeviceUpdates,
  bytes: Uint8Array,
  given: DeviceUpdateOptions = {},
): OfferDecision {
  const { trusted } = { ...DEVICE_DEFAULTS, ...given };
  const read = readUpdate(bytes, { model, trusted });
  if (read.kind === "refused") {
    return { kind: "ignore", reason: read.reason, ...(read.error === undefined ? {} : { error: read.error }) };
  }
  const { update, sizeBytes } = read;
  if (update.result.number <= newest) return { kind: "ignore", reason: "old" };
  const served = kept[0];
  if (served === undefined || served.number < newest) return { kind: "hold", reason: "behind" };
  const isOnServed = update.base?.number === served.number && update.base.digest === served.digest;
  const plan = isOnServed ? planTo(update.result.number, { kept, pending: [{ update, sizeBytes }] }) : undefined;
  return plan === undefined ? { kind: "ignore", reason: "other-base" } : { kind: "prepare", plan };
}

/** The device has the weights of an offer; or none any more, where it has ended. */
export function withOffered(
  { offered: _former, ...state }: DeviceUpdates,
  offered: NumberedWeights | undefined,
): DeviceUpdates {
  return offered === undefined ? state : { ...state, offered };
}

/**
 * The weights that were offered are to be served, when those are what is promoted.
 * @returns the state itself when they are not
 */
export function promoteOffered(state: DeviceUpdates, promoted: NumberedWeights): DeviceUpdates {
  const { offered, applying, kept, newest } = state;
  const isOffered = offered?.number === promoted.number && offered.digest === promoted.digest;
  const isNext = promoted.number >= newest && promoted.number > (kept[0]?.number ?? 0);
  if (!isOffered || !isNext || applying !== undefined) return state;
  return { ...state, newest: offered.number, applying: { start: offered, steps: [], result: offered } };
}
