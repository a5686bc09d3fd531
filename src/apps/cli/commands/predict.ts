/** `kn predict`: classifies an image with an exported network, or with a served model. */
import { join } from "node:path";
import Table from "cli-table3";
import { type Command, Option } from "commander";
import { type BackendPreference, createComputeWorker, openTeacher, type TensorData } from "../../../compute/index.ts";
import { connectClient } from "../../../client/index.ts";
import { BLACK, decodePng, type PngImage } from "../../../data/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { importModelFile } from "../../../jobs/import-model.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { readInputFile } from "../read-input-file.ts";
import { EXIT_OK } from "../exit.ts";

type Background = "black" | "white";

interface PredictOptions {
  readonly backend: BackendPreference;
  readonly background: Background;
  readonly json: boolean;
  readonly url?: string;
}

/** What an image was taken for. */
interface Prediction {
  /** Each class and its probability. */
  readonly classes: readonly { readonly class: string; readonly probability: number }[];
  /** Where it was computed: the backend, or the release. */
  readonly by: Readonly<Record<string, string | number>>;
}

interface Picture {
  readonly pixels: TensorData;
  /** The background shows through at least one pixel. */
  readonly isTransparent: boolean;
}

/** Classes in the table. */
const SHOWN_CLASSES = 5;

export function registerPredict(program: Command, { terminal }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("predict")
    .argument("<folder or model>", "folder that `kn export --format tfjs` wrote; with --url: name of a served model")
    .argument(
      "<image>",
      "a PNG of any size; of the input's size where the network takes a flat vector; with --url also a JPEG",
    )
    .description("classify an image with an exported network, or with a served model")
    .option("--url <address>", "of a server that serves the model: http://127.0.0.1:8080")
    .addOption(new Option("--backend <name>").choices(["auto", "native", "wasm", "cpu"]).default("auto"))
    .addOption(
      new Option("--background <colour>", "behind transparent pixels").choices(["black", "white"]).default("black"),
    )
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (place: string, image: string, options: PredictOptions) => {
      const { classes, by } =
        options.url === undefined
          ? await predictHere(place, image, options, terminal.note)
          : await predictThere(place, image, options.url);
      if (options.json) {
        terminal.write(JSON.stringify({ image, ...by, classes }, undefined, 2));
      } else {
        const table = new Table({ head: ["class", "probability"], style: { head: [], border: [], compact: true } });
        for (const each of classes.slice(0, SHOWN_CLASSES))
          table.push([each.class, `${(100 * each.probability).toFixed(2)} %`]);
        terminal.write(table.toString());
      }
      exit(EXIT_OK);
    });
}

/** With the network in a folder. */
async function predictHere(
  folder: string,
  image: string,
  { backend, background }: PredictOptions,
  note: (line: string) => void,
): Promise<Prediction> {
  const { model, tensors, classNames, notes } = await importModelFile(join(folder, "model.json"));
  notes.forEach(note);
  const { pixels, isTransparent } = await readImage(image, model.input, background);
  if (isTransparent) note(`${image} has transparent pixels, shown on ${background}: --background changes it`);
  await using worker = await createComputeWorker({ backend });
  const network = await openTeacher(worker, "network", {
    inputShape: model.input,
    layers: model.layers,
    weights: tensors,
  });
  const probabilities = await network.classify(pixels);
  return { by: { backend: worker.backend.name }, classes: ranked(probabilities, classNames) };
}

/** With a model that a server answers for. */
async function predictThere(model: string, image: string, url: string): Promise<Prediction> {
  await using client = await connectClient({ url, model });
  const bytes = await readInputFile(image);
  const { classNames } = await client.metadata();
  const { probabilities, release } = await client.infer({ image: bytes }, { outputs: ["probabilities"] });
  return { by: { model, release }, classes: ranked(Array.from(probabilities), classNames) };
}

/** The most probable first. */
function ranked(probabilities: readonly number[], names: readonly string[] | undefined): Prediction["classes"] {
  return probabilities
    .map((probability, index) => ({ class: names?.[index] ?? String(index), probability }))
    .sort((a, b) => b.probability - a.probability);
}

/** [height, width, channels] u8, with the channels that the network takes. */
async function readImage(file: string, input: readonly number[], background: Background): Promise<Picture> {
  const bytes = await readInputFile(file);
  const decodeTo = (channels: 1 | 3): PngImage =>
    decodePng(bytes, { file, channels, background: background === "white" ? [255, 255, 255] : BLACK });
  const asTensor = (channels: 1 | 3, { height, width, values, isTransparent }: PngImage): Picture => ({
    pixels: { dtype: "u8", shape: [height, width, channels], values },
    isTransparent,
  });
  const [, , channels = 1] = input;
  // Images are resized to [height, width, channels] and [height, width]; a flat input does not determine the two
  // extents.
  if (input.length === 2 || (input.length === 3 && channels === 1)) return asTensor(1, decodeTo(1));
  if (input.length === 3 && channels === 3) return asTensor(3, decodeTo(3));
  const grey = decodeTo(1);
  const size = grey.height * grey.width;
  if (input.length === 1 && input[0] === size) return asTensor(1, grey);
  if (input.length === 1 && input[0] === 3 * size) return asTensor(3, decodeTo(3));
  throw new KnowledgeNetError("KN_SHAPE", {
    attempt: `classify ${file}`,
    rule:
      input.length === 1
        ? "an image for a flat input must have as many samples as the input"
        : "the network must take images of 1 or 3 channels",
    value: `[${grey.height}, ${grey.width}, 1 or 3] for an input of [${input.join(", ")}]`,
    remedy: input.length === 1 ? "resize the image first" : "use another network",
  });
}
