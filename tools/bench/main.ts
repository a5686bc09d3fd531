/**
 * `npm run bench`: a table on stdout and JSON beside it. Nothing here is asserted: machines differ, ratios are of one
 * run.
 */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { Command, Option } from "commander";
import { isKnowledgeNetError } from "../../src/errors/index.ts";
import { parseTrainingSpec } from "../../src/run-spec/index.ts";
import { describeSlices } from "../../src/jobs/describe-slices.ts";
import { bytesText } from "../../src/jobs/text.ts";
import { startLocalNatsServer } from "../../src/runtime/nats/local-nats-server.ts";
import { locateTool, PACKAGE_ROOT } from "../../setup/index.ts";
import { openDataset } from "../../src/apps/open-dataset.ts";
import { writeJson } from "../../src/jobs/run-folder.ts";
import { type BusRate, measureBusRates } from "./bus-rates.ts";
import { measureCacheTimes } from "./cache-times.ts";
import { measureCodecAccuracy } from "./codec-accuracy.ts";
import { measureCodecs } from "./codec-times.ts";
import { measureFleetRates } from "./fleet-rates.ts";
import { measureAllBits } from "./inference-bits.ts";
import { INFERENCE_NETS } from "./inference-nets.ts";
import { type InferenceTimes, measureInferenceTimes } from "./inference-times.ts";
import { measureRecovery } from "./recovery.ts";
import { measureSectionRates } from "./section-rates.ts";
import { openKnServe } from "./serving/kn-serve-scene.ts";
import { type OpenServingScene, SERVED_NETWORKS, type ServedNetwork } from "./serving/serving-scene.ts";
import { benchServing, FULL_SIZES, QUICK_SIZES, SCENARIOS, type ScenarioName } from "./serving/bench-serving.ts";
import { soak } from "./soak.ts";
import { measureStepTimes, type StepTimes } from "./step-times.ts";

const example = (name: string): string => join(PACKAGE_ROOT, "examples", `${name}.yaml`);
const SPEC = example("mnist-synthetic");
const MEASURED_STEPS = { native: 40, wasm: 15 } as const;
/** The server's default limit of one message: the largest payload needs chunks. */
const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024;

/** Sections of the benchmark, in the order of cost. */
const SECTIONS = [
  "steps",
  "codecs",
  "infer",
  "bits",
  "bus",
  "recovery",
  "cache",
  "sections",
  "fleet",
  "accuracy",
  "soak",
] as const;
type Section = (typeof SECTIONS)[number];
const SCENARIO_NAMES = Object.keys(SCENARIOS) as ScenarioName[];

const now = (): number => performance.now();

/** @param only sections to measure; results of the others stay in the folder as they are. */
export async function bench(folder: string, only: readonly Section[], write: (line: string) => void): Promise<void> {
  const text = await readFile(SPEC, "utf8");
  const measure: Record<Section, () => Promise<unknown>> = {
    steps: () => measureSteps(text, write),
    codecs: () => measureCodecTimes(text, write),
    infer: () => inferenceTimes(write),
    bits: () => measureAllBits(write),
    bus: () => busRates(write),
    recovery: () => measureRecovery({ spec: text, set: ["training.epochs=3"], kills: 10, write }),
    cache: () => measureCacheTimes({ teacher: example("mnist-teacher"), spec: example("mnist-sections"), write }),
    sections: async () =>
      measureSectionRates({
        teacher: await readFile(example("mnist-teacher"), "utf8"),
        spec: await readFile(example("mnist-sections"), "utf8"),
        write,
      }),
    fleet: () =>
      measureFleetRates({ spec: text, set: ["flow.window=32", "gradients.retain=64"], delaysMs: [0, 50, 200], write }),
    accuracy: () => measureCodecAccuracy(text, write),
    soak: () => soak({ spec: text, steps: 20_000, write }),
  };
  await mkdir(folder, { recursive: true });
  for (const section of only) {
    write(`\n${section}`);
    const result = await measure[section]();
    const path = join(folder, `${section}.json`);
    await writeJson(path, { machine: describeMachine(), measuredAt: new Date().toISOString(), result });
    write(`written to ${path}`);
  }
}

function describeMachine() {
  return { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryBytes: totalmem(), node: process.version };
}

async function measureSteps(text: string, write: (line: string) => void): Promise<StepTimes[]> {
  const spec = parseTrainingSpec(text, { file: SPEC });
  const { slices } = await describeSlices(spec);
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
  return steps;
}

async function measureCodecTimes(text: string, write: (line: string) => void): Promise<unknown> {
  const spec = parseTrainingSpec(text, { file: SPEC });
  const { slices } = await describeSlices(spec);
  const shapes = slices.slice(0, -1).map(({ outputShape }) => [spec.training.batchSize, ...outputShape]);
  const codecs = measureCodecs(shapes, now);
  const table = plainTable(["boundary", "codec", "bytes", "encode ms", "decode ms"]);
  for (const { codec, shape, bytes: size, encodeMs, decodeMs } of codecs) {
    table.push([`[${shape.join(", ")}]`, codec, bytesText(size), encodeMs.toFixed(2), decodeMs.toFixed(2)]);
  }
  write(table.toString());
  const perStepMs = codecs
    .filter(({ codec }) => codec === "int8-channel" || codec === "bf16") // activations and gradients of the example
    .reduce((sum, { encodeMs, decodeMs, codec }) => sum + encodeMs + (codec === "bf16" ? 2 : 1) * decodeMs, 0);
  write(`encoding and decoding of a step: ${perStepMs.toFixed(1)} ms`);
  return { codecs, perStepMs };
}

async function inferenceTimes(write: (line: string) => void): Promise<InferenceTimes[]> {
  const times: InferenceTimes[] = [];
  for (const backend of ["native", "wasm"] as const) {
    for (const net of INFERENCE_NETS) {
      try {
        times.push(await measureInferenceTimes(net, backend, now));
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
        write(`${backend} left out: ${error.message}`);
      }
    }
  }
  const sizes = times[0]?.sizes.map(({ rows }) => `n = ${rows}`) ?? [];
  const table = plainTable(["ms, least (median)", ...sizes, "a + b n", "switch", "load: longest, all, end, first"]);
  for (const { net, backend, threads, sizes: measured, fit, switchMs, load } of times) {
    table.push([
      `${net} ${backend} ${threads}`,
      ...measured.map(({ ms, leastMs }) => `${leastMs.toFixed(2)} (${ms.toFixed(2)})`),
      `${fit.aMs.toFixed(2)} + ${fit.bMs.toFixed(2)} n`,
      switchMs.toFixed(2),
      [load.longestMs, load.allMs, load.completeMs, load.firstMs].map((ms) => ms.toFixed(1)).join(", "),
    ]);
  }
  write(table.toString());
  return times;
}

async function busRates(write: (line: string) => void): Promise<BusRate[]> {
  const binary = locateTool("nats-server", process.env);
  if (binary === undefined) {
    write("bus left out: no nats-server; npm run setup");
    return [];
  }
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-bench-"));
  try {
    await using server = await startLocalNatsServer({ binary, maxPayloadBytes: DEFAULT_MAX_PAYLOAD_BYTES });
    const rates = await measureBusRates(server.url, now);
    const table = plainTable(["payload", "chunks", "NatsBus tensors/s", "bare client tensors/s", "ratio"]);
    for (const rate of rates) {
      table.push([
        bytesText(rate.payloadBytes),
        String(rate.chunks),
        rate.busPerSecond.toFixed(0),
        rate.barePerSecond.toFixed(0),
        rate.ratio.toFixed(2),
      ]);
    }
    write(table.toString());
    return rates;
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

await main(process.argv.slice(2));

interface ServingBenchOptions {
  readonly only: string;
  readonly quick: boolean;
  readonly network: ServedNetwork;
}

/** `npm run bench -- [FOLDER] [--only steps,bus]`, `npm run bench -- serving [FOLDER] [--only swaps,overload] [--quick]` */
async function main(argv: readonly string[]): Promise<void> {
  const write = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const program = new Command("bench")
    .enablePositionalOptions() // `--only` after `serving` is that of the subcommand
    .argument("[folder]", "where the figures are written", "runs/bench")
    .option("--only <sections>", `of ${SECTIONS.join(",")}`, SECTIONS.join(","))
    .action(async (folder: string, { only }: { only: string }) => {
      await bench(folder, chosen(program, only, SECTIONS), write);
    });
  program
    .command("serving")
    .description("a served model under load")
    .argument("[folder]", "where the figures are written", "runs/bench/serving")
    .option("--only <scenarios>", `of ${SCENARIO_NAMES.join(",")}`, SCENARIO_NAMES.join(","))
    .addOption(new Option("--network <example>", "what is served").choices(SERVED_NETWORKS).default(SERVED_NETWORKS[0]))
    .option("--quick", "a moment of each, to see that it works", false)
    .action(async (folder: string, { only, quick, network }: ServingBenchOptions) => {
      const sizes = quick ? QUICK_SIZES : FULL_SIZES;
      const open: OpenServingScene = (options) => openKnServe({ ...options, network });
      await benchServing(open, { folder, only: chosen(program, only, SCENARIO_NAMES), sizes, write });
    });
  await program.parseAsync([...argv], { from: "user" });
}

function chosen<Name extends string>(program: Command, only: string, names: readonly Name[]): Name[] {
  const wanted = only.split(",");
  const unknown = wanted.filter((name) => !(names as readonly string[]).includes(name));
  if (unknown.length > 0) program.error(`there is no section ${unknown.join(", ")}; there are ${names.join(", ")}`);
  return wanted as Name[];
}
