/** Checkpoints over a store in memory, and generations of two actors in them. */
import type { SafetensorsContent } from "../../../../src/messages/checkpoint/index.ts";
import {
  type Checkpoints,
  type Manifest,
  openCheckpoints,
  scopeOfRun,
} from "../../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";
import { failingStore, switchedFaults } from "../../../support/failing-store.ts";

export const ACTORS = ["block-0", "gradient-0"];
export const SCOPE = scopeOfRun("small");

export const content = (word: string): SafetensorsContent => ({
  metadata: { word },
  tensors: { w: { dtype: "f32", shape: [1], values: Float32Array.of(word.length) } },
});

export async function artifactScene() {
  const clock = simulatedClock();
  const faults = switchedFaults();
  const store = failingStore(await memoryStore({ clock }), faults, clock);
  return { clock, store, faults, checkpoints: await openCheckpoints(store, SCOPE) };
}

export interface SaveGenerationOptions {
  readonly attempt?: number;
  readonly phase?: string;
  /** @default true */
  readonly commits?: boolean;
}

/** Each actor saves, by the holder of fencing token 1; then the generation is committed. */
export async function saveGeneration(
  checkpoints: Checkpoints,
  generation: number,
  { attempt = 1, phase = "training", commits = true }: SaveGenerationOptions = {},
): Promise<Manifest> {
  const actors: Record<string, string> = {};
  for (const actor of ACTORS) {
    const states = checkpoints.statesOf(actor, { attempt, fence: 1 });
    actors[actor] = (await states.save({ attempt, generation }, content(String(generation)))).digest;
  }
  const manifest = { attempt, generation, sequence: generation, step: generation, epoch: 0, phase, actors };
  if (commits) await checkpoints.commit(manifest);
  return manifest;
}
