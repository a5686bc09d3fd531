/**
 * CIFAR-10, binary version (Krizhevsky 2009, cs.toronto.edu/~kriz/cifar.html): records of one label byte and 3,072 bytes,
 * the red, green and blue planes of a 32 x 32 image, row by row. Training files must be the originals; the test file may
 * be cut after any record from its 1,000th on. The digest of each is checked.
 */
import { createHash } from "node:crypto";
import { KnowledgeNetError } from "../errors/index.ts";
import { createDataset, type Dataset, type LoadDatasetOptions, type Records } from "./dataset.ts";

const SIDE = 32;
const CHANNELS = 3;
const CLASSES = 10;
const PLANE_BYTES = SIDE * SIDE;
const IMAGE_BYTES = CHANNELS * PLANE_BYTES;
const RECORD_BYTES = 1 + IMAGE_BYTES;

interface KnownFile {
  readonly name: string;
  /** SHA-256 of the first `records` records of the original. */
  readonly sha256: string;
  readonly records: number;
}

export interface CifarFiles {
  /** First to last. */
  readonly training: readonly KnownFile[];
  /** Of these, the first n must be there; later ones are read where they are. */
  readonly required: number;
  /** Known by its beginning, whole or cut. */
  readonly test: KnownFile;
}

/** The fifth training file is optional: the runs under docs/results (`data.records: 40000`) do without. */
const CIFAR_10: CifarFiles = {
  training: [
    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
  ].map((sha256, index) => ({ name: `data_batch_${index + 1}.bin`, sha256, records: 10_000 })),
  required: 4,
  test: {
    name: "test_batch.bin",
    sha256: "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5",
    records: 1_000,
  },
};

/**
 * Reads data_batch_1.bin to data_batch_5.bin and test_batch.bin. The fifth training file may be absent.
 * @throws KnowledgeNetError KN_CONFIG when a file is absent, truncated, of another kind, or not the original.
 */
export function loadCifar10(options: LoadDatasetOptions): Promise<Dataset> {
  return loadCifarFiles(CIFAR_10, options);
}

/** As `loadCifar10`, from the files of `known`. Training files beyond `options.records` are not read. */
export async function loadCifarFiles(known: CifarFiles, options: LoadDatasetOptions): Promise<Dataset> {
  const { records = Infinity } = options;
  const files: LoadedFile[] = [];
  let found = 0;
  for (const [index, file] of known.training.entries()) {
    if (found >= records) break;
    const loaded = await loadFile(file, options, { isRequired: index < known.required, mayBeLonger: false });
    if (loaded === undefined) break;
    files.push(loaded);
    found += file.records;
  }
  const test = await loadFile(known.test, options, { isRequired: true, mayBeLonger: true });
  return createDataset(
    {
      name: "cifar-10",
      sampleShape: [SIDE, SIDE, CHANNELS],
      classes: CLASSES,
      training: {
        samples: concat(files.map(({ samples }) => samples)),
        labels: concat(files.map(({ labels }) => labels)),
      },
      testing: test,
      digests: [...files, test].map(({ digest }) => digest),
    },
    options,
  );
}

interface LoadedFile extends Records {
  /** SHA-256 of the whole file. */
  readonly digest: string;
}

interface FileRules {
  readonly isRequired: boolean;
  /** Records beyond the known ones are allowed. */
  readonly mayBeLonger: boolean;
}

async function loadFile(
  file: KnownFile,
  options: LoadDatasetOptions,
  rules: FileRules & { readonly isRequired: true },
): Promise<LoadedFile>;
async function loadFile(
  file: KnownFile,
  options: LoadDatasetOptions,
  rules: FileRules,
): Promise<LoadedFile | undefined>;
async function loadFile(
  { name, sha256, records }: KnownFile,
  { directory, readFile }: LoadDatasetOptions,
  { isRequired, mayBeLonger }: FileRules,
): Promise<LoadedFile | undefined> {
  const knownBytes = records * RECORD_BYTES;
  const known = `SHA-256 ${sha256}${mayBeLonger ? ` of its first ${knownBytes} bytes` : ""}`;
  const refuse = (rule: string, value: string, remedy: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", { attempt: `load ${directory}/${name}`, rule, value, remedy });
  const bytes = await readFile(directory, name);
  if (bytes === undefined) {
    if (!isRequired) return undefined;
    throw refuse(
      `the folder must hold ${name} (${known})`,
      "absent",
      `unpack the binary version of CIFAR-10 into ${directory}, or name its folder by --data or KN_DATA`,
    );
  }
  const isWhole = mayBeLonger
    ? bytes.length >= knownBytes && bytes.length % RECORD_BYTES === 0
    : bytes.length === knownBytes;
  if (!isWhole) {
    throw refuse(
      `it must hold ${records}${mayBeLonger ? " or more" : ""} whole records of ${RECORD_BYTES} bytes`,
      `${bytes.length} bytes`,
      "replace it by the original, unpacked file",
    );
  }
  const found = digestOf(bytes.subarray(0, knownBytes));
  if (found !== sha256) throw refuse(`it must be the original file with ${known}`, found, "replace it by the original");
  return { ...readCifar10(bytes), digest: bytes.length === knownBytes ? found : digestOf(bytes) };
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whole records to images of [32, 32, 3] and their labels. */
export function readCifar10(bytes: Uint8Array): Records {
  const count = Math.floor(bytes.length / RECORD_BYTES);
  const samples = new Uint8Array(count * IMAGE_BYTES);
  const labels = new Uint8Array(count);
  for (let record = 0; record < count; record += 1) {
    const start = record * RECORD_BYTES;
    labels[record] = bytes[start] as number;
    // planes [3, 32, 32] -> pixels [32, 32, 3]
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      const plane = start + 1 + channel * PLANE_BYTES;
      for (let pixel = 0; pixel < PLANE_BYTES; pixel += 1) {
        samples[record * IMAGE_BYTES + pixel * CHANNELS + channel] = bytes[plane + pixel] as number;
      }
    }
  }
  return { samples, labels };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
