/** Layers and weights of the teacher that a spec names: of a run's last checkpoint, or of a model file. */
import { KnowledgeNetError } from "../errors/index.ts";
import type { NamedTensorData } from "../compute/index.ts";
import {
  type ArtifactScope,
  openCheckpoints,
  openReleases,
  type Release,
  scopeOfRun,
} from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { fileStore, type Store } from "../runtime/store/index.ts";
import { layersOfBlocks, type ModelSpec, type PhaseName, type TeacherSpec } from "../run-spec/index.ts";
import { importModelFile } from "./import-model.ts";
import { openRunFolder } from "./run-folder.ts";
import { trainedNetwork } from "./trained-network.ts";

export interface FoundModel {
  readonly model: ModelSpec;
  /** `weights/<layer>/<weight>` of all its layers. */
  readonly tensors: NamedTensorData;
  /** Training step of the checkpoint; 0: not known. */
  readonly step: number;
}

export interface FindTeacherOptions {
  readonly teacher: TeacherSpec;
  /** Folder of the runs. */
  readonly runs: string;
  /** Called with lines for the user: a damaged checkpoint, a model file that does not scale its input. */
  readonly note: (line: string) => void;
}

/** Rejects with KN_CONFIG when the spec names no teacher or an unknown one, KN_CHECKPOINT when it has no checkpoint. */
export async function findTeacher({ teacher, runs, note }: FindTeacherOptions, clock: Clock): Promise<FoundModel> {
  const { run, file, cuts } = teacher;
  if ((run === undefined) === (file === undefined)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "find the teacher",
      rule: "exactly one of teacher.run and teacher.file must name it",
      value: run === undefined ? "neither" : "both",
      remedy: "name a finished run or a model.json: --teacher <run or file>",
    });
  }
  const found = run === undefined ? await importTeacher(file ?? "", note) : await trainedModel(run, runs, clock, note);
  return cuts === undefined ? found : { ...found, model: { ...found.model, cuts } };
}

async function importTeacher(file: string, note: (line: string) => void): Promise<FoundModel> {
  const { model, tensors, step, notes } = await importModelFile(file);
  notes.forEach(note);
  return { model, tensors, step };
}

/**
 * The network of a run (of a distillation run: the student) with the weights of its newest undamaged checkpoint.
 * @param phase of a distillation run: the checkpoint at the end of this phase. @default the last phase
 */
export async function trainedModel(
  name: string,
  runs: string,
  clock: Clock,
  note: (line: string) => void,
  phase?: PhaseName,
): Promise<FoundModel> {
  const folder = await openRunFolder(runs, name);
  await using store = await fileStore({ directory: folder.storePath, clock });
  const checkpoints = await openCheckpoints(store, scopeOfRun(folder.name));
  return await trainedNetwork(checkpoints, { run: folder.name, spec: folder.spec, phase, note });
}

/** Number of retained versions of a teacher: batches in flight refer to the one before the newest. */
const KEPT_TEACHERS = 4;

/** Makes a teacher the newest one of a run. */
export async function publishTeacher(
  store: Store,
  { model, tensors }: Pick<FoundModel, "model" | "tensors">,
  scope: ArtifactScope,
): Promise<Release> {
  const releases = await openReleases(store, scope);
  const parts = layersOfBlocks(model).map((layers) => {
    const names = new Set(layers.map(({ name }) => name));
    return Object.fromEntries(Object.entries(tensors).filter(([key]) => names.has(key.split("/")[1] ?? "")));
  });
  const release = await releases.publish(parts);
  await releases.retain({ kept: KEPT_TEACHERS });
  return release;
}
