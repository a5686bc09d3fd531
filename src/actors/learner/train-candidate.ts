/** Makes the next candidate and puts it on trial; one whose training meets a value that is not finite is refused at once. */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { measureAnchor } from "./anchor.ts";
import type { FollowerCore } from "./follower-core.ts";
import { withCandidate } from "./follower-transitions.ts";
import { makeCandidate } from "./make-candidate.ts";

export async function trainCandidate(core: FollowerCore): Promise<void> {
  const { options, deps, replay, state } = core;
  const { lab } = deps;
  const { live, undecided, window, nextNumber: number, rehearsal, oracle } = state;
  const candidate = state.candidates + 1;
  const request = { live, undecided, number, window, candidate, replay, rehearsal, oracle };
  const attempt = await unlessNumeric(() => makeCandidate(request, options, deps));
  if (attempt instanceof KnowledgeNetError) {
    const reason = `finite outputs: ${attempt.message}`;
    core.note({ kind: "refusal", window, candidate, number, bytes: 0, reason });
    core.state = { ...core.state, candidates: candidate, nextNumber: number + 1 };
    return;
  }
  const { built, facts: made } = attempt;
  await lab.hold(number, built.tensors);
  const anchored = await measureAnchor(state.anchor, live.number, number, options, lab);
  const latencyMs = await latencyOf(core, live.number, number);
  core.note({ kind: "candidate", window, candidate, number, ...made });
  const { content } = made;
  const { bytes, tensors: weights } = built;
  await core.moveTo(
    withCandidate(core.state, {
      ...{ candidate, number, weights, content, bytes },
      ...{ windows: [], counted: {}, unseenWindows: 0, facts: { ...anchored, latencyMs } },
    }),
  );
}

/** A busy machine makes one of two equal networks slow now and then, a slower network is slow each time. */
const LATENCY_ATTEMPTS = 3;

async function latencyOf(
  { options: { gate, window }, deps: { lab } }: FollowerCore,
  live: number,
  candidate: number,
): Promise<{ readonly live: number; readonly candidate: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const measured = await lab.compareLatency(live, candidate, window.roundObservations);
    const isWithin = measured.candidate <= gate.latencyRatio * measured.live;
    if (isWithin || attempt === LATENCY_ATTEMPTS) return measured;
  }
}

/** @returns the error where the work met a value that is not finite */
async function unlessNumeric<T>(work: () => Promise<T>): Promise<T | KnowledgeNetError> {
  try {
    return await work();
  } catch (error) {
    if (isKnowledgeNetError(error, "KN_NUMERIC")) return error;
    throw error;
  }
}
