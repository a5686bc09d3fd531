/** Folders and files in memory. Each is named by its path. */
import { join } from "node:path";
import type { DurableFiles } from "../file/durable-files.ts";

/** Content by path. */
export type MemoryFolder = Map<string, Uint8Array>;

export function memoryFiles(folder: MemoryFolder): DurableFiles {
  const within = (path: string): string[] => [...folder.keys()].filter((each) => each.startsWith(`${path}/`));
  const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
  const made = new Set<string>();
  return {
    async makeFolder(path) {
      await Promise.resolve();
      made.add(path);
    },
    async write(path, name, parts) {
      const content = joined(parts);
      await Promise.resolve();
      folder.set(join(path, name), content);
    },
    async read(path, name) {
      await Promise.resolve();
      return folder.get(join(path, name))?.slice();
    },
    async readHead(path, name, byteCount) {
      await Promise.resolve();
      const content = folder.get(join(path, name));
      return content === undefined ? undefined : { head: content.slice(0, byteCount), sizeBytes: content.byteLength };
    },
    async writeEnd(path, name, at, bytes) {
      await Promise.resolve();
      const before = folder.get(join(path, name)) ?? new Uint8Array(0);
      folder.set(join(path, name), joined([before.subarray(0, at), bytes]));
    },
    async remove(path, name) {
      await Promise.resolve();
      folder.delete(join(path, name));
    },
    async removeFolder(path) {
      await Promise.resolve();
      for (const each of within(path)) folder.delete(each);
      made.delete(path);
    },
    async list(path) {
      await Promise.resolve();
      const paths = [...within(path), ...[...made].filter((each) => each.startsWith(`${path}/`))];
      const names = new Set(paths.map((each) => each.slice(path.length + 1).split("/")[0] ?? ""));
      return [...names].filter((name) => !name.startsWith(".")).sort();
    },
    // A write is one step: none is cut off.
    leftovers: () => Promise.resolve([]),
    sweep: () => Promise.resolve([]),
  };
}
