/** `kn models` and `kn releases MODEL`: what is published. */
import type { Command } from "commander";
import { listModels, type LiveRecord, openModel } from "../../../models/index.ts";
import { describeAddress } from "../../connect/bus-address.ts";
import { DEFAULT_MODELS_FOLDER } from "../../models/index.ts";
import { optionalFleetAddress } from "../bus-options.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import {
  assertKnown,
  hasModels,
  type ModelOptions,
  type ModelPlaceOptions,
  withModel,
  withModelPlace,
  withModels,
  withTrust,
} from "../model-options.ts";
import { releaseJson, releasesTable, timeText } from "../model-text.ts";
import { drawTable } from "../text-table.ts";

export function registerModels(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  const { terminal, clock } = deps;
  withModelPlace(program.command("models").description("list models, and what is live of each"))
    .option("--json", "print one JSON document", false)
    .action(async (options: ModelPlaceOptions & { readonly json: boolean }) => {
      const rows = !(await hasModels(options))
        ? []
        : await withModels(options, "kn models", deps, async (models) => {
            const listed = await models.read(listModels);
            const lives: LiveRecord[] = [];
            for (const { model } of listed) lives.push(await openModel(models, model, { clock }).live());
            return listed.map((each, index) => ({ ...each, live: lives[index] }));
          });
      if (options.json) {
        const json = rows.map(({ model, releases, live }) => ({
          model,
          releases,
          live: live?.live ?? null,
          sinceMs: live?.live === undefined ? null : live.sinceMs,
          previous: live?.previous ?? null,
          candidate: live?.candidate ?? null,
        }));
        terminal.write(JSON.stringify(json, undefined, 2));
      } else if (rows.length === 0) {
        const address = options.models === undefined ? optionalFleetAddress(options.bus, deps) : undefined;
        const place = address === undefined ? (options.models ?? DEFAULT_MODELS_FOLDER) : describeAddress(address);
        terminal.write(`no models in ${place}; publish one with: kn publish RUN`);
      } else {
        const text = rows.map(({ model, releases, live }) => [
          model,
          String(releases),
          live?.live === undefined ? "-" : String(live.live),
          live?.live === undefined ? "-" : timeText(live.sinceMs),
          live?.candidate === undefined
            ? ""
            : `${live.candidate.release}: ${live.candidate.mode} ${live.candidate.percent} %`,
        ]);
        terminal.write(drawTable({ head: ["model", "releases", "live", "since", "candidate"], rows: text }));
      }
      exit(EXIT_OK);
    });
}

export function registerReleases(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  const { terminal } = deps;
  withTrust(
    withModelPlace(
      program.command("releases").argument("<model>", "name of a model").description("list the releases of a model"),
    ),
  )
    .option("--json", "print one JSON document", false)
    .action(async (name: string, options: ModelOptions & { readonly json: boolean }) => {
      await withModel(name, options, "kn releases", deps, async (model) => {
        await assertKnown(model);
        const [releases, live] = [await model.releases(), await model.live()];
        terminal.write(
          options.json
            ? JSON.stringify(
                releases.map((each) => releaseJson(each, live)),
                undefined,
                2,
              )
            : drawTable(releasesTable(releases, live)),
        );
      });
      exit(EXIT_OK);
    });
}
