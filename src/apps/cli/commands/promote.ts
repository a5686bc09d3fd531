/** `kn promote`, `kn rollback` and `kn pin`: which release of a model is live, and which ones stay. */
import { type Command, Option } from "commander";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { Candidate, LiveRecord, Model } from "../../../models/index.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import {
  assertKnown,
  authorOf,
  type ModelOptions,
  type ModelPlaceOptions,
  parsePercent,
  parseRelease,
  placeWords,
  withModel,
  withModelPlace,
  withTrust,
} from "../model-options.ts";

interface ChangeOptions extends ModelOptions {
  readonly reason: string;
  readonly json: boolean;
}

interface PromoteOptions extends ChangeOptions {
  readonly shadow?: number;
  readonly canary?: number;
}

interface RollbackOptions extends ChangeOptions {
  readonly candidate: boolean;
}

const REASON = ["--reason <text>", "why, for the history", ""] as const;
const JSON_OPTION = ["--json", "print what is live then as one JSON document", false] as const;

export function registerPromote(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withTrust(
    withModelPlace(
      program
        .command("promote")
        .argument("<model>", "name of a model")
        .argument("[release]", "number of a release (default: the newest)", parseRelease)
        .description("make a release live, once all of it is verified; servers change over to it"),
    ),
  )
    .addOption(
      new Option("--shadow <percent>", "let it answer a copy of this share of the requests; answers are compared")
        .argParser(parsePercent)
        .conflicts("canary"),
    )
    .addOption(new Option("--canary <percent>", "let it answer this share of the requests").argParser(parsePercent))
    .option(...REASON)
    .option(...JSON_OPTION)
    .action(async (name: string, given: number | undefined, options: PromoteOptions) => {
      await withModel(name, options, "kn promote", deps, async (model) => {
        const release = given ?? (await newestOf(model));
        const note = { by: authorOf("kn promote", deps), reason: options.reason };
        const candidate = candidateOf(release, options);
        const before = await model.live();
        const after =
          candidate === undefined ? await model.promote(release, note) : await model.startCandidate(candidate, note);
        report(before, after, name, options, deps);
      });
      exit(EXIT_OK);
    });
}

export function registerRollback(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withTrust(
    withModelPlace(
      program
        .command("rollback")
        .argument("<model>", "name of a model")
        .argument("[release]", "number of a release (default: the one that was live before)", parseRelease)
        .description("return to an earlier release"),
    ),
  )
    .option("--candidate", "end the candidate instead; the live release stays", false)
    .option(...REASON)
    .option(...JSON_OPTION)
    .action(async (name: string, release: number | undefined, options: RollbackOptions) => {
      await withModel(name, options, "kn rollback", deps, async (model) => {
        await assertKnown(model);
        const note = { by: authorOf("kn rollback", deps), reason: options.reason };
        const before = await model.live();
        if (options.candidate) assertCandidate(name, before, release);
        const after = options.candidate
          ? await model.endCandidate(note, release)
          : await model.rollback(note, release === undefined ? {} : { to: release });
        report(before, after, name, options, deps);
      });
      exit(EXIT_OK);
    });
}

export function registerPin(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withModelPlace(
    program
      .command("pin")
      .argument("<model>", "name of a model")
      .argument("<release>", "number of a release", parseRelease)
      .description("keep a release whatever its age"),
  )
    .option("--off", "let it be deleted again", false)
    .action(async (name: string, release: number, options: ModelPlaceOptions & { readonly off: boolean }) => {
      await withModel(name, { ...options, trust: [] }, "kn pin", deps, (model) =>
        model.setPinned(release, !options.off),
      );
      deps.terminal.write(`release ${release} of ${name} is ${options.off ? "not pinned" : "pinned"}`);
      exit(EXIT_OK);
    });
}

async function newestOf(model: Model): Promise<number> {
  await assertKnown(model);
  const [newest] = await model.releases();
  return newest?.release ?? 1;
}

function candidateOf(release: number, { shadow, canary }: PromoteOptions): Candidate | undefined {
  if (shadow !== undefined) return { release, mode: "shadow", percent: shadow };
  return canary === undefined ? undefined : { release, mode: "canary", percent: canary };
}

function assertCandidate(model: string, { candidate }: LiveRecord, release: number | undefined): void {
  if (candidate !== undefined && (release ?? candidate.release) === candidate.release) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `end the candidate of ${model}`,
    rule: release === undefined ? "the model must have one" : `release ${release} must be the candidate`,
    value: candidate === undefined ? "none" : `release ${candidate.release}`,
    remedy: `kn live ${model}`,
  });
}

function report(
  before: LiveRecord,
  after: LiveRecord,
  model: string,
  options: ChangeOptions,
  { terminal }: ExecuteDeps,
): void {
  const { change, live, previous, candidate, last } = after;
  if (options.json) {
    const isChanged = change !== before.change;
    const document = { model, isChanged, change, live: live ?? null, previous: previous ?? null };
    terminal.write(JSON.stringify({ ...document, candidate: candidate ?? null }, undefined, 2));
    return;
  }
  const place = placeWords(options);
  if (change === before.change) {
    terminal.write(`nothing to change: release ${live} of ${model} is live`);
  } else if (last?.kind === "candidate-started" && candidate !== undefined) {
    const { release, mode, percent } = candidate;
    const share = mode === "shadow" ? `a copy of ${percent} % of the requests` : `${percent} % of the requests`;
    terminal.write(`release ${release} of ${model} answers ${share}; release ${live} is live`);
    terminal.write(
      `make it live: kn promote ${model} ${release}${place}; end it: kn rollback ${model} --candidate${place}`,
    );
  } else if (last?.kind === "candidate-ended") {
    terminal.write(`release ${last.candidate?.release} of ${model} is no candidate any more; release ${live} is live`);
  } else {
    terminal.write(`release ${live} of ${model} is live`);
    if (before.candidate !== undefined && before.candidate.release !== live)
      terminal.write(`release ${before.candidate.release} is no candidate any more`);
    if (previous !== undefined) terminal.write(`return to release ${previous}: kn rollback ${model}${place}`);
  }
}
