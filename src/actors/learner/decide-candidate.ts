/** What becomes of a candidate, and of the release that it made live: promotion, refusal, rollback. */
import { judge as judgeByRules, type Judgement, watchRollback } from "../../continuous/index.ts";
import { buildUpdate, extendChain, isAnchorDue } from "../../models/updates/index.ts";
import { anchorEvent, type FollowerCore, fullUpdate } from "./follower-core.ts";
import { promoted, rolledBack, withoutCandidate, withUndecided, withWatchedWindow } from "./follower-transitions.ts";
import { sentUpdate } from "./sent-update.ts";

/** @returns whether the next candidate may follow at once: one that was refused as bad is no reason to hurry. */
export async function decideCandidate(core: FollowerCore): Promise<boolean> {
  const { candidate, window } = core.state;
  const { model, gate, update } = core.options;
  if (candidate === undefined) return false;
  const { judge = judgeByRules } = core.deps;
  const evidence = { windows: candidate.windows, ...candidate.facts };
  const judgement = judge(evidence, gate);
  if (judgement.verdict === "continue") return false;
  const { number, bytes } = candidate;
  const isPromoted = judgement.verdict === "promote";
  core.note({
    kind: isPromoted ? "promotion" : "refusal",
    window,
    ...{ candidate: candidate.candidate, number, bytes: bytes.length },
    decision: { evidence, rules: gate, judgement },
    reason: reasonOf(judgement),
  });
  if (!isPromoted) {
    const isOpen = isUndecided(judgement);
    await core.moveTo(isOpen ? withUndecided(core.state, candidate) : withoutCandidate(core.state));
    return isOpen;
  }
  const sent = sentUpdate(bytes, model);
  core.send(sent);
  await core.moveTo(promoted(core.state, candidate, sent.update));
  if (isAnchorDue(core.state.chain, update.anchorEvery)) sendAnchor(core);
  return true;
}

export async function dropCandidate(core: FollowerCore, reason: string): Promise<void> {
  const { candidate, window } = core.state;
  if (candidate === undefined) return;
  const { number, bytes } = candidate;
  core.note({ kind: "refusal", window, candidate: candidate.candidate, number, bytes: bytes.length, reason });
  await core.moveTo(withoutCandidate(core.state));
}

/** After each round, the open window's figures among the others: a bad release is not live until the window ends. */
export async function watchLive(core: FollowerCore): Promise<void> {
  const { model, watch } = core.options;
  const { lab, signer } = core.deps;
  const { previous, live, window } = core.state;
  if (previous === undefined) return;
  const found = watchRollback(withWatchedWindow(core.state).watched, watch);
  if (found.verdict === "keep") return;
  await dropCandidate(core, "what it was made from was rolled back");
  const number = core.state.nextNumber;
  const built = buildUpdate({
    ...{ model, number, base: { number: live.number, tensors: live.weights } },
    ...{ trained: previous.weights, content: { kind: "restore" } },
    ...(signer === undefined ? {} : { signer }),
  });
  await lab.hold(number, previous.weights);
  core.send(built);
  const bytes = built.bytes.length;
  core.note({ kind: "rollback", window, from: live.number, to: previous.number, number, bytes, watch: found });
  await core.moveTo(rolledBack(core.state, number, built.update));
}

/** A full update of what is live. */
export function sendAnchor(core: FollowerCore): void {
  const built = fullUpdate(core.options, core.deps, core.state.live);
  core.send(built);
  core.note(anchorEvent(core.state, built));
  core.state = { ...core.state, chain: extendChain(core.state.chain, built.update) };
}

/** Nothing speaks against it: its labels or windows are used up. */
function isUndecided({ reasons }: Judgement): boolean {
  return reasons.every(({ state, rule }) => state !== "broken" || rule === "label budget" || rule === "window budget");
}

/** The rule that was broken, or what was gained. */
function reasonOf({ verdict, reasons }: Judgement): string {
  const decisive =
    verdict === "promote"
      ? reasons.filter(({ rule }) => rule === "minimum effect")
      : reasons.filter(({ state }) => state === "broken");
  return decisive.map(({ rule, text }) => `${rule}: ${text}`).join("; ");
}
