/** Waits until nodes have joined. */
import { KnowledgeNetError } from "../errors/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Fleet } from "./fleet.ts";

export interface AwaitNodesOptions {
  /** These, */
  readonly names?: readonly string[];
  /** or so many. */
  readonly count?: number;
  readonly deadlineMs: number;
  readonly remedy: string;
  /** Told what is still missing, when it changes. */
  readonly onChange?: (line: string) => void;
}

const LOOK_EVERY_MS = 200;

/** Rejects with KN_UNAVAILABLE when they have not joined in time. */
export async function awaitNodes(options: AwaitNodesOptions, fleet: Fleet, clock: Clock): Promise<void> {
  const { names = [], count = 0, deadlineMs, remedy, onChange } = options;
  const endMs = clock.now() + deadlineMs;
  let said = "";
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
    const line = `waiting for nodes: ${there.size} of ${Math.max(count, names.length)} are there`;
    if (line !== said) onChange?.(line);
    said = line;
    await clock.sleep(LOOK_EVERY_MS);
  }
}
