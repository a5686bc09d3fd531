/** `kn import MODEL.JSON`: shows the layers of a network, the cost of a cut behind each, and the resulting sections. */
import Table from "cli-table3";
import type { Command } from "commander";
import { encodedTensorBytes } from "../../../messages/index.ts";
import { measureLayers, measureSections, type ModelSpec } from "../../../run-spec/index.ts";
import { importModelFile } from "../../../jobs/import-model.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { readCuts } from "./cuts-option.ts";
import { EXIT_OK } from "../exit.ts";
import { bytesText } from "../../../jobs/text.ts";

interface ImportOptions {
  readonly cuts?: string;
  readonly json: boolean;
}

export function registerImport(program: Command, { terminal }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("import")
    .argument("<model.json>", "network saved by tfjs, or converted from Keras")
    .description(
      "show the layers of a network, and where it can be cut into sections; pixels are given to it as 0 to 255",
    )
    .option("--cuts <layers>", "names of the layers after which to cut it, with commas between")
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (file: string, options: ImportOptions) => {
      const { model, notes } = await importModelFile(file);
      notes.forEach(terminal.note);
      const cuts = readCuts(model, file, options.cuts);
      if (options.json) terminal.write(JSON.stringify(describe({ ...model, cuts }), undefined, 2));
      else terminal.write(tableOf({ ...model, cuts }));
      exit(EXIT_OK);
    });
}

function describe(model: ModelSpec) {
  return {
    input: model.input,
    classes: model.classes,
    layers: measureLayers(model).map((layer, index, { length }) => ({
      ...layer,
      canBeCut: index < length - 1,
      isCut: model.cuts.includes(layer.name),
      hintBytes: encodedTensorBytes(layer.outputShape, "f32", "bf16"),
    })),
    sections: measureSections(model),
  };
}

function tableOf(model: ModelSpec): string {
  const table = new Table({
    head: ["section", "layer", "type", "output", "parameters", "MACs", "a cut here sends per sample"],
    style: { head: [], border: [], compact: true },
  });
  let section = 0;
  for (const layer of describe(model).layers) {
    table.push([
      String(section),
      layer.name,
      layer.type,
      `[${layer.outputShape.join(", ")}]`,
      String(layer.parameters),
      String(layer.macs),
      layer.canBeCut ? `${bytesText(layer.hintBytes)}${layer.isCut ? "  <- cut" : ""}` : "-",
    ]);
    if (layer.isCut) section += 1;
  }
  const cut = model.cuts.length === 0 ? "\ncut it with --cuts <layer>,<layer>; best after an activation or a pool" : "";
  return `${table.toString()}${cut}`;
}
