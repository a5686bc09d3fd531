/** From publication to the first answer, from a rollback to the first answer, from the start of a server to the first answer. */
import { monotonicMs, type Percentiles, percentilesOf } from "../../serving/load/index.ts";
import { liveAt, sequentialClient } from "./scene-load.ts";
import type { OpenServingScene } from "./serving-scene.ts";

export interface Publication {
  /** From the begin of a publication to the first answer by it, promotion included, ms. */
  readonly publicationMs: Percentiles;
  /** From the order to the first answer by the release before, ms. */
  readonly rollbackMs: Percentiles;
}

export async function measurePublication(
  open: OpenServingScene,
  { rounds, shape }: { readonly rounds: number; readonly shape: "whole" | "blocks" },
): Promise<Publication> {
  await using scene = await open({ shape });
  await using client = await sequentialClient(scene);
  const publications: number[] = [];
  const rollbacks: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = await client.ask();
    const startedMs = monotonicMs();
    const release = await scene.publish(1_000 + round);
    await scene.promote(release);
    publications.push((await liveAt(client, release)) - startedMs);
    if (before.kind === "failure") throw new Error(`a request failed: ${before.outcome}, ${before.text}`);
    const orderedMs = monotonicMs();
    await scene.rollback();
    rollbacks.push((await liveAt(client, before.release)) - orderedMs);
  }
  return { publicationMs: percentilesOf(publications), rollbackMs: percentilesOf(rollbacks) };
}

/** From the start of all processes to the first answer, ms. */
export async function measureColdStart(
  open: OpenServingScene,
  { rounds }: { readonly rounds: number },
): Promise<{ readonly firstAnswerMs: Percentiles }> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await using scene = await open({ shape: "whole" });
    times.push(await scene.restartMs());
  }
  return { firstAnswerMs: percentilesOf(times) };
}
