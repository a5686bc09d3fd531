/** `kn unpublish MODEL`: removes a model with all its releases. */
import type { Command } from "commander";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { authorOf, type ModelPlaceOptions, placeWords, withModel, withModelPlace } from "../model-options.ts";

interface UnpublishOptions extends ModelPlaceOptions {
  readonly yes: boolean;
  readonly force: boolean;
  readonly reason: string;
  readonly json: boolean;
}

export function registerUnpublish(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withModelPlace(
    program
      .command("unpublish")
      .argument("<model>", "name of a model")
      .description("remove a model with all its releases; its history stays"),
  )
    .option("--yes", "confirm: nothing brings the releases back", false)
    .option("--force", "also while one is live or pinned: what serves the model refuses its requests then", false)
    .option("--reason <text>", "why, for the history", "")
    .option("--json", "print one JSON document", false)
    .action(async (name: string, options: UnpublishOptions) => {
      const { yes, force: isForced, reason, json } = options;
      const removed = await withModel(name, { ...options, trust: [] }, "kn unpublish", deps, async (model) => {
        if (!yes) throw unconfirmed(name, (await model.releases()).length, options);
        return model.remove({ by: authorOf("kn unpublish", deps), reason }, { isForced });
      });
      const numbers = removed.toSorted((a, b) => a - b);
      deps.terminal.write(
        json
          ? JSON.stringify({ model: name, removed: numbers }, undefined, 2)
          : `${name} is removed: ${numbers.length === 1 ? "release" : "releases"} ${numbers.join(", ")}`,
      );
      exit(EXIT_OK);
    });
}

function unconfirmed(model: string, releases: number, options: UnpublishOptions): KnowledgeNetError {
  const force = options.force ? " --force" : "";
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `remove ${model}`,
    rule: "it must be confirmed with --yes",
    value: `it has ${releases} ${releases === 1 ? "release" : "releases"}`,
    remedy: `kn unpublish ${model} --yes${force}${placeWords(options)}`,
  });
}
