/** The continuous runs whose learner is on a bus now: nothing else says whether such a run goes on. */
import { randomBytes } from "node:crypto";
import type { Bus } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";

/** Time limit for answers, ms: several round trips over a wide-area network. */
const ANSWER_MS = 750;
const SERVICE = "kn-learner";

/** Names of the runs. Rejects with KN_UNAVAILABLE when the bus is away. */
export async function learnersOnBus({
  bus,
  clock,
}: {
  readonly bus: Bus;
  readonly clock: Clock;
}): Promise<Set<string>> {
  const runs = new Set<string>();
  const inbox = `_INBOX.${randomBytes(11).toString("hex")}`;
  const subscription = bus.subscribe(inbox, ({ data }) => {
    const run = runOf(new TextDecoder().decode(data));
    if (run !== undefined) runs.add(run);
  });
  try {
    await bus.flush();
    bus.publish(`$SRV.PING.${SERVICE}`, new Uint8Array(0), { reply: inbox });
    await clock.sleep(ANSWER_MS);
  } finally {
    subscription.unsubscribe();
  }
  return runs;
}

/** @param answer of a service to `$SRV.PING` */
function runOf(answer: string): string | undefined {
  try {
    return (JSON.parse(answer) as { metadata?: { run?: string } }).metadata?.run;
  } catch {
    return undefined;
  }
}
