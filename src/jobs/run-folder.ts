/**
 * A run on disk: one folder with the spec as it was run, the store with its checkpoints, the log and the results.
 */
import { mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { KnowledgeNetError } from "../errors/index.ts";
import { parseSpec, type RunSpec } from "../run-spec/index.ts";

/** Folder of the runs unless `--runs` names another one. */
export const DEFAULT_RUNS_FOLDER = "runs";

/** Disposal removes a folder that was created and not kept: a refused run leaves no folder. */
export interface RunFolder extends AsyncDisposable {
  /** Name of the run: the folder's name, and its token in subjects. */
  readonly name: string;
  readonly path: string;
  readonly spec: RunSpec;
  readonly storePath: string;
  readonly logPath: string;
  readonly resultsPath: string;
  /** Called when the run starts: from then on the folder stays. */
  keep(): void;
}

/** A folder with a spec that this version cannot read. */
export interface UnreadableRun {
  readonly name: string;
  readonly path: string;
  readonly reason: string;
}

const SPEC_FILE = "spec.json";
/** The part of the spec that the checkpoints depend on, as it was when the folder was created. */
const TRAINED_FILE = "trained-spec.json";

function folderAt(path: string, spec: RunSpec, remove?: () => Promise<void>): RunFolder {
  let isKept = remove === undefined;
  return {
    name: basename(path),
    path,
    spec,
    storePath: join(path, "store"),
    logPath: join(path, "run.log"),
    resultsPath: join(path, "results.json"),
    keep() {
      isKept = true;
    },
    async [Symbol.asyncDispose]() {
      if (!isKept) await remove?.();
    },
  };
}

/**
 * Creates the folder; with `mayBeThere` it opens one that already holds the same spec. Rejects with KN_CONFIG when
 * there is a run of that name, KN_UNAVAILABLE when the folder cannot be written.
 */
export async function createRunFolder(
  runs: string,
  name: string,
  spec: RunSpec,
  { mayBeThere = false }: { readonly mayBeThere?: boolean } = {},
): Promise<RunFolder> {
  const path = resolve(runs, name);
  const text = jsonText(spec);
  const there = await readFile(join(path, SPEC_FILE), "utf8").catch(() => undefined);
  if (mayBeThere && there === text) return folderAt(path, spec);
  if (there !== undefined) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `create run ${name}`,
      rule: `${resolve(runs)} must not hold a run of that name`,
      value: mayBeThere ? "one with another spec exists" : "it exists",
      remedy: `choose another name: --name, or continue that run: kn resume ${name}`,
    });
  }
  let created: string | undefined;
  const remove = async (): Promise<void> => {
    // A folder that was there before may hold other files.
    if (created === undefined) await Promise.all([SPEC_FILE, TRAINED_FILE].map((file) => rm(join(path, file))));
    else await rm(path, { recursive: true, force: true });
    if (created !== undefined && created !== path) await rmdir(dirname(path)).catch(() => undefined); // others use it
  };
  try {
    created = await mkdir(path, { recursive: true });
    await writeFile(join(path, SPEC_FILE), text, { flag: "wx" });
    await writeFile(join(path, TRAINED_FILE), jsonText(trainedPart(spec)));
  } catch (error) {
    if (created !== undefined) await remove().catch(() => undefined); // the first error has the cause
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `create the run folder ${path}`,
      rule: "it must be writable, with room on the disk",
      value: error instanceof Error ? error.message : String(error),
      remedy: "choose another place: --runs",
      cause: error,
    });
  }
  return folderAt(path, spec, remove);
}

/** The run of that name or at that path, if there is one. Rejects with KN_CONFIG when its spec cannot be read. */
export async function findRunFolder(runs: string, nameOrPath: string): Promise<RunFolder | undefined> {
  for (const path of [resolve(nameOrPath), resolve(runs, nameOrPath)]) {
    const file = join(path, SPEC_FILE);
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) continue;
    return folderAt(path, parseSpec(text, { file }));
  }
  return undefined;
}

/** Opens a run by its name or its path. Rejects with KN_CONFIG when there is none. */
export async function openRunFolder(runs: string, nameOrPath: string): Promise<RunFolder> {
  const found = await findRunFolder(runs, nameOrPath);
  if (found !== undefined) return found;
  const known = await readdir(runs).catch(() => []);
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `open run ${nameOrPath}`,
    rule: `${runs} must hold a folder of that name`,
    value: known.length === 0 ? "no runs" : known.slice(-5).join(", "),
    remedy: "`kn runs` lists them",
  });
}

/** Every run in `runs`, oldest first, with the time of its last change (ms since 1970). */
export async function listRunFolders(
  runs: string,
): Promise<{ readonly folder: RunFolder | UnreadableRun; readonly changedMs: number }[]> {
  const names = await readdir(runs).catch(() => []);
  const found = [];
  for (const name of names) {
    const path = resolve(runs, name);
    const file = join(path, SPEC_FILE);
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) continue; // not a run
    const { mtimeMs } = await stat(path);
    found.push({ folder: readRun(path, text, file), changedMs: mtimeMs });
  }
  return found.sort((a, b) => a.changedMs - b.changedMs);
}

function readRun(path: string, text: string, file: string): RunFolder | UnreadableRun {
  try {
    return folderAt(path, parseSpec(text, { file }));
  } catch (error) {
    return { name: basename(path), path, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Rejects with KN_CONFIG when the spec was edited since, in a part that the checkpoints depend on. */
export async function checkTrainedSpec({ name, path, spec }: RunFolder): Promise<void> {
  const text = await readFile(join(path, TRAINED_FILE), "utf8").catch(() => undefined);
  if (text === undefined) return; // a folder of an earlier version
  let trained: unknown;
  try {
    trained = JSON.parse(text);
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `resume ${name}`,
      rule: `${join(path, TRAINED_FILE)} must be JSON`,
      value: error instanceof Error ? error.message : String(error),
      remedy: "remove the file if spec.json was not edited since the run began",
      cause: error,
    });
  }
  checkSameTraining(name, trained, trainedPart(spec));
}

/** @throws KnowledgeNetError KN_CONFIG when a checkpoint of a run of `trained` means something else under `spec`. */
export function checkSameTrainedSpec(name: string, trained: RunSpec, spec: RunSpec): void {
  checkSameTraining(name, trainedPart(trained), trainedPart(spec));
}

function checkSameTraining(name: string, trained: unknown, current: unknown): void {
  const difference = firstDifference(trained, current, []);
  if (difference === undefined) return;
  const [before, now] = [difference.before, difference.now].map((value) => JSON.stringify(value) ?? "absent");
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `resume ${name}`,
    rule: "its spec must be that of its checkpoints",
    value: `${difference.path.join(".")} is ${now}, it was ${before}`,
    remedy: `restore it in ${SPEC_FILE}, or start another run with the changed spec`,
  });
}

/**
 * Keys of the spec on which a checkpoint's weights, optimiser state and position in the data do not depend: names,
 * places, the checkpoint interval, the flow, and the number of epochs of a training run, which may be raised.
 */
const FREE_PATHS = [
  "name",
  "checkpoint",
  "flow",
  "placement",
  "cache",
  "data.directory",
  "training.epochs",
  "teacher.run",
  "teacher.file",
  "teacher.replicas",
].map((path) => path.split("."));

/** The rest of the spec, as parsed from its JSON. */
function trainedPart(spec: RunSpec): unknown {
  const part = JSON.parse(JSON.stringify(spec)) as unknown;
  for (const path of FREE_PATHS) {
    let parent = part;
    for (const key of path.slice(0, -1)) parent = isObject(parent) ? parent[key] : undefined;
    if (isObject(parent)) Reflect.deleteProperty(parent, path.at(-1) ?? "");
  }
  return part;
}

interface Difference {
  readonly path: readonly string[];
  readonly before: unknown;
  readonly now: unknown;
}

function firstDifference(before: unknown, now: unknown, path: readonly string[]): Difference | undefined {
  if (!isObject(before) || !isObject(now)) return Object.is(before, now) ? undefined : { path, before, now };
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const found = firstDifference(before[key], now[key], [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** Writes beside the target and renames: no reader sees a partial file, and a full disk leaves the previous one. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await writeFile(partial, jsonText(value));
    await rename(partial, path);
  } catch (error) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `write ${path}`,
      rule: "its folder must be writable, with room on the disk",
      value: error instanceof Error ? error.message : String(error),
      remedy: "free some space; checkpoints written before are intact",
      cause: error,
    });
  }
}
