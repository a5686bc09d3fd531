/** A trainer that promotes weights of a small model, and a device that keeps what survives a crash apart from the rest. */
import type { NamedTensors, Signer, TrustedKey } from "../../../../src/models/index.ts";
import {
  applyUpdates,
  type BuiltUpdate,
  buildUpdate,
  type DeviceUpdateOptions,
  digestOfTensors,
  dueRequest,
  durableOf,
  type DurableUpdates,
  extendChain,
  linkReturned,
  NO_UPDATES,
  openDeviceUpdates,
  receiveUpdate,
  settleUpdate,
  type UpdateChain,
  type UpdateContent,
  type UpdateDecision,
} from "../../../../src/models/updates/index.ts";
import { moved, normalWeights, SMALL } from "./update-scene.ts";

export const MODEL = "digits";
export const MOMENT = { nowMs: 1000, jitter: 0.5 };
export const FIRST = normalWeights(SMALL, 1);

export type Change = "masked" | "channels" | "batch-norm" | "full" | "restore";

const CONTENTS: Readonly<Record<Change, UpdateContent>> = {
  masked: {
    ...{ kind: "masked", coding: { codec: "int8" } },
    indices: { "weights/d1/kernel": Uint32Array.of(1, 4, 9), "weights/d1/bias": Uint32Array.of(2) },
  },
  channels: {
    ...{ kind: "channels", coding: { codec: "int4", scalePer: "channel" } },
    channels: { "weights/d1/kernel": Uint32Array.of(0, 2) },
  },
  "batch-norm": { kind: "batch-norm" },
  full: { kind: "full" },
  restore: { kind: "restore" },
};

/** Numbers go up by one from 1, of weights that every device has from the start. */
export function trainerOf(signer?: Signer) {
  const history = new Map<number, NamedTensors>([[1, FIRST]]);
  let chain: UpdateChain = { ...NO_UPDATES, newest: { number: 1, digest: digestOfTensors(FIRST) } };
  const newest = (): number => chain.newest?.number ?? 0;
  const weights = (number = newest()): NamedTensors => history.get(number) as NamedTensors;
  const signed = signer === undefined ? {} : { signer };
  return {
    newest,
    weights,
    get digest(): string {
      return chain.newest?.digest ?? "";
    },
    /** A new number by this change; `restore`: with the weights of the number before the newest. */
    promote(kind: Change, seed: number): BuiltUpdate {
      const base = { number: newest(), tensors: weights() };
      const trained = kind === "restore" ? weights(Math.max(1, newest() - 1)) : moved(base.tensors, 0.2, seed);
      const built = buildUpdate({
        model: MODEL,
        number: newest() + 1,
        base,
        trained,
        content: CONTENTS[kind],
        ...signed,
      });
      chain = extendChain(chain, built.update);
      history.set(newest(), built.tensors);
      return built;
    },
    /** The newest weights, whole. */
    anchor: (): Uint8Array =>
      buildUpdate({ model: MODEL, number: newest(), trained: weights(), content: CONTENTS.full, ...signed }).bytes,
  };
}

export function deviceOf(options: DeviceUpdateOptions & { readonly trusted?: readonly TrustedKey[] } = {}) {
  const disk = {
    durable: { model: MODEL, kept: [{ number: 1, digest: digestOfTensors(FIRST) }], newest: 1 } as DurableUpdates,
    weights: new Map([[digestOfTensors(FIRST), FIRST]]),
  };
  let at = MOMENT;
  let state = openDeviceUpdates(disk.durable, at, options).state;
  /** Numbers that it served, in order. */
  const served = [1];

  const take = (decided: { readonly state: typeof state; readonly decision: UpdateDecision }): UpdateDecision => {
    state = decided.state;
    disk.durable = durableOf(state);
    return decided.decision;
  };

  return {
    disk,
    served,
    get state() {
      return state;
    },
    get number(): number {
      return disk.durable.kept[0]?.number ?? 0;
    },
    receive: (bytes: Uint8Array): UpdateDecision => take(receiveUpdate(state, bytes, at, options)),
    /** Makes the weights that are to be made, until nothing more is. @returns the last decision */
    work(): UpdateDecision {
      let decision: UpdateDecision = { kind: "rest" };
      while (state.applying !== undefined) {
        const { start, steps, result } = state.applying;
        const base = start === undefined ? undefined : disk.weights.get(start.digest);
        let made: NamedTensors | undefined;
        try {
          made = start !== undefined && base === undefined ? undefined : applyUpdates(steps, SMALL, base);
        } catch {
          decision = take(settleUpdate(state, "failed", at, options));
          continue;
        }
        if (made === undefined) {
          decision = take(settleUpdate(state, "lost", at, options));
          continue;
        }
        disk.weights.set(result.digest, made);
        served.push(result.number);
        decision = take(settleUpdate(state, "applied", at, options));
        for (const digest of disk.weights.keys()) {
          if (!disk.durable.kept.some((each) => each.digest === digest)) disk.weights.delete(digest);
        }
      }
      return decision;
    },
    /** Everything but what is durable is gone. */
    crash: (): UpdateDecision => take(openDeviceUpdates(disk.durable, at, options)),
    pass(ms: number): void {
      at = { ...at, nowMs: at.nowMs + ms };
    },
    request() {
      const due = dueRequest(state, at, options);
      state = due.state;
      return due.request;
    },
    linkReturns(): void {
      state = linkReturned(state, at, options);
    },
  };
}
