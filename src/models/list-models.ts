/** The models of a store. */
import { ARTIFACT_RECORDS } from "../runtime/artifacts/index.ts";
import type { Store } from "../runtime/store/index.ts";

export interface ListedModel {
  readonly model: string;
  /** Number of its releases. */
  readonly releases: number;
}

/** Every model that has a release, by name. */
export async function listModels(store: Store): Promise<ListedModel[]> {
  const counts = new Map<string, number>();
  for (const key of await (await store.kv(ARTIFACT_RECORDS)).keys("model.*.release.*")) {
    const model = key.split(".")[1] ?? "";
    counts.set(model, (counts.get(model) ?? 0) + 1);
  }
  return [...counts].map(([model, releases]) => ({ model, releases }));
}
