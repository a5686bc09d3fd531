/**
 * Updates of what devices serve: built from trained weights, signed, chained by digest, applied on a copy
 * (docs/adr/0021-model-updates.md).
 *
 * @example
 * const indices = selectIndices({ "weights/d1/kernel": adamMovement(m, v) }, 0.02); // before the phase that trains in it
 * const { bytes, tensors } = buildUpdate({ model, number, base, trained, content: { kind: "masked", indices, coding }, signer });
 * // the gate judges `tensors`; promoted, `bytes` are published
 *
 * let { state } = openDeviceUpdates(durable, { nowMs, jitter });
 * const received = receiveUpdate(state, bytes, { nowMs, jitter }, { trusted });
 * if (received.decision.kind === "apply") {
 *   const { start, steps } = received.decision.plan;
 *   const made = applyUpdates(steps, shapes, weightsKeptAs(start?.digest)); // off the serving thread
 *   ({ state } = settleUpdate(received.state, "applied", { nowMs, jitter }, { trusted })); // once they are served
 * }
 */
export { applyUpdates, type TensorShapes } from "./apply-update.ts";
export {
  batchNormStatistics,
  type BuiltUpdate,
  buildUpdate,
  type UpdateContent,
  type UpdateRequest,
} from "./build-update.ts";
export { promoteOffered, receiveOffer, withOffered } from "./device-offers.ts";
export {
  type DeviceUpdateOptions,
  type DeviceUpdates,
  dueRequest,
  durableOf,
  linkReturned,
  type DurableUpdates,
  type Moment,
  openDeviceUpdates,
  receiveUpdate,
  settleUpdate,
  type UpdateDecision,
  type UpdatePlan,
} from "./device-updates.ts";
export { adamMovement, movementBetween, type Movements } from "./movements.ts";
export { readUpdate } from "./read-update.ts";
export { UPDATE_ORIGIN } from "./update-origin.ts";
export { type Selected, selectChannels, selectIndices } from "./select-values.ts";
export { digestOfTensors } from "./tensor-digest.ts";
export { extendChain, isAnchorDue, NO_UPDATES, type UpdateChain } from "./update-chain.ts";
export type { ShelfHead, ShelvedUpdate } from "../shelf/index.ts";
export { openUpdateShelf, type UpdateShelf } from "./update-shelf.ts";
