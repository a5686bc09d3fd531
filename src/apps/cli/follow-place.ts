/** Where a continuous run is, by its options: in this process, on nodes that it starts, or on those of a fleet. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Store } from "../../runtime/store/index.ts";
import { describeAddress, isServerAddress } from "../connect/bus-address.ts";
import { JETSTREAM_FOLDER, spawnFleet, type SpawnedFleet } from "../connect/spawned-fleet.ts";
import type { FollowFolder } from "../follow/follow-folder.ts";
import { DEFAULT_MODELS_FOLDER } from "../models/index.ts";
import type { ServingPlace } from "../serve/serving-place.ts";
import { assertOnFleet } from "../serve/start-replicas.ts";
import type { ExecuteDeps, ExecuteOptions } from "./execute-run.ts";
import { parseSpawned } from "./options.ts";

export interface FollowPlaceOptions extends ExecuteOptions {
  /** "here", "fleet", or "spawn:<n>". */
  readonly nodes: string;
  readonly detach: boolean;
  readonly dryRun?: boolean;
  /** Folder of the models; undefined: the fleet's store, or the default folder. */
  readonly models?: string;
}

export interface FollowPlace {
  /** The user's server; undefined: this process alone, or a server of its own. */
  readonly bus: string | undefined;
  /** Folder of the models; undefined: the store of `bus`. */
  readonly models: string | undefined;
  /** Nodes that it starts; undefined: none. */
  readonly spawned: number | undefined;
  /** Of the oracle and of the student. */
  readonly replicas: "here" | "fleet";
}

/** @throws KnowledgeNetError KN_CONFIG for options that do not go together */
export function followPlace({ nodes, detach, dryRun, json, ...options }: FollowPlaceOptions): FollowPlace {
  const bus = isServerAddress(options.bus) ? options.bus : undefined;
  if (bus === undefined && !["memory", "nats:"].includes(options.bus)) {
    throw refusal("--bus must be a URL like nats://127.0.0.1:4222, or a node.yaml", describeAddress(options.bus));
  }
  if (detach) throw refusal("--detach is for other kinds: its learner is in this process", "--detach");
  if (dryRun === true) throw refusal("--dry-run is for other kinds", "--dry-run");
  if (json) throw refusal("--json is for runs that end: kn status NAME --json, kn replay NAME --json", "--json");
  const models = options.models ?? (bus === undefined ? DEFAULT_MODELS_FOLDER : undefined);
  if (nodes === "here") return { bus, models, spawned: undefined, replicas: "here" };
  const spawned = parseSpawned(nodes);
  // On a fleet of the user's other nodes may host replicas too.
  if (spawned === undefined || bus !== undefined) assertOnFleet({ bus, models });
  return { bus, models, spawned, replicas: "fleet" };
}

/** Starts the nodes, and a server where none is given. They end with this process. */
export async function spawnNodes(
  { bus, models, spawned }: FollowPlace,
  { path }: FollowFolder,
  { backend }: FollowPlaceOptions,
  { env, clock }: ExecuteDeps,
): Promise<SpawnedFleet | undefined> {
  if (spawned === undefined) return undefined;
  const folder = join(path, "fleet");
  // Records of a killed process are those of nodes that are gone.
  if (bus === undefined) await rm(join(folder, JETSTREAM_FOLDER), { recursive: true, force: true });
  return await spawnFleet(
    {
      ...{ nodes: spawned, folder, backend, env },
      ...(models === undefined ? {} : { models }),
      ...(bus === undefined ? {} : { address: bus }),
    },
    { clock },
  );
}

/** That of the user's fleet. */
export function storeOf({ fleet }: ServingPlace): Store {
  if (fleet === undefined) throw new RangeError("a place without a fleet has no store");
  return fleet.store;
}

function refusal(rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    ...{ attempt: "run a continuous spec", rule, value },
    remedy: "kn run --help",
  });
}
