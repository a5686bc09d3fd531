/** `kn publish RUN`: makes a release of a model from a checkpoint of a run. */
import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { z } from "zod";
import { evaluationsOf } from "../../../fleet/run-status.ts";
import { runRecordOf } from "../../../fleet/launch.ts";
import { releaseOfRun, type ReleaseOfRunOptions } from "../../../jobs/release-of-run.ts";
import { DEFAULT_RUNS_FOLDER, openRunFolder } from "../../../jobs/run-folder.ts";
import { savedRun } from "../../../jobs/saved-run.ts";
import { bytesText, percentText } from "../../../jobs/text.ts";
import { trainedNetwork } from "../../../jobs/trained-network.ts";
import type { Model, ModelRelease, NamedTensors } from "../../../models/index.ts";
import { openCheckpoints, scopeOfRun } from "../../../runtime/artifacts/index.ts";
import { parseJson } from "../../../runtime/store/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { signerIn } from "../../models/index.ts";
import { optionalFleetAddress } from "../bus-options.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import {
  authorOf,
  type ModelPlaceOptions,
  modelToPublish,
  parseCount,
  placeWords,
  withModelPlace,
  withModels,
} from "../model-options.ts";
import { signatureText } from "../model-text.ts";

interface PublishCommandOptions extends ModelPlaceOptions {
  readonly model?: string;
  readonly generation?: number;
  readonly pin: boolean;
  readonly promote: boolean;
  readonly keep: number;
  readonly key?: string;
  readonly runs?: string;
  readonly json: boolean;
}

/** Releases that stay beside those that are live, previous, a candidate or pinned: some weeks of one a day. */
const KEPT_RELEASES = 20;

export function registerPublish(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withModelPlace(
    program
      .command("publish")
      .argument("<run>", "name or path of a run, which may go on; with --bus: of a run of the fleet")
      .description("make a release of a model from a checkpoint of a run (of a distillation run: of the student)"),
  )
    .option("--model <name>", "name of the model (default: that of the spec)")
    .addOption(
      new Option("--generation <step>", "training step of the checkpoint (default: the newest)").argParser(parseCount),
    )
    .option("--pin", "never delete this release", false)
    .option("--promote", "make it live at once, once all of it is verified", false)
    .addOption(
      new Option("--keep <count>", "delete releases beyond the newest ones that nothing needs")
        .argParser(parseCount)
        .default(KEPT_RELEASES),
    )
    .option("--key <file>", "private key to sign it with; `kn keys new` makes one")
    .option("--runs <folder>", `folder of the runs, also with --bus (default: ${DEFAULT_RUNS_FOLDER})`)
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (run: string, options: PublishCommandOptions) => {
      await publishRun(run, options, deps);
      exit(EXIT_OK);
    });
}

export async function publishRun(run: string, given: Partial<PublishCommandOptions>, deps: ExecuteDeps): Promise<void> {
  const options = { pin: false, promote: false, keep: KEPT_RELEASES, json: false, ...given };
  const signer = options.key === undefined ? undefined : await signerIn(options.key);
  const source = await readRun(run, options, deps);
  const { facts, parts } = releaseOfRun(source);
  const name = options.model ?? source.spec.name;
  await withModels(options, "kn publish", deps, async (models) => {
    const model = modelToPublish(models, name, signer, deps);
    const release = await model.publish(facts, parts, { isPinned: options.pin });
    if (options.promote) await model.promote(release.release, { by: authorOf("kn publish", deps), reason: "" });
    await report(release, parts, models.description, model, options, deps);
    // The release is there, whatever becomes of the old ones.
    await model.retain(options.keep);
  });
}

async function report(
  published: ModelRelease,
  parts: readonly NamedTensors[],
  place: string,
  model: Model,
  options: PublishCommandOptions,
  { terminal }: ExecuteDeps,
): Promise<void> {
  const { release, manifest, digests, isPinned, signature } = published;
  const { live } = await model.live();
  if (options.json) {
    const document = { model: model.name, release, place, live: live ?? null, isPinned, signature, digests, manifest };
    terminal.write(JSON.stringify(document, undefined, 2));
    return;
  }
  const { run, generation, phase } = manifest.origin;
  const sizeBytes = parts
    .flatMap((part) => Object.values(part))
    .reduce((sum, { values }) => sum + values.byteLength, 0);
  terminal.write(`release ${release} of ${model.name}: ${run} at step ${generation} (${phase})`);
  terminal.write(
    [
      `${digests.length} ${digests.length === 1 ? "block" : "blocks"}, ${bytesText(sizeBytes)}`,
      `accuracy ${percentText(manifest.evaluation?.accuracy)}`,
      `signature ${signatureText(published)}`,
      ...(isPinned ? ["pinned"] : []),
      `in ${place}`,
    ].join("; "),
  );
  const isLive = live === undefined ? "nothing is live yet" : `release ${live} is live`;
  if (live === release) {
    terminal.write(isLive);
    return;
  }
  terminal.write(`${isLive}; make this one live: kn promote ${model.name} ${release}${placeWords(options)}`);
}

type Source = ReleaseOfRunOptions;

/** A run of the fleet with --bus, unless --runs names a folder. */
async function readRun(run: string, options: PublishCommandOptions, deps: ExecuteDeps): Promise<Source> {
  const { terminal, clock, softwareVersion } = deps;
  const { generation } = options;
  const note = terminal.note;
  const address = options.runs === undefined ? optionalFleetAddress(options.bus, deps) : undefined;
  const common = { softwareVersion, nowMs: clock.wallTimeMs() };
  if (address === undefined) {
    const folder = await openRunFolder(options.runs ?? DEFAULT_RUNS_FOLDER, run);
    const { name, spec } = folder;
    const network = await trainedNetwork(savedRun(folder, { clock }), { run: name, spec, generation, note });
    return { ...common, run: name, spec, network, evaluations: await evaluationsIn(folder.resultsPath) };
  }
  await using connected = await deps.connectFleet({ address, name: "kn publish" }, { log: silentLogger });
  const { fleet } = connected;
  const { spec } = await runRecordOf(run, fleet);
  const checkpoints = await openCheckpoints(fleet.store, scopeOfRun(run));
  const network = await trainedNetwork(checkpoints, { run, spec, generation, note });
  const status = (await fleet.status.get(run))?.value;
  return { ...common, run, spec, network, evaluations: status === undefined ? [] : evaluationsOf(status) };
}

const evaluation = z.object({ step: z.number(), accuracy: z.number() });
const resultsSchema = z.object({
  evaluations: z.array(evaluation).optional(),
  phases: z.array(z.object({ evaluations: z.array(evaluation) })).optional(),
});

/** Of results.json; none where there is no such file yet. */
async function evaluationsIn(path: string): Promise<Source["evaluations"]> {
  const bytes = await readFile(path).catch(() => undefined);
  const parsed = bytes === undefined ? undefined : resultsSchema.safeParse(parseJson(bytes)).data;
  return [...(parsed?.evaluations ?? []), ...(parsed?.phases ?? []).flatMap(({ evaluations }) => evaluations)];
}
