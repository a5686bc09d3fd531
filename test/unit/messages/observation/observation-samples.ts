/** Observations that tests share. */
import type { LiveInputs, ObservedInput } from "../../../../src/messages/index.ts";

export const liveInputs: LiveInputs = {
  model: "digits",
  release: 4,
  input: { dtype: "u8", shape: [2, 2, 2, 1], values: Uint8Array.of(0, 1, 2, 3, 252, 253, 254, 255) },
  logits: { dtype: "f32", shape: [2, 3], values: Float32Array.of(0.5, -1, 2, 1, 0, -0.25) },
};

export const comparedInputs: LiveInputs = {
  ...liveInputs,
  candidateLogits: { dtype: "f32", shape: [2, 3], values: Float32Array.of(1, -1, 0, 1, 0, -0.5) },
  candidateRelease: 6,
};

export const observedInput: ObservedInput = {
  ...{ model: "digits", observer: "observer-0", epoch: "d3f8a1", number: 7 },
  ...{ atMs: 1_790_000_000_000, expiresAtMs: 1_790_003_600_000, release: 4 },
  ...{ stratum: "interesting", inclusion: 0.25, weight: 3.2 },
  interest: { disagreement: 1, uncertainty: 0.5, novelty: 0 },
  input: { dtype: "u8", shape: [2, 2, 1], values: Uint8Array.of(1, 2, 3, 4) },
  logits: { dtype: "f32", shape: [3], values: Float32Array.of(0.5, -1, 2) },
};

export const comparedInput: ObservedInput = {
  ...observedInput,
  comparison: { candidate: 12, disagrees: true, compared: 40, disagreements: 3 },
};
