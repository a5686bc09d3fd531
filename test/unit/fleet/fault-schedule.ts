/** One random schedule of faults for a world: what happens, when, and for how long. */
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { failAlways, randomFaults } from "../../support/failing-store.ts";
import type { Takedown, World, WorldOptions } from "./fleet-world.ts";

const KINDS = [
  "store error",
  "bus loss",
  "suspension",
  "restart",
  "slow disk",
  "full disk",
  "full server",
  "worker death",
] as const;
type FaultKind = (typeof KINDS)[number];

interface Fault {
  readonly kind: FaultKind;
  readonly node: string;
  /** Simulated times after the launch, ms. */
  readonly atMs: number;
  readonly forMs: number;
}

export interface FaultsUnderWay {
  /** Whether the last one has passed. Throws what made one of them fail. */
  readonly isOver: boolean;
}

const NODES = ["a", "b", "c"] as const;
const MOST_FAULTS = 4;
/** Faults begin within this of the launch, ms. */
const SPREAD_MS = 12_000;
const LONGEST_MS = 20_000;

/** Half of the restarts are orderly, a quarter each follows a crash and the loss of a machine. */
function takedownOf(chance: number): Takedown {
  if (chance < 0.5) return "stop";
  return chance < 0.75 ? "kill" : "cut off";
}

export function createFaultSchedule(draw: () => number) {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(draw() * from.length)] as T;
  const faults = Array.from(
    { length: 1 + Math.floor(draw() * MOST_FAULTS) },
    (): Fault => ({
      kind: pick(KINDS),
      node: pick(NODES),
      atMs: Math.floor(draw() * SPREAD_MS),
      forMs: 500 + Math.floor(draw() * LONGEST_MS),
    }),
  );
  /** Nodes whose next step finds its worker dead. */
  const dying = new Set<string>();
  const options: Pick<WorldOptions, "onStep"> = {
    onStep(node) {
      if (!dying.delete(node)) return;
      throw new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "train", rule: "the compute worker must live" });
    },
  };

  const play = async (world: World, { kind, node: name, atMs, forMs }: Fault): Promise<void> => {
    const { clock } = world;
    await clock.sleep(atMs);
    const node = world.nodes.get(name);
    if (node === undefined) return; // it is restarting
    const { faults: store, link } = node;
    switch (kind) {
      case "store error":
        store.now = randomFaults({ draw, rate: 0.5 * draw(), match: { isChange: draw() < 0.5 } });
        break;
      case "slow disk":
        store.now = failAlways({}, { kind: "slow", delayMs: Math.floor(draw() * 3_000) });
        break;
      case "full disk":
        store.now = failAlways({ kind: "blobs", operation: "put" }, { kind: "refused", code: "KN_CHECKPOINT" });
        break;
      case "full server": {
        const all = [...world.nodes.values()];
        for (const each of all)
          each.faults.now = failAlways({ isChange: true }, { kind: "refused", code: "KN_CHECKPOINT" });
        await clock.sleep(forMs);
        for (const each of all) each.faults.now = undefined; // also of one that was replaced meanwhile
        return;
      }
      case "bus loss":
        link.disconnect();
        break;
      case "suspension":
        // A suspended process reaches neither bus nor store.
        link.disconnect();
        store.now = failAlways();
        break;
      case "restart":
        await world.restart(name, forMs, takedownOf(draw()));
        return;
      case "worker death":
        dying.add(name);
        return;
    }
    await clock.sleep(forMs);
    store.now = undefined;
    link.reconnect();
  };

  return {
    faults,
    options,
    /** Begins the faults. */
    run(world: World): FaultsUnderWay {
      let isOver = false;
      let failure: Error | undefined;
      Promise.all(faults.map((fault) => play(world, fault))).then(
        () => {
          dying.clear();
          isOver = true;
        },
        (error: unknown) => {
          failure = error instanceof Error ? error : new Error(String(error));
        },
      );
      return {
        get isOver() {
          if (failure !== undefined) throw failure;
          return isOver;
        },
      };
    },
  };
}
