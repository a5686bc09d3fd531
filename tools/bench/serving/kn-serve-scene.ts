/** The product behind the scenarios: `kn serve` as a process, its models in a folder. */
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import type { ServingScene, ServingSceneOptions } from "./serving-scene.ts";

/** Rejects with KN_UNAVAILABLE: there is no `kn serve` yet. */
export async function openKnServe({ shape }: ServingSceneOptions): Promise<ServingScene> {
  throw new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `serve a network (${shape})`,
    rule: "`kn serve` must be there",
    remedy: "measure --only ceiling meanwhile",
  });
}
