/** The updater of a serving process: it follows a learner whose shelf is in the fleet's store, or in one beyond a link. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { createUpdater } from "../../jobs/updates/create-updater.ts";
import type { Model, ModelStore, Signer, TrustedKey } from "../../models/index.ts";
import { createSupervisor } from "../../runtime/actor/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import { type Clock, settlesWithin } from "../../runtime/clock/index.ts";
import { connectJetStreamStore, type Store } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { type BusAccess, describeAddress, isServerAddress, readBusAddress } from "../connect/bus-address.ts";
import { ownIndex } from "./run-replica.ts";

/** A server that does not answer keeps the process from its end for so long at most, ms. */
const CLOSE_MS = 2_000;

/** Where a learner puts its updates. */
export interface FollowedStore extends AsyncDisposable {
  readonly description: string;
  /** Rejects while it is away. */
  open(): Promise<Store>;
}

/** A store that is open already, or one whose server is connected to at its first use. Rejects with KN_CONFIG. */
export async function followedStore(
  address: string | undefined,
  { fleet, name }: { readonly fleet: { readonly store: Store } | undefined; readonly name: string },
  clock: Clock,
): Promise<FollowedStore> {
  if (address === undefined) {
    if (fleet === undefined) throw noStore("none");
    const { store } = fleet;
    return {
      description: store.description,
      open: () => Promise.resolve(store),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  if (!isServerAddress(address)) throw noStore(describeAddress(address));
  return storeAt(await readBusAddress(address), describeAddress(address), name, clock);
}

function storeAt(access: BusAccess, description: string, name: string, clock: Clock): FollowedStore {
  const ending = new AbortController();
  let connecting: Promise<Store> | undefined;
  return {
    description,
    open() {
      connecting ??= connectJetStreamStore({ ...access, name, signal: ending.signal }).catch((error: unknown) => {
        connecting = undefined;
        throw error;
      });
      return connecting;
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      const store = await connecting?.catch(() => undefined);
      if (store !== undefined) await settlesWithin(CLOSE_MS, store.close(), clock);
    },
  };
}

export interface StartUpdaterOptions {
  readonly run: string;
  readonly softwareVersion: string;
  /** Other processes reach the bus: its name must differ from theirs. */
  readonly isShared: boolean;
  /** Keys of which an update must have one; empty: any update is accepted that is intact. */
  readonly trusted: readonly TrustedKey[];
  /** As of the updater. */
  readonly shadowPercent?: number | undefined;
}

export interface StartUpdaterDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly model: Model;
  readonly models: ModelStore;
  readonly from: FollowedStore;
  readonly random: () => number;
}

export interface RunningUpdater extends AsyncDisposable {
  readonly id: string;
  readonly state: string;
  /** With the error that its supervisor gave up at, or with nothing. Never rejects. */
  readonly ended: Promise<void | Error>;
}

/** Resolves when it follows. */
export async function startUpdater(
  { run, softwareVersion, isShared, trusted, shadowPercent }: StartUpdaterOptions,
  { from, ...deps }: StartUpdaterDeps,
): Promise<RunningUpdater> {
  const { model } = deps;
  const index = isShared ? ownIndex() : 0;
  const supervisor = createSupervisor(
    { isPatient: true },
    {
      ...deps,
      factory: () =>
        createUpdater(
          {
            ...{ run, index, fence: 0, softwareVersion, metadata: { model: model.name } },
            ...{ source: from.description, updates: { trusted } },
            ...(shadowPercent === undefined ? {} : { shadowPercent }),
          },
          { ...deps, openStore: from.open },
        ),
    },
  );
  await supervisor.start();
  return {
    get id() {
      return supervisor.actor.id;
    },
    get state() {
      return supervisor.actor.state;
    },
    ended: supervisor.ended,
    [Symbol.asyncDispose]: () => supervisor.stop(),
  };
}

/** @throws KnowledgeNetError KN_CONFIG when what it publishes could not be served here */
export function assertSiteKey(signer: Signer | undefined, trusted: readonly TrustedKey[]): void {
  if (trusted.length === 0 || trusted.some(({ keyId }) => keyId === signer?.keyId)) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "follow updates where keys are trusted",
    rule: "the site must have a key of its own that is trusted too: it signs the releases that updates make",
    value: signer === undefined ? "no --key" : `key ${signer.keyId}, which is not trusted`,
    remedy: "`kn keys new site`, then --key site --trust learner.pub site.pub",
  });
}

function noStore(value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: "follow updates",
    rule: "the store that the learner puts them in must be named: a fleet's by --bus, another one by --follow ADDRESS",
    value,
    remedy: "for example --follow 'nats://127.0.0.1:4222?domain=hub'",
  });
}
