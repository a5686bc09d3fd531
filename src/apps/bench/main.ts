/** `npm run bench`: a table on stdout and JSON beside it. Nothing here is asserted: machines differ, ratios are of one run. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { isKnowledgeNetError } from "../../errors/index.ts";
import { parseSpec } from "../../spec/index.ts";
import { describeSlices } from "../run/describe-slices.ts";
import { bytes } from "../cli/results-table.ts";
import { startLocalNatsServer } from "../local-nats-server.ts";
import { locateTool } from "../provision/index.ts";
import { openDataset } from "../run/open-dataset.ts";
import { writeJson } from "../run/run-folder.ts";
import { type BusRate, measureBusRates } from "./bus-rates.ts";
import { measureCodecs } from "./codec-times.ts";
import { measureStepTimes, type StepTimes } from "./step-times.ts";

const SPEC = fileURLToPath(new URL("../../../examples/mnist-synthetic.yaml", import.meta.url));
const MEASURED_STEPS = { native: 40, wasm: 15 } as const;
/** What the server takes in one message when it is not told otherwise: the largest payload has to be cut. */
const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024;

export async function bench(folder: string, write: (line: string) => void): Promise<void> {
  const now = (): number => performance.now();
  const spec = parseSpec(await readFile(SPEC, "utf8"), { file: SPEC });
  const slices = await describeSlices(spec);
  const dataset = await openDataset({ data: spec.data, env: process.env });

  const steps: StepTimes[] = [];
  for (const backend of ["native", "wasm"] as const) {
    try {
      steps.push(await measureStepTimes({ backend, spec, slices, dataset, steps: MEASURED_STEPS[backend] }));
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
      write(`${backend} left out: ${error.message}`);
    }
  }
  write(stepTable(steps));

  const shapes = slices.slice(0, -1).map(({ outputShape }) => [spec.training.batchSize, ...outputShape]);
  const codecs = measureCodecs(shapes, now);
  const native = steps[0];
  const codecTable = plainTable(["boundary", "codec", "bytes", "encode ms", "decode ms"]);
  for (const { codec, shape, bytes: size, encodeMs, decodeMs } of codecs) {
    codecTable.push([`[${shape.join(", ")}]`, codec, bytes(size), encodeMs.toFixed(2), decodeMs.toFixed(2)]);
  }
  write(codecTable.toString());
  const perStepMs = codecs
    .filter(({ codec }) => codec === "int8-channel" || codec === "bf16") // activations and gradients of the example
    .reduce((sum, { encodeMs, decodeMs, codec }) => sum + encodeMs + (codec === "bf16" ? 2 : 1) * decodeMs, 0);
  const codecShare = native === undefined ? null : perStepMs / (perStepMs + native.stepMs);
  write(
    `encoding and decoding of a step: ${perStepMs.toFixed(1)} ms${codecShare === null ? "" : `, ${(100 * codecShare).toFixed(1)} % of a ${native?.backend} step`}`,
  );

  const rates = await busRates(now, write);
  if (rates.length > 0) {
    const table = plainTable(["payload", "chunks", "NatsBus tensors/s", "bare client tensors/s", "ratio"]);
    for (const rate of rates) {
      table.push([
        bytes(rate.payloadBytes),
        String(rate.chunks),
        rate.busPerSecond.toFixed(0),
        rate.barePerSecond.toFixed(0),
        rate.ratio.toFixed(2),
      ]);
    }
    write(table.toString());
  }

  await mkdir(folder, { recursive: true });
  const path = join(folder, "bench.json");
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
  };
  await writeJson(path, { machine, steps, codecs, codecShare, rates });
  write(`written to ${path}`);
}

async function busRates(now: () => number, write: (line: string) => void): Promise<BusRate[]> {
  const binary = locateTool("nats-server", process.env);
  if (binary === undefined) {
    write("bus left out: no nats-server; npm run setup");
    return [];
  }
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-bench-"));
  try {
    await using server = await startLocalNatsServer({ binary, maxPayloadBytes: DEFAULT_MAX_PAYLOAD_BYTES });
    return await measureBusRates(server.url, now);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function stepTable(steps: readonly StepTimes[]): string {
  const table = plainTable([
    "",
    ...steps.flatMap(({ backend }) => [`${backend} forward`, `${backend} train`, `${backend} M learns`]),
  ]);
  steps[0]?.blocks.forEach(({ id }, index) => {
    const cells = steps.flatMap(({ blocks }) => {
      const block = blocks[index];
      return [block?.forwardMs, block?.trainMs, block?.learnMs].map((ms) =>
        ms === undefined || ms === null ? "-" : `${ms.toFixed(1)} ms`,
      );
    });
    table.push([id, ...cells]);
  });
  table.push(["whole step", ...steps.flatMap(({ stepMs }) => ["", `${stepMs.toFixed(1)} ms`, ""])]);
  return table.toString();
}

function plainTable(head: string[]): InstanceType<typeof Table> {
  return new Table({ head, style: { head: [], border: [] } });
}

await bench(process.argv[2] ?? "runs/bench", (line) => {
  process.stdout.write(`${line}\n`);
});
