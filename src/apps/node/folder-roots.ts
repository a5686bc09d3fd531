/**
 * Folders of this machine that a run's record may name (`data.directory`, `cache.directory`): any client with write
 * access to the fleet's store can write a record, which must not make a node read or create arbitrary folders.
 */
import { delimiter, isAbsolute, relative, resolve } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";

/** Environment variable with further roots, separated like PATH. */
export const ROOTS_VARIABLE = "KN_ROOTS";

/** The node's own folders, those of its configuration, and those of `KN_ROOTS`. */
export function folderRoots(own: readonly (string | undefined)[], env: NodeJS.ProcessEnv): readonly string[] {
  const further = (env[ROOTS_VARIABLE] ?? "").split(delimiter);
  return [...own, ...further].flatMap((root) => (root === undefined || root === "" ? [] : [resolve(root)]));
}

/** Rejects a folder outside all roots. @throws KnowledgeNetError KN_CONFIG */
export function assertWithinRoots(setting: string, folder: string | undefined, roots: readonly string[]): void {
  if (folder === undefined) return;
  const path = resolve(folder);
  const isWithin = (root: string): boolean => {
    const way = relative(root, path);
    return way === "" || (way !== ".." && !way.startsWith("../") && !way.startsWith("..\\") && !isAbsolute(way));
  };
  if (roots.some(isWithin)) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `use ${setting} of the run`,
    rule: "a run may name only folders within this node's roots",
    value: `${path}; roots are ${roots.join(", ")}`,
    remedy: `leave it out of the spec, or start the node with ${ROOTS_VARIABLE}=<folder>`,
  });
}
