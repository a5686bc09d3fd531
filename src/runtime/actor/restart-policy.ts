/** What a failed actor's supervisor does next: `directiveFor` the error, a back-off that doubles, a limit on restarts. */
import { type Directive, directiveFor, isKnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../clock/clock.ts";

export interface RestartPolicyOptions {
  /** First pause before a restart, ms; doubles with each one. @default 200 */
  readonly backoffMs?: number;
  /** Longest pause, ms. @default 10000 */
  readonly maxBackoffMs?: number;
  /** Restarts within `windowMs` before the failure escalates. @default 5 */
  readonly maxRestarts?: number;
  /** @default 60000 */
  readonly windowMs?: number;
  /** What may pass restarts without limit: the server is away or its disk full, and that ends. @default false */
  readonly isPatient?: boolean;
}

export type RestartDecision =
  | { readonly directive: "restart"; readonly delayMs: number }
  | { readonly directive: Exclude<Directive, "restart" | "resume"> };

/** @returns the decision about the next failure; failures count from the first call. */
export function createRestartPolicy(
  options: RestartPolicyOptions,
  clock: Pick<Clock, "now">,
): (error: unknown) => RestartDecision {
  const { backoffMs = 200, maxBackoffMs = 10_000, maxRestarts = 5, windowMs = 60_000, isPatient = false } = options;
  const failureTimes: number[] = [];
  return (error) => {
    const isWaiting = isPatient && mayPass(error);
    const directive = isWaiting ? "restart" : directiveFor(error);
    if (directive === "stop" || directive === "escalate") return { directive };
    const now = clock.now();
    failureTimes.push(now);
    while ((failureTimes[0] ?? now) < now - windowMs) failureTimes.shift();
    if (failureTimes.length > maxRestarts && !isWaiting) return { directive: "escalate" };
    return { directive: "restart", delayMs: Math.min(backoffMs * 2 ** (failureTimes.length - 1), maxBackoffMs) };
  };
}

function mayPass(error: unknown): boolean {
  return isKnowledgeNetError(error) && (error.mayPass || error.code === "KN_UNAVAILABLE");
}
