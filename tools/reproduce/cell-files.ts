/** Finished cells of an experiment, each in a JSON file of its own, so that none is run twice. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { KnowledgeNetError } from "../../src/errors/index.ts";
import { writeJson } from "../../src/jobs/run-folder.ts";

export interface CellFiles<Key, Cell extends Key> {
  /** @returns undefined when it is not finished. Rejects with KN_CONFIG when its file is damaged. */
  read(key: Key): Promise<Cell | undefined>;
  /** Every cell, by file name. Rejects with KN_CONFIG when one is damaged. */
  all(): Promise<Cell[]>;
  write(cell: Cell): Promise<void>;
}

/** @param nameOf the file's name, without its ending. */
export function cellFiles<Key, Cell extends Key>(
  folder: string,
  schema: z.ZodType<Cell>,
  nameOf: (key: Key) => string,
): CellFiles<Key, Cell> {
  const pathOf = (name: string): string => join(folder, `${name}.json`);

  const parse = async (name: string): Promise<Cell | undefined> => {
    const text = await readFile(pathOf(name), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      value = error;
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `read the cell ${pathOf(name)}`,
      rule: "it must be what this program wrote",
      value: value instanceof Error ? value.message : `${issue?.path.join(".")}: ${issue?.message}`,
      remedy: "delete it: the cell is run again",
    });
  };

  return {
    read: (key) => parse(nameOf(key)),
    async all() {
      const names = await readdir(folder).catch(() => []);
      const ours = names.filter((name) => name.endsWith(".json")).sort();
      const cells = await Promise.all(ours.map((name) => parse(name.slice(0, -".json".length))));
      return cells.filter((cell) => cell !== undefined);
    },
    async write(cell) {
      await mkdir(folder, { recursive: true });
      await writeJson(pathOf(nameOf(cell)), cell);
    },
  };
}
