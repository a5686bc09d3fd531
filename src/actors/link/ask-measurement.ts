/** Asks the coordinator for the newest measurement of the evaluation: a learner that crashed continues it. */
import type { CommandReply } from "../../messages/index.ts";
import type { ControlChannel } from "../../runtime/actor/index.ts";

/** A start waits so long for the answer, ms. At the start of a run there is no coordinator, which is known at once. */
const TIMEOUT_MS = 1_000;

/** @returns undefined when there is no coordinator, or no answer: an evaluation under way stays short then. */
export async function askMeasurement(channel: ControlChannel, coordinator: string): Promise<CommandReply | undefined> {
  try {
    return await channel.order(coordinator, { kind: "ReportState" }, { timeoutMs: TIMEOUT_MS });
  } catch {
    return undefined;
  }
}
