/** Rounds of observations: answered by all releases, labelled by one oracle, and kept to be trained on. */
import { classesOf } from "./answers.ts";
import { dropCandidate } from "./decide-candidate.ts";
import type { FollowedInput } from "./follower-options.ts";
import type { FollowerCore } from "./follower-core.ts";
import type { Round } from "./follower-transitions.ts";
import { stack } from "../../messages/index.ts";

export interface LabelledRound {
  readonly round: Round;
  /** Of the oracle, [n, classes], and its version. */
  readonly logits: Float32Array;
  readonly version: string;
}

type Sample = Pick<FollowedInput, "values"> & { readonly window: number };

/** Before anything is trained on it. */
export async function measureRound(core: FollowerCore, inputs: readonly FollowedInput[]): Promise<LabelledRound> {
  const { options, deps } = core;
  const { classes } = options;
  const { version, logits } = await deps.oracle.label(inputs.map(({ values }) => values));
  await changeOracle(core, version);
  const answer = (key: number) => deps.lab.answer(key, stack(inputs, options));
  const { state } = core;
  const live = await answer(state.live.number);
  const previous = state.previous === undefined ? undefined : await answer(state.previous.number);
  const candidate = state.candidate === undefined ? undefined : await answer(state.candidate.number);
  const round: Round = {
    inputs,
    labels: classesOf(logits, classes),
    live: classesOf(live.logits, classes),
    liveLogits: live.logits,
    ...(previous === undefined ? {} : { previous: classesOf(previous.logits, classes) }),
    ...(candidate === undefined
      ? {}
      : {
          candidate: {
            answers: classesOf(candidate.logits, classes),
            nonFinite: candidate.nonFiniteRows.length,
          },
        }),
  };
  return { round, logits, version };
}

export function keepLabels(
  { options: { classes }, replay }: FollowerCore,
  samples: readonly Sample[],
  logits: Float32Array,
  oracleVersion: string,
): void {
  for (const [row, { values, window }] of samples.entries()) {
    const softLabel = logits.slice(row * classes, (row + 1) * classes);
    replay.offer({ values, softLabel, oracleVersion, window });
  }
}

/** Labels of two oracles are not mixed: what the first one labelled is labelled anew, and evidence by it is void. */
async function changeOracle(core: FollowerCore, version: string): Promise<void> {
  const { oracle: from, window } = core.state;
  if (from === version) return;
  core.state = { ...core.state, oracle: version };
  if (from === undefined) return;
  core.note({ kind: "oracle", window, from, to: version });
  await dropCandidate(core, "the oracle has changed: its labels were another's");
  core.replay.startVersion(version);
  await labelAnew(core, core.replay.stale, version);
}

async function labelAnew(core: FollowerCore, samples: readonly Sample[], version: string): Promise<void> {
  const { observations } = core.options.window;
  for (let at = 0; at < samples.length; at += observations) {
    const part = samples.slice(at, at + observations);
    const labelled = await core.deps.oracle.label(part.map(({ values }) => values));
    if (labelled.version !== version) return; // it has changed again: the next round notices
    keepLabels(core, part, labelled.logits, version);
  }
}
