/** `--dry-run`: what a spec would run, without running it. */
import Table from "cli-table3";
import { encodedTensorBytes, type TensorCodec } from "../../messages/index.ts";
import { blockActor, boundariesOf, type RunSpec } from "../../run-spec/index.ts";
import { describeSlices } from "../../jobs/describe-slices.ts";
import { EXIT_OK } from "./exit-codes.ts";
import { bytes } from "./results-table.ts";
import { showComparison } from "./section-comparison.ts";
import type { Terminal } from "./terminal.ts";

const CODECS = ["raw", "bf16", "int8-channel", "int8-block"] as const satisfies readonly TensorCodec[];

/** @returns the exit code. */
export async function dryRun(spec: RunSpec, isJson: boolean, terminal: Terminal): Promise<number> {
  const { slices, teacherSlices } = await describeSlices(spec);
  if (spec.kind === "distillation") {
    showComparison({ teacher: teacherSlices, student: slices }, isJson, terminal);
    return EXIT_OK;
  }
  const boundaries = boundariesOf(spec).map((boundary) => {
    const shape = slices[boundary.index]?.outputShape ?? [];
    const batch = [spec.training.batchSize, ...shape];
    const bytesPerStep = Object.fromEntries(
      CODECS.map((codec) => [codec === "raw" ? "f32" : codec, encodedTensorBytes(batch, "f32", codec)]),
    );
    return { index: boundary.index, after: boundary.name, shape, source: boundary.source, bytesPerStep };
  });
  const blocks = slices.map(({ layers, inputShape, outputShape, parameters, macs }, index) => ({
    id: blockActor(index),
    layers,
    inputShape,
    outputShape,
    parameters,
    macs,
  }));
  if (isJson) {
    terminal.write(JSON.stringify({ name: spec.name, kind: spec.kind, blocks, boundaries }, undefined, 2));
    return EXIT_OK;
  }
  const blockTable = new Table({
    head: ["block", "layers", "input", "output", "parameters", "MACs/sample"],
    style: { head: [], border: [] },
  });
  for (const block of blocks) {
    const shapes = [block.inputShape, block.outputShape].map((shape) => `[${shape.join(", ")}]`);
    blockTable.push([block.id, block.layers.join(" "), ...shapes, String(block.parameters), String(block.macs)]);
  }
  const boundaryTable = new Table({
    head: ["boundary", "after", "source", ...CODECS.map((codec) => `bytes/step ${codec === "raw" ? "f32" : codec}`)],
    style: { head: [], border: [] },
  });
  for (const boundary of boundaries) {
    boundaryTable.push([
      String(boundary.index),
      boundary.after,
      boundary.source,
      ...Object.values(boundary.bytesPerStep).map(bytes),
    ]);
  }
  terminal.write(`${spec.name} (${spec.kind}), batch ${spec.training.batchSize}, ${spec.training.epochs} epochs`);
  terminal.write(blockTable.toString());
  if (boundaries.length > 0) terminal.write(boundaryTable.toString());
  return EXIT_OK;
}
