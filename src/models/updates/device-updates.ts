/**
 * What a device does with the updates that reach it, in any order, some of them lost, repeated, old or forged. Pure: the
 * caller has the bytes, the clock, the randomness and the weights.
 *
 * - Numbers only go up. The newest number that was ever read from a trusted signer is remembered (`newest`, durable), and
 *   nothing is served that does not end there: an old release, bad or good, cannot be replayed.
 * - Updates are chained by digest: one is applied only to the weights that it was made from. Those that come too early
 *   are kept for a while, within a bound, and applied together; what lies between is never served.
 * - Where a link is missing, a full update is requested, after a delay that differs between devices, and again until it
 *   comes.
 * - Weights that are kept (what is served, what was served before) are recognised by their digest, so a rollback costs no
 *   more than its record.
 * - Applying is on a copy: a crash or a failure leaves what is served, and what is durable, as it was.
 */
import type { FullUpdateRequest, ModelUpdate, NumberedWeights } from "../../messages/index.ts";
import { readUpdate, type RefusedUpdate } from "./read-update.ts";
import type { TrustedKey } from "../signature.ts";

export interface DeviceUpdateOptions {
  /** @default none: any update is accepted that is intact */
  readonly trusted?: readonly TrustedKey[];
  /** Weights that the device keeps, what it serves included. @default 2, as a replica does: it and the one before */
  readonly keptWeights?: number;
  /** Updates that wait for one before them; more push out the oldest. @default 32: more than lie between two anchors */
  readonly maxPending?: number;
  /** Their bytes. @default 64 MiB */
  readonly maxPendingBytes?: number;
  /** Requests of devices that miss the same update are spread over this time, ms. @default 5,000 */
  readonly requestSpreadMs?: number;
  /** First time after which a request is repeated, ms; doubled each time, up to 32 times. @default 15,000 */
  readonly requestTimeoutMs?: number;
}

export const DEVICE_DEFAULTS = {
  ...{ trusted: [], keptWeights: 2, maxPending: 32, maxPendingBytes: 64 << 20 },
  ...{ requestSpreadMs: 5_000, requestTimeoutMs: 15_000 },
} as const satisfies Required<DeviceUpdateOptions>;
const MAX_DOUBLINGS = 5;

/** Now, and a draw of the caller's, uniform in [0, 1), that differs between devices. */
export interface Moment {
  readonly nowMs: number;
  readonly jitter: number;
}

/** Written before what follows from it is done, in one piece with the weights. */
export interface DurableUpdates {
  readonly model: string;
  /** Weights that the device has, the served ones first. Empty: none. */
  readonly kept: readonly NumberedWeights[];
  /** Newest number that it has seen; 0: none. */
  readonly newest: number;
  /** Weights that it has beside them, made from an offer (device-offers.ts): not served, not seen. */
  readonly offered?: NumberedWeights;
}

interface Pending {
  readonly update: ModelUpdate;
  readonly sizeBytes: number;
}

/** How weights are made. */
export interface UpdatePlan {
  /** Kept weights that it starts from; absent: the first step is a full update. */
  readonly start?: NumberedWeights;
  /** Each applies to the result of the one before. None: the kept weights are served again. */
  readonly steps: readonly ModelUpdate[];
  readonly result: NumberedWeights;
}

export interface DeviceUpdates extends DurableUpdates {
  readonly pending: readonly Pending[];
  /** What the caller is applying. */
  readonly applying?: UpdatePlan;
  /** The request for a full update that is due, and how often it was sent. */
  readonly request?: { readonly dueAtMs: number; readonly sent: number };
}

export type UpdateDecision =
  /** Make the weights of `plan`, then call `settleUpdate`. */
  | { readonly kind: "apply"; readonly plan: UpdatePlan }
  /** Nothing to do. `old`: of a number that is served or was; `too-large`: beyond what may wait. */
  | {
      readonly kind: "ignore";
      readonly reason: RefusedUpdate | "old" | "duplicate" | "too-large";
      readonly error?: Error;
    }
  /** It is kept: another one is being applied, or a full one is under way. */
  | { readonly kind: "hold"; readonly reason: "applying" | "requested" }
  /** A full one is needed: call `dueRequest` at that time. `base-digest`: the device's own weights are not the trainer's. */
  | { readonly kind: "ask"; readonly reason: "gap" | "base-digest" | "failed"; readonly dueAtMs: number }
  /** It is up to date. */
  | { readonly kind: "rest" };

interface Decided {
  readonly state: DeviceUpdates;
  readonly decision: UpdateDecision;
}

/** After a start. A device without weights, or one that had seen a newer number, needs a full update. */
export function openDeviceUpdates(
  { newest, ...durable }: DurableUpdates,
  at: Moment,
  options: DeviceUpdateOptions = {},
): Decided {
  const state = { ...durable, newest: Math.max(newest, durable.kept[0]?.number ?? 0), pending: [] };
  return decide(state, at, { ...DEVICE_DEFAULTS, ...options }, "gap");
}

/** What has to survive a crash. */
export function durableOf({ model, kept, newest, offered }: DeviceUpdates): DurableUpdates {
  return { model, kept, newest, ...(offered === undefined ? {} : { offered }) };
}

/** @param bytes from anybody; kept while the update waits, so they must not change */
export function receiveUpdate(
  state: DeviceUpdates,
  bytes: Uint8Array,
  at: Moment,
  given: DeviceUpdateOptions = {},
): Decided {
  const options = { ...DEVICE_DEFAULTS, ...given };
  const ignore = (reason: RefusedUpdate | "old" | "duplicate" | "too-large", error?: Error): Decided => ({
    state,
    decision: { kind: "ignore", reason, ...(error === undefined ? {} : { error }) },
  });
  const read = readUpdate(bytes, { model: state.model, trusted: options.trusted });
  if (read.kind === "refused") return ignore(read.reason, read.error);
  const { update, sizeBytes } = read;
  const { number } = update.result;
  const served = state.kept[0];
  if (served !== undefined && number <= served.number) {
    return ignore(number === served.number && update.result.digest === served.digest ? "duplicate" : "old");
  }
  const isFull = update.kind === "full";
  const isSame = (other: Pending): boolean =>
    other.update.result.number === number && (other.update.kind === "full") === isFull;
  if (state.pending.some(isSame)) return ignore("duplicate");
  if (sizeBytes > options.maxPendingBytes) return ignore("too-large");
  const pending = bounded([...state.pending, { update, sizeBytes }], options);
  const next = { ...state, pending, newest: Math.max(state.newest, number) };
  return decide(next, at, options, reasonOf(update, served));
}

/**
 * @param outcome `applied`: the weights of the plan are served; `failed`: they could not be made; `lost`: those that it
 * starts from are gone
 */
export function settleUpdate(
  { applying, offered, ...rest }: DeviceUpdates,
  outcome: "applied" | "failed" | "lost",
  at: Moment,
  given: DeviceUpdateOptions = {},
): Decided {
  if (applying === undefined) throw new RangeError("no update is being applied");
  const options = { ...DEVICE_DEFAULTS, ...given };
  const { result, steps, start } = applying;
  const areKeptGone = outcome === "lost" || steps.length === 0; // nothing else can be wrong without steps
  const isOfferOver =
    outcome === "applied" ? (offered?.number ?? 0) <= result.number : areKeptGone && offered?.digest === start?.digest;
  const state: DeviceUpdates = offered === undefined || isOfferOver ? rest : { ...rest, offered };
  if (outcome === "applied") {
    const others = state.kept.filter(({ digest }) => digest !== result.digest);
    const kept = [result, ...others].slice(0, options.keptWeights);
    const pending = state.pending.filter(({ update }) => update.result.number > result.number);
    const { request: _request, ...settled } = { ...state, kept, pending };
    return decide(result.number >= state.newest ? settled : { ...state, kept, pending }, at, options, "gap");
  }
  const kept = areKeptGone ? state.kept.filter(({ digest }) => digest !== start?.digest) : state.kept;
  const pending = areKeptGone ? state.pending : state.pending.filter(({ update }) => !steps.includes(update));
  return decide({ ...state, kept, pending }, at, options, "failed");
}

/** The request that is due now, and when it is due again. */
export function dueRequest(
  state: DeviceUpdates,
  { nowMs, jitter }: Moment,
  given: DeviceUpdateOptions = {},
): { readonly state: DeviceUpdates; readonly request?: FullUpdateRequest } {
  const { request, applying, model, kept, newest } = state;
  if (request === undefined || applying !== undefined || nowMs < request.dueAtMs) return { state };
  const { requestTimeoutMs } = { ...DEVICE_DEFAULTS, ...given };
  const waitMs = requestTimeoutMs * 2 ** Math.min(request.sent, MAX_DOUBLINGS) * (1 + jitter);
  const [held] = kept;
  return {
    state: { ...state, request: { dueAtMs: nowMs + waitMs, sent: request.sent + 1 } },
    request: { model, newest, ...(held === undefined ? {} : { held }) },
  };
}

/**
 * When the link is back: a request that waits, perhaps for minutes after some in vain, is due within the spread.
 */
export function linkReturned(
  state: DeviceUpdates,
  { nowMs, jitter }: Moment,
  given: DeviceUpdateOptions = {},
): DeviceUpdates {
  const { requestSpreadMs } = { ...DEVICE_DEFAULTS, ...given };
  return state.request === undefined
    ? state
    : { ...state, request: { dueAtMs: nowMs + jitter * requestSpreadMs, sent: 0 } };
}

/** What follows from the state: apply a plan that ends at the newest number, or ask for a full update. */
function decide(
  state: DeviceUpdates,
  { nowMs, jitter }: Moment,
  { requestSpreadMs }: Required<DeviceUpdateOptions>,
  reason: "gap" | "base-digest" | "failed",
): Decided {
  if (state.applying !== undefined) return { state, decision: { kind: "hold", reason: "applying" } };
  const served = state.kept[0];
  if (served !== undefined && served.number >= state.newest) return { state, decision: { kind: "rest" } };
  const plan = planTo(state.newest, state);
  if (plan !== undefined) return { state: { ...state, applying: plan }, decision: { kind: "apply", plan } };
  if (state.request !== undefined) return { state, decision: { kind: "hold", reason: "requested" } };
  const dueAtMs = nowMs + jitter * requestSpreadMs;
  return { state: { ...state, request: { dueAtMs, sent: 0 } }, decision: { kind: "ask", reason, dueAtMs } };
}

function reasonOf({ base }: ModelUpdate, served: NumberedWeights | undefined): "gap" | "base-digest" {
  return base !== undefined && base.number === served?.number && base.digest !== served.digest ? "base-digest" : "gap";
}

/**
 * From the newest number back to weights that are kept, or to a full update, which is the longer way round. A step is
 * there only if its result has the digest that the step after it applies to.
 */
export function planTo(
  newest: number,
  { kept, offered, pending }: Pick<DeviceUpdates, "kept" | "offered" | "pending">,
): UpdatePlan | undefined {
  const held = offered === undefined ? kept : [...kept, offered];
  const keptAs = (digest: string): NumberedWeights | undefined => held.find((each) => each.digest === digest);
  let steps: readonly ModelUpdate[] = [];
  let wanted: { readonly number: number; readonly digest?: string } = { number: newest };
  let result: NumberedWeights | undefined;
  let fromFull: UpdatePlan | undefined;
  for (;;) {
    const { number, digest } = wanted;
    const makers = pending
      .map(({ update }) => update)
      .filter((update) => update.result.number === number && (digest ?? update.result.digest) === update.result.digest);
    const [maker] = makers;
    if (maker === undefined) return fromFull;
    result ??= maker.result;
    const start = keptAs(maker.result.digest);
    if (start !== undefined) return { start, steps, result };
    const full = makers.find(({ kind }) => kind === "full");
    if (full !== undefined) fromFull ??= { steps: [full, ...steps], result };
    const step = makers.find(({ kind }) => kind !== "full" && kind !== "restore");
    if (step?.base === undefined) return fromFull;
    steps = [step, ...steps];
    const base = keptAs(step.base.digest);
    if (base !== undefined) return { start: base, steps, result };
    wanted = step.base;
  }
}

/** The newest of them, within both bounds; of one number the full one, which needs no other. */
function bounded(
  pending: readonly Pending[],
  { maxPending, maxPendingBytes }: Required<DeviceUpdateOptions>,
): readonly Pending[] {
  const fullFirst = [...pending].sort((a, b) => Number(b.update.kind === "full") - Number(a.update.kind === "full"));
  const newestFirst = fullFirst.sort((a, b) => b.update.result.number - a.update.result.number);
  let bytes = 0;
  return newestFirst.filter(({ sizeBytes }, position) => {
    bytes += sizeBytes;
    return position < maxPending && bytes <= maxPendingBytes;
  });
}
