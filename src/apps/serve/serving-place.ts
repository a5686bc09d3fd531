/** Where a model comes from and where its actors meet: a folder of this machine and a bus in memory, or a fleet. */
import type { ModelStore } from "../../models/index.ts";
import { modelsInStore } from "../../models/index.ts";
import { type Bus, memoryBus } from "../../runtime/bus/index.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { reachFleet, type ReachFleetDeps } from "../connect/reach-fleet.ts";
import { folderModels } from "../models/index.ts";

export interface ServingPlaceOptions {
  /** Address of a fleet; undefined: this process alone. */
  readonly bus: string | undefined;
  /** Folder of the models; undefined: the store of the fleet. */
  readonly models: string | undefined;
  /** Name of the connection. */
  readonly name: string;
  /** Ends the wait for the fleet's server. */
  readonly signal: AbortSignal;
}

export interface ServingPlace extends AsyncDisposable {
  readonly bus: Bus;
  readonly models: ModelStore;
  /** Undefined: this process alone. */
  readonly fleet?: Fleet;
  /** Other processes reach the bus. */
  readonly isShared: boolean;
}

/** Waits for the fleet's server. Resolves with undefined when `signal` comes first; rejects as `connectFleet` otherwise. */
export async function openServingPlace(
  { bus: address, models: folder, name, signal }: ServingPlaceOptions,
  deps: ReachFleetDeps,
): Promise<ServingPlace | undefined> {
  const { clock, log } = deps;
  const inFolder = folder === undefined ? undefined : folderModels({ directory: folder }, { clock });
  if (address === undefined) {
    if (inFolder === undefined) throw new RangeError("a place without a fleet needs a folder of models");
    const bus = memoryBus({
      onHandlerError(error, subject) {
        log.error({ err: error, subject }, "handler failed");
      },
    });
    return {
      bus,
      models: inFolder,
      isShared: false,
      async [Symbol.asyncDispose]() {
        await bus.close();
        await inFolder[Symbol.asyncDispose]();
      },
    };
  }
  const connected = await reachFleet({ address, name, signal, isPatient: true }, deps);
  if (connected === undefined) {
    await inFolder?.[Symbol.asyncDispose]();
    return undefined;
  }
  const models = inFolder ?? modelsInStore(connected.fleet.store);
  return {
    bus: connected.bus,
    fleet: connected.fleet,
    models,
    isShared: true,
    async [Symbol.asyncDispose]() {
      await models[Symbol.asyncDispose]();
      await connected[Symbol.asyncDispose]();
    },
  };
}
