/** The folder of a run with a checkpoint, as training leaves it behind. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NamedTensorData } from "../../../src/compute/index.ts";
import type { RunSpec } from "../../../src/run-spec/index.ts";
import { createActorMemory, openCheckpoints, scopeOfRun } from "../../../src/runtime/artifacts/index.ts";
import { fileStore, type Store } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";

export interface SavedGeneration {
  readonly generation: number;
  readonly phase: string;
  /** By actor. */
  readonly states: Readonly<Record<string, NamedTensorData>>;
  /** By actor. @default none */
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Adds generations to the run, whose folder is made when it is not there. */
export async function writeRun(
  runs: string,
  name: string,
  spec: RunSpec,
  generations: readonly SavedGeneration[],
): Promise<void> {
  await mkdir(join(runs, name), { recursive: true });
  await writeFile(join(runs, name, "spec.json"), JSON.stringify(spec));
  await using store = await fileStore({ directory: join(runs, name, "store") });
  await saveGenerations(store, name, generations);
}

/** Saves and commits generations of a run, in a folder's store or that of a fleet. */
export async function saveGenerations(
  store: Store,
  name: string,
  generations: readonly SavedGeneration[],
): Promise<void> {
  const checkpoints = await openCheckpoints(store, scopeOfRun(name));
  for (const { generation, phase, states, metadata = {} } of generations) {
    const actors: Record<string, string> = {};
    for (const [actor, tensors] of Object.entries(states)) {
      const owner = { actor, attempt: 1, fence: 1, from: undefined };
      const memory = createActorMemory(owner, { checkpoints, log: silentLogger });
      actors[actor] = (await memory.save(generation, { metadata: metadata[actor] ?? {}, tensors })).digest;
    }
    const place = { attempt: 1, generation, sequence: generation, step: generation, epoch: 0 };
    await checkpoints.commit({ ...place, phase, actors }, 1);
  }
}
