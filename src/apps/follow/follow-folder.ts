/** A continuous run on disk: one folder with its spec and its store. A run of the same name goes on where it was. */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { UnreadableRun } from "../../jobs/run-folder.ts";
import { type ContinuousSpec, parseContinuousSpec } from "../../run-spec/index.ts";

export interface FollowFolder {
  readonly name: string;
  readonly path: string;
  readonly storePath: string;
  readonly logPath: string;
}

const SPEC_FILE = "continuous.json";
/** Of a run of another kind. */
const OTHER_SPEC_FILE = "spec.json";

/** Rejects with KN_CONFIG when a run of another kind has the name, KN_UNAVAILABLE when the folder cannot be written. */
export async function openFollowFolder(runs: string, name: string, spec: ContinuousSpec): Promise<FollowFolder> {
  const path = resolve(runs, name);
  if ((await readFile(join(path, OTHER_SPEC_FILE)).catch(() => undefined)) !== undefined) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `follow as ${name}`,
      rule: `${resolve(runs)} must hold no other run of that name`,
      value: "a run of another kind",
      remedy: "choose another name: --name",
    });
  }
  try {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, SPEC_FILE), `${JSON.stringify(spec, undefined, 2)}\n`);
  } catch (error) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `open the run folder ${path}`,
      rule: "it must be writable, with room on the disk",
      value: error instanceof Error ? error.message : String(error),
      remedy: "choose another place: --runs",
      cause: error,
    });
  }
  return folderAt(path, name);
}

/** The continuous run of that name, with its spec; undefined: none. Rejects with KN_CONFIG when its spec cannot be read. */
export async function findFollowFolder(
  runs: string,
  name: string,
): Promise<(FollowFolder & { readonly spec: ContinuousSpec }) | undefined> {
  const path = resolve(runs, name);
  const file = join(path, SPEC_FILE);
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : { ...folderAt(path, name), spec: parseContinuousSpec(text, { file }) };
}

/** Every continuous run in `runs`, with the time of its last start (ms since 1970). */
export async function listFollowFolders(
  runs: string,
): Promise<{ readonly folder: FollowFolder | UnreadableRun; readonly startedMs: number }[]> {
  const found = [];
  for (const name of await readdir(runs).catch(() => [])) {
    const path = resolve(runs, name);
    const file = await stat(join(path, SPEC_FILE)).catch(() => undefined);
    if (file === undefined) continue; // none, or a run of another kind
    found.push({ folder: await readFolder(runs, name), startedMs: file.mtimeMs });
  }
  return found;
}

async function readFolder(runs: string, name: string): Promise<FollowFolder | UnreadableRun> {
  const path = resolve(runs, name);
  try {
    return (await findFollowFolder(runs, name)) ?? folderAt(path, name);
  } catch (error) {
    return { name, path, reason: error instanceof Error ? error.message : String(error) };
  }
}

function folderAt(path: string, name: string): FollowFolder {
  return { name, path, storePath: join(path, "store"), logPath: join(path, "run.log") };
}
