/**
 * One process of the fleet: says that it is there and what it can do, watches what is wanted of it, and hosts the actors
 * of each run that are given to it.
 */
import type { BackendPreference } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import { type Clock, endsWithin } from "../runtime/clock/index.ts";
import type { Store } from "../runtime/store/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import type { RecordCache } from "../runtime/cache/index.ts";
import type { RunSpec } from "../run-spec/index.ts";
import type { Fleet } from "./fleet.ts";
import { announceNode, type Presence } from "./presence.ts";
import type { NodeRecord, RunRecordEntry } from "./records.ts";
import { createRunHost, type RunHost } from "./run-host.ts";
import { createSteward, type Steward } from "./steward.ts";

export interface NodeOptions {
  readonly record: NodeRecord;
  readonly backend: BackendPreference;
}

export interface NodeDeps {
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  /** Blobs in this node's folder and in the shared store. */
  readonly store: Store;
  readonly openDataset: (spec: RunSpec) => Promise<Dataset>;
  /** Where teacher sections keep what they have said; undefined: nowhere. */
  readonly openCache: (spec: RunSpec) => RecordCache | undefined;
  /** Told what changes here, for whoever looks. */
  readonly onChange?: (line: string) => void;
}

export interface FleetNode {
  /** Runs that it takes part in. */
  readonly runs: readonly RunHost[];
  /** Why it is of no use to runs that go on: they speak another version of the messages. */
  readonly obstacles: readonly string[];
  /** Resolves when it has ended: with KN_FENCED when another node has its name. Never rejects. */
  readonly ended: Promise<void | Error>;
  /** Rejects with KN_CONFIG when a node of that name is there. */
  start(): Promise<void>;
  /** Ends its actors, gives their leases back, leaves. */
  stop(): Promise<void>;
}

/** Pause before a watch that ended is begun anew, ms. */
const REWATCH_MS = 1_000;
/** How long the goodbye to the fleet may take, ms: its record expires anyway, and what counts has been saved before. */
const GOODBYE_MS = 5_000;

export function createNode({ record, backend }: NodeOptions, deps: NodeDeps): FleetNode {
  const { name, instance, softwareVersion, wireVersion } = record;
  const { fleet, bus, clock, log, onChange } = deps;
  const stopping = new AbortController();
  const hosted = new Map<string, { readonly host: RunHost; readonly steward: Steward }>();
  /** Of runs that go on in another version of the messages. */
  const obstacles = new Map<string, string>();
  let presence: Presence | undefined;
  let forgetReconnect: () => void = () => undefined;
  let rewatch = new AbortController();
  let watching: Promise<void> = Promise.resolve();
  let finish: (outcome: void | Error) => void = () => undefined;
  const ended = new Promise<void | Error>((resolve) => {
    finish = resolve;
  });

  const isOurs = ({ actors, desired }: RunRecordEntry): boolean =>
    desired !== "ended" && Object.values(actors).includes(name);

  const drop = async (run: string): Promise<void> => {
    const found = hosted.get(run);
    if (found === undefined) return;
    hosted.delete(run);
    await found.steward.stop();
    await found.host.stop();
    onChange?.(`run ${run}: done here`);
  };

  /** A run in another version of the messages is left alone: hosting it would spoil it, since what is read wrongly does not fail. */
  const leaveAlone = (run: string, itsVersion: number): void => {
    if (obstacles.has(run)) return;
    const reason = `run ${run} speaks version ${itsVersion} of the messages, this node ${wireVersion}: stop the run, bring all nodes to one version, resume it`;
    obstacles.set(run, reason);
    log.error({ run, wireVersion: itsVersion }, reason);
    onChange?.(reason);
  };

  const apply = async (wanted: RunRecordEntry): Promise<void> => {
    const { run } = wanted;
    if (wanted.wireVersion !== wireVersion && wanted.desired !== "ended") {
      leaveAlone(run, wanted.wireVersion);
      return;
    }
    obstacles.delete(run);
    const known = hosted.get(run);
    if (known !== undefined) {
      void known.host.follow(wanted);
      if (!isOurs(wanted)) await drop(run);
      return;
    }
    if (!isOurs(wanted)) return;
    const options = { node: name, instance, softwareVersion };
    const host = createRunHost(wanted, { ...options, backend }, deps);
    const steward = createSteward(options, { fleet, bus, clock, log, host });
    hosted.set(run, { host, steward });
    const mine = Object.entries(wanted.actors)
      .filter(([, at]) => at === name)
      .map(([actor]) => actor);
    onChange?.(`run ${run}: ${mine.join(", ")}`);
    void host.follow(wanted);
  };

  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const round = new AbortController();
      rewatch = round;
      try {
        const changes = fleet.runs.kv.watch(">", { signal: AbortSignal.any([round.signal, stopping.signal]) });
        for await (const change of changes) {
          if (change.kind === "delete") {
            obstacles.delete(change.key);
            await drop(change.key);
            continue;
          }
          const wanted = fleet.runs.parse(change.entry);
          if (wanted === undefined) log.warn({ key: change.entry.key }, "a run's record does not parse; left alone");
          else await apply(wanted);
        }
      } catch (error) {
        log.warn({ err: error }, "watch ended; beginning anew");
      }
      if (round.signal.aborted) continue;
      await clock.sleep(REWATCH_MS, stopping.signal).catch(() => undefined);
    }
  };

  /** After the server was away: it may have lost its store, so what we know goes back in, and the watch begins anew. */
  const onReconnected = async (): Promise<void> => {
    try {
      await fleet.reopen();
      for (const { host } of hosted.values()) {
        await host.openCheckpoints();
        if ((await fleet.runs.get(host.run)) === undefined) await fleet.runs.put(host.run, host.record);
      }
    } catch (error) {
      log.warn({ err: error }, "fleet records not looked after; the next reconnection will");
    }
    rewatch.abort();
  };

  const stop = async (outcome?: void | Error): Promise<void> => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    forgetReconnect();
    await watching;
    await Promise.all([...hosted.keys()].map(drop));
    if (presence !== undefined && !(await endsWithin(GOODBYE_MS, presence.leave(), clock)))
      log.warn({ node: name }, "left without a goodbye: the server does not answer");
    finish(outcome);
  };

  return {
    get runs() {
      return [...hosted.values()].map(({ host }) => host);
    },
    get obstacles() {
      return [...obstacles.values()];
    },
    ended,
    async start() {
      const stats = (): Record<string, unknown> => ({
        runs: Object.fromEntries(
          [...hosted].map(([run, { host }]) => [run, host.actors.map(({ id, state }) => `${id} ${state}`)]),
        ),
      });
      presence = await announceNode(record, { fleet, bus, clock, log, stats }, stopping.signal);
      void presence.ended.then((error) => {
        if (error instanceof Error) void stop(error);
      });
      forgetReconnect = bus.on("reconnected", () => {
        void onReconnected();
      });
      watching = watch();
    },
    stop: () => stop(),
  };
}
