/** What a continuous run has decided, read beside a learner that goes on. */
import { decodeFollowEvent, type FollowEvent, type RecordedEvent } from "../../actors/learner/index.ts";
import { type Finding, judge, type Judgement } from "../../continuous/index.ts";
import { historyOf } from "../../jobs/kinds/continuous/create-learner.ts";
import { bytesText, percentText, type TextTable } from "../../jobs/text.ts";
import type { Store } from "../../runtime/store/index.ts";

/** In their order. Empty: nothing was decided, or there is no such run. Rejects with KN_DECODE. */
export async function readHistory(store: Store, run: string): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const { data } of (await store.log(historyOf(run))).read()) events.push(decodeFollowEvent(data));
  return events;
}

export interface FollowSummary {
  readonly windows: number;
  readonly observations: number;
  /** Of the newest window, with its exact 95 % interval; null before the first. */
  readonly agreement: {
    readonly share: number;
    readonly labels: number;
    readonly low: number;
    readonly high: number;
  } | null;
  /** Number of the update that is live, and when it became so, ms since 1970. */
  readonly live: number | null;
  readonly liveSinceMs: number | null;
  readonly candidates: number;
  readonly promotions: number;
  readonly refusals: number;
  readonly rollbacks: number;
  /** Updates that devices get, and their bytes; without full ones. */
  readonly updates: number;
  readonly updateBytes: number;
  readonly oracle: string | null;
}

export function summariseHistory(history: readonly RecordedEvent[]): FollowSummary {
  const events = history.map(({ event }) => event);
  const windows = events.filter((event) => event.kind === "window");
  const last = windows.at(-1);
  const changes = history.filter(({ event }) => ["promotion", "rollback", "anchor"].includes(event.kind));
  const lives = changes.flatMap(({ atMs, event }) => ("number" in event ? [{ atMs, number: event.number }] : []));
  const newest = lives.at(-1);
  const since = newest === undefined ? undefined : lives.find(({ number }) => number === newest.number);
  const count = (kind: FollowEvent["kind"]): number => events.filter((event) => event.kind === kind).length;
  const sent = events.flatMap((event) =>
    event.kind === "promotion" || event.kind === "rollback" ? [event.bytes] : [],
  );
  return {
    windows: windows.length,
    observations: windows.reduce((sum, { observations }) => sum + observations, 0),
    agreement:
      last === undefined || last.agreement.labels === 0
        ? null
        : {
            share: last.agreement.right / last.agreement.labels,
            labels: last.agreement.labels,
            low: last.agreement.low,
            high: last.agreement.high,
          },
    live: newest?.number ?? null,
    liveSinceMs: since?.atMs ?? null,
    candidates: count("candidate"),
    promotions: count("promotion"),
    refusals: count("refusal"),
    rollbacks: count("rollback"),
    updates: sent.length,
    updateBytes: sent.reduce((sum, bytes) => sum + bytes, 0),
    oracle: last?.oracle ?? null,
  };
}

/** One row for each window. */
export function windowTable(history: readonly RecordedEvent[]): TextTable {
  const events = history.map(({ event }) => event);
  return {
    head: ["window", "agrees with the oracle", "95 % interval", "live", "candidate", "decisions", "drift"],
    rows: events
      .filter((event) => event.kind === "window")
      .map((event) => {
        const { right, labels, low, high } = event.agreement;
        const own = events.filter(({ window }) => window === event.window);
        const made = own.find(({ kind }) => kind === "candidate");
        const decisions = own.flatMap((each) =>
          each.kind === "promotion" || each.kind === "refusal" || each.kind === "rollback" ? [decisionText(each)] : [],
        );
        return [
          String(event.window),
          labels === 0 ? "-" : percentText(right / labels),
          labels === 0 ? "-" : `${percentText(low)} to ${percentText(high)}`,
          String(event.live),
          made?.kind === "candidate" ? `${made.candidate}: ${made.content}, ${bytesText(made.bytes)}` : "-",
          decisions.join("; ") || "-",
          event.drift.join(", ") || "-",
        ];
      }),
  };
}

function decisionText(event: Extract<FollowEvent, { readonly kind: "promotion" | "refusal" | "rollback" }>): string {
  if (event.kind === "rollback") return `rolled back to ${event.to} as ${event.number}`;
  const effect = event.decision?.judgement.effect?.effect;
  const gain = effect === undefined ? "" : ` (${effect >= 0 ? "+" : ""}${(100 * effect).toFixed(1)} points)`;
  return `${event.candidate} ${event.kind === "promotion" ? `promoted as ${event.number}` : "refused"}${gain}`;
}

export interface ReplayedDecision {
  readonly event: Extract<FollowEvent, { readonly kind: "promotion" | "refusal" }>;
  /** By the rules of then, from the evidence of then; null: it was dropped without a judgement. */
  readonly judgement: Judgement | null;
  /** The verdict of then is found again. */
  readonly isSame: boolean;
}

/** Judges again what was decided in a window. */
export function replayWindow(history: readonly RecordedEvent[], window: number): readonly ReplayedDecision[] {
  return history.flatMap(({ event }): ReplayedDecision[] => {
    if ((event.kind !== "promotion" && event.kind !== "refusal") || event.window !== window) return [];
    if (event.decision === undefined) return [{ event, judgement: null, isSame: true }];
    const { evidence, rules } = event.decision;
    const judgement = judge(evidence, rules);
    const verdict = event.kind === "promotion" ? "promote" : "refuse";
    return [{ event, judgement, isSame: judgement.verdict === verdict }];
  });
}

export function findingTable(reasons: readonly Finding[]): TextTable {
  return {
    head: ["rule", "state", "found"],
    rows: reasons.map(({ rule, state, text }) => [rule, state, text]),
  };
}
