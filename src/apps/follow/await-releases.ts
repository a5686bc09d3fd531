/** Waits for the releases that a continuous run begins with, in a process that may start before they are published. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { Model } from "../../models/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";

export interface AwaitReleasesDeps {
  readonly clock: Clock;
  /** Receives the reason for each wait that differs from the one before. */
  readonly onObstacle: (reason: string) => void;
}

/** Pause before the next look, ms. */
const LOOK_EVERY_MS = 1_000;

/**
 * Resolves with true when each model has a live release, with false when `signal` comes first. A store that is away is
 * waited for; rejects with any other error of it.
 */
export async function awaitReleases(
  models: readonly Pick<Model, "name" | "live">[],
  { clock, onObstacle }: AwaitReleasesDeps,
  signal: AbortSignal,
): Promise<boolean> {
  let told: string | undefined;
  while (!signal.aborted) {
    const obstacle = await obstacleOf(models);
    if (obstacle === undefined) return true;
    if (obstacle !== told) onObstacle(obstacle);
    told = obstacle;
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
  }
  return false;
}

async function obstacleOf(models: readonly Pick<Model, "name" | "live">[]): Promise<string | undefined> {
  try {
    for (const model of models) {
      const { live } = await model.live();
      if (live === undefined) return `no release of ${model.name} is live yet: kn promote ${model.name}`;
    }
    return undefined;
  } catch (error) {
    if (isKnowledgeNetError(error, "KN_UNAVAILABLE")) return error.message;
    throw error;
  }
}
