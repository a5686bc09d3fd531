/**
 * The runs of this node: for each record that assigns an actor here, its slots and its controller. Level-triggered: the
 * newest record of a run decides, and is reconciled again once the run has left this node.
 */
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { createHostedRun, type HostedRun, type HostedRunDeps, type HostedRunOptions } from "./hosted-run.ts";
import type { RunRecordEntry } from "./records.ts";
import { createRunController, type RunController } from "./run-controller.ts";

export interface RunRegistryOptions extends HostedRunOptions {
  readonly wireVersion: number;
}

export interface RunRegistryDeps extends HostedRunDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Receives a line for each change of what is hosted here. */
  readonly onChange?: (line: string) => void;
}

export interface RunRegistry extends AsyncDisposable {
  readonly runs: readonly HostedRun[];
  /** Controllers, by run. */
  readonly controllers: ReadonlyMap<string, RunController>;
  /** Reasons why this node cannot host some runs: they use another version of the messages. */
  readonly unreadyReasons: readonly string[];
  /** Follows a run's record; undefined: it was deleted. Returns at once. */
  follow(run: string, record: RunRecordEntry | undefined): void;
}

interface Entry {
  readonly hosted: HostedRun;
  readonly controller: RunController;
  leaving?: Promise<void>;
}

export function createRunRegistry(options: RunRegistryOptions, deps: RunRegistryDeps): RunRegistry {
  const { node, wireVersion } = options;
  const { log, onChange } = deps;
  const records = new Map<string, RunRecordEntry>();
  const entries = new Map<string, Entry>();
  const incompatible = new Map<string, string>();
  let isClosing = false;

  const isOurs = ({ actors, desired }: RunRecordEntry): boolean =>
    desired !== "ended" && Object.values(actors).includes(node);

  /** A run with another version of the messages is not hosted: a message decoded by the wrong schema may not fail. */
  const isCompatible = ({ run, wireVersion: itsVersion, desired }: RunRecordEntry): boolean => {
    if (itsVersion === wireVersion || desired === "ended") {
      incompatible.delete(run);
      return true;
    }
    if (!incompatible.has(run)) {
      const reason = `run ${run} uses version ${itsVersion} of the messages, this node ${wireVersion}: stop the run, install one version on all nodes, resume it`;
      incompatible.set(run, reason);
      log.error({ run, wireVersion: itsVersion }, reason);
      onChange?.(reason);
    }
    return false;
  };

  const open = (record: RunRecordEntry): void => {
    const hosted = createHostedRun(record, options, deps);
    const controller = createRunController(record, options, { ...deps, openCheckpoints: hosted.openCheckpoints });
    entries.set(record.run, { hosted, controller });
    hosted.follow(record);
    const mine = Object.entries(record.actors).flatMap(([actor, at]) => (at === node ? [actor] : []));
    onChange?.(`run ${record.run}: ${mine.join(", ")}`);
  };

  const leave = async (run: string, { controller, hosted }: Entry): Promise<void> => {
    try {
      await controller[Symbol.asyncDispose]();
      await hosted[Symbol.asyncDispose]();
    } catch (error) {
      log.error({ run, err: error }, "resources of the run not released");
    }
    entries.delete(run);
    onChange?.(`run ${run}: no more actors here`);
    reconcile(run);
  };

  const reconcile = (run: string): void => {
    const record = records.get(run);
    const entry = entries.get(run);
    const isWanted = !isClosing && record !== undefined && isCompatible(record) && isOurs(record);
    if (entry?.leaving !== undefined) return;
    if (entry === undefined) {
      if (isWanted) open(record);
      return;
    }
    if (record !== undefined) {
      entry.hosted.follow(record);
      entry.controller.follow(record);
    }
    if (!isWanted) entry.leaving = leave(run, entry);
  };

  return {
    get runs() {
      return [...entries.values()].map(({ hosted }) => hosted);
    },
    get controllers() {
      return new Map([...entries].map(([run, { controller }]) => [run, controller]));
    },
    get unreadyReasons() {
      return [...incompatible.values()];
    },
    follow(run, record) {
      if (record === undefined) {
        records.delete(run);
        incompatible.delete(run);
      } else records.set(run, record);
      reconcile(run);
    },
    async [Symbol.asyncDispose]() {
      isClosing = true;
      for (const run of entries.keys()) reconcile(run);
      await Promise.all([...entries.values()].map(async ({ leaving }) => leaving));
    },
  };
}
