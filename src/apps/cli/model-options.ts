/** Options of the commands that work on models: where the models are, and which keys their releases must have. */
import { access } from "node:fs/promises";
import { hostname } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  type ChangeNote,
  type Model,
  type ModelStore,
  modelsInStore,
  openModel,
  type Signer,
} from "../../models/index.ts";
import { silentLogger } from "../../runtime/telemetry/index.ts";
import { DEFAULT_MODELS_FOLDER, folderModels, TRUSTED_KEYS_VARIABLE, trustedKeys } from "../models/index.ts";
import { optionalFleetAddress, optionalFleetBus } from "./bus-options.ts";
import type { ExecuteDeps } from "./execute-run.ts";

export interface ModelPlaceOptions {
  readonly bus?: string | true;
  readonly models?: string;
}

export interface ModelOptions extends ModelPlaceOptions {
  readonly trust: readonly string[];
}

/** `--models` and `--bus`. */
export function withModelPlace(command: Command): Command {
  return command
    .addOption(new Option("--models <folder>", `folder of the models (default: ${DEFAULT_MODELS_FOLDER})`))
    .addOption(optionalFleetBus("the models of a fleet instead"));
}

/** `--trust`, of commands that read releases. */
export function withTrust(command: Command): Command {
  return command.addOption(
    new Option("--trust <file>", "public key that a release must be signed by; may be repeated")
      .argParser((value: string, before: readonly string[]) => [...before, value])
      .default([], `those of ${TRUSTED_KEYS_VARIABLE}`),
  );
}

/** The models that the options name. `--models` goes before `--bus`. */
export async function withModels<T>(
  { bus, models }: ModelPlaceOptions,
  name: string,
  deps: ExecuteDeps,
  work: (models: ModelStore) => Promise<T>,
): Promise<T> {
  const address = models === undefined ? optionalFleetAddress(bus, deps) : undefined;
  if (address === undefined) {
    await using store = folderModels({ directory: models ?? DEFAULT_MODELS_FOLDER }, deps);
    return await work(store);
  }
  await using connected = await deps.connectFleet({ address, name }, { log: silentLogger });
  await using store = modelsInStore(connected.fleet.store);
  return await work(store);
}

/** False for a folder that is not there: a command that only reads does not make it. */
export async function hasModels({ bus, models }: ModelPlaceOptions): Promise<boolean> {
  if (models === undefined && bus !== undefined) return true;
  return access(models ?? DEFAULT_MODELS_FOLDER).then(
    () => true,
    () => false,
  );
}

/** The model that the options name. Rejects with KN_CONFIG when there is no folder of models. */
export async function withModel<T>(
  model: string,
  options: ModelOptions,
  command: string,
  deps: ExecuteDeps,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  if (!(await hasModels(options))) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `find the model ${model}`,
      rule: "there must be a folder of models",
      value: `no ${options.models ?? DEFAULT_MODELS_FOLDER}`,
      remedy: `publish one: kn publish RUN --model ${model}; or name its place: --models, --bus`,
    });
  }
  const trusted = await trustedKeys(options.trust, deps.env);
  return withModels(options, command, deps, (models) => work(openModel(models, model, { clock: deps.clock, trusted })));
}

/** Opens a model that is published to. */
export function modelToPublish(models: ModelStore, name: string, signer: Signer | undefined, deps: ExecuteDeps): Model {
  return openModel(models, name, { clock: deps.clock, ...(signer === undefined ? {} : { signer }) });
}

/** Rejects with KN_CONFIG when the model has no release. */
export async function assertKnown(model: Model): Promise<void> {
  // Its error lists the models that there are.
  if ((await model.releases()).length === 0) await model.release(1);
}

/** Where the options lead, for a command that a line tells the user to type. */
export function placeWords({ bus, models }: ModelPlaceOptions): string {
  if (models !== undefined) return ` --models ${models}`;
  if (bus === undefined) return "";
  return bus === true ? " --bus" : ` --bus ${bus}`;
}

/** "kn promote, alice@edge-1". */
export function authorOf(command: string, { env }: ExecuteDeps): ChangeNote["by"] {
  const user = env.USER ?? env.LOGNAME;
  return user === undefined ? `${command} on ${hostname()}` : `${command}, ${user}@${hostname()}`;
}

/** @throws InvalidArgumentError, which commander shows with the argument's name */
export function parseRelease(text: string): number {
  const release = Number(text);
  if (/^[1-9]\d*$/.test(text) && Number.isSafeInteger(release)) return release;
  throw new InvalidArgumentError("it must be the number of a release, for example 3");
}

/** @throws InvalidArgumentError */
export function parsePercent(text: string): number {
  const percent = Number(text);
  if (text.trim() !== "" && percent > 0 && percent <= 100) return percent;
  throw new InvalidArgumentError("it must be a percentage above 0 and at most 100, for example 5");
}

/** Of what follows a learner. */
export function shadowOption(description: string): Option {
  return new Option("--shadow <percent>", description).argParser(parsePercent);
}

/** @throws InvalidArgumentError */
export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError("it must be a whole number of at least 1");
}
