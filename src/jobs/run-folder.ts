/**
 * A run on disk: one folder with the spec as it was run, the store with its checkpoints, the log and the results.
 */
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { KnowledgeNetError } from "../errors/index.ts";
import { parseSpec, type RunSpec } from "../run-spec/index.ts";

/** Where runs are kept unless `--runs` says otherwise. */
export const DEFAULT_RUNS_FOLDER = "runs";

export interface RunFolder {
  /** Name of the run: the folder's name, and its token in subjects. */
  readonly name: string;
  readonly path: string;
  readonly spec: RunSpec;
  readonly storePath: string;
  readonly logPath: string;
  readonly resultsPath: string;
}

const SPEC_FILE = "spec.json";

function folderAt(path: string, name: string, spec: RunSpec): RunFolder {
  return {
    name,
    path,
    spec,
    storePath: join(path, "store"),
    logPath: join(path, "run.log"),
    resultsPath: join(path, "results.json"),
  };
}

/**
 * Makes the folder; one of the same spec may be there already where `mayBeThere`. Rejects with KN_UNAVAILABLE when it
 * cannot.
 */
export async function createRunFolder(
  runs: string,
  name: string,
  spec: RunSpec,
  { mayBeThere = false }: { readonly mayBeThere?: boolean } = {},
): Promise<RunFolder> {
  const path = resolve(runs, name);
  const text = `${JSON.stringify(spec, undefined, 2)}\n`;
  const there = mayBeThere ? await readFile(join(path, SPEC_FILE), "utf8").catch(() => undefined) : undefined;
  if (there === text) return folderAt(path, name, spec);
  try {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, SPEC_FILE), text, { flag: "wx" });
  } catch (error) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `make the run folder ${path}`,
      rule: "it must be new and writable",
      value: error instanceof Error ? error.message : String(error),
      remedy: "choose another place with --runs",
      cause: error,
    });
  }
  return folderAt(path, name, spec);
}

/** The run of that name or at that path, if there is one. */
export async function findRunFolder(runs: string, nameOrPath: string): Promise<RunFolder | undefined> {
  for (const path of [resolve(nameOrPath), resolve(runs, nameOrPath)]) {
    const file = join(path, SPEC_FILE);
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) continue;
    return folderAt(path, path.split(/[\\/]/).at(-1) ?? nameOrPath, parseSpec(text, { file }));
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
export async function listRunFolders(runs: string): Promise<{ folder: RunFolder; changedMs: number }[]> {
  const names = await readdir(runs).catch(() => []);
  const found = [];
  for (const name of names) {
    try {
      const folder = await openRunFolder(runs, name);
      const { mtimeMs } = await stat(folder.path);
      found.push({ folder, changedMs: mtimeMs });
    } catch {
      // not a run
    }
  }
  return found.sort((a, b) => a.changedMs - b.changedMs);
}

/** Writes beside the target and renames: a reader never sees half of it, a full disk leaves the one before. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await writeFile(partial, `${JSON.stringify(value, undefined, 2)}\n`);
    await rename(partial, path);
  } catch (error) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `write ${path}`,
      rule: "its folder must be writable and the disk have room",
      value: error instanceof Error ? error.message : String(error),
      remedy: "free some space; checkpoints written before are intact",
      cause: error,
    });
  }
}
