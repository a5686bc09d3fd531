/** The checkpoints in a run's folder, for reading: also while a process works on the run. */
import { type Checkpoints, openCheckpoints, scopeOfRun } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { readFileStore } from "../runtime/store/index.ts";
import type { RunFolder } from "./run-folder.ts";
import type { SavedRun } from "./trained-network.ts";

/** Each call sees what is on the disk at that time. */
export function savedRun({ name, storePath }: RunFolder, { clock }: { readonly clock: Clock }): SavedRun {
  const reading = async <T>(work: (checkpoints: Checkpoints) => Promise<T>): Promise<T> => {
    await using store = await readFileStore({ directory: storePath, clock });
    return await work(await openCheckpoints(store, scopeOfRun(name)));
  };
  return {
    manifests: () => reading((checkpoints) => checkpoints.manifests()),
    load: (actor, at) => reading((checkpoints) => checkpoints.load(actor, at)),
  };
}
