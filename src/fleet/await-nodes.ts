/** Waits until nodes have joined. */
import { KnowledgeNetError } from "../errors/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Fleet } from "./fleet.ts";

export interface AwaitNodesOptions {
  /** Nodes that must be present, by name. */
  readonly names?: readonly string[];
  /** Number of nodes that must be present. */
  readonly count?: number;
  readonly deadlineMs: number;
  readonly remedy: string;
  /** Receives a progress line whenever the number of present nodes changes. */
  readonly onChange?: (line: string) => void;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

const LOOK_EVERY_MS = 200;

/** Rejects with KN_UNAVAILABLE when they have not joined in time, with the reason of `signal` after an abort. */
export async function awaitNodes(options: AwaitNodesOptions, fleet: Fleet, clock: Clock): Promise<void> {
  const { names = [], count = 0, deadlineMs, remedy, onChange, signal } = options;
  const endMs = clock.now() + deadlineMs;
  let reported = "";
  for (;;) {
    const there = new Set((await fleet.nodes.all()).map(({ name }) => name));
    const absent = names.filter((name) => !there.has(name));
    if (absent.length === 0 && there.size >= count) return;
    const missing = absent.length > 0 ? `${absent.join(", ")} did not` : `${there.size} of ${count} did`;
    if (clock.now() >= endMs) {
      throw new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: "place actors on nodes",
        rule: `nodes must join within ${deadlineMs} ms`,
        value: missing,
        remedy,
      });
    }
    const line = `waiting for nodes: ${there.size} of ${Math.max(count, names.length)} are present`;
    if (line !== reported) onChange?.(line);
    reported = line;
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}
