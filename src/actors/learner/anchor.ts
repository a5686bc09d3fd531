/** The inputs of window 0: what the student could do before the world changed, and is to keep. */
import type { ClassCounts, LabelledSet, ReplayMemory } from "../../continuous/index.ts";
import { rowsOf, stack, type TensorView } from "../../messages/index.ts";
import { classesOf } from "./answers.ts";
import type { FollowerOptions } from "./follower-options.ts";
import type { FollowerState } from "./follower-state.ts";
import type { StudentLab } from "./student-lab.ts";

type Known = { readonly inputs: TensorView; readonly labels: Int32Array };
type Shape = Pick<FollowerOptions, "classes" | "sampleShape" | "dtype">;

const BATCH = 250;

/** Share of `known` that the weights under `key` have right. */
export async function startShareOf(known: Known, key: number, options: Shape, lab: StudentLab): Promise<number> {
  const { answers } = await answersTo(known.inputs, key, options, lab);
  const right = answers.filter((answer, row) => answer === known.labels[row]).length;
  return right / Math.max(1, answers.length);
}

/** Both models on what must not be forgotten; of the candidate also how many outputs are not finite. */
export async function measureAnchor(
  anchor: FollowerState["anchor"],
  live: number,
  candidate: number,
  options: Shape,
  lab: StudentLab,
): Promise<{ readonly sets: LabelledSet[]; readonly nonFiniteOutputs: number }> {
  if (anchor === undefined) return { sets: [], nonFiniteOutputs: 0 };
  const own = await answersTo(anchor.inputs, live, options, lab);
  const other = await answersTo(anchor.inputs, candidate, options, lab);
  const classes = Array.from({ length: options.classes }, (_, each): ClassCounts => {
    const rows = [...anchor.labels.keys()].filter((row) => anchor.labels[row] === each);
    const rightOf = ({ answers }: { readonly answers: readonly number[] }): number =>
      rows.filter((row) => answers[row] === each).length;
    return { inputs: rows.length, live: rightOf(own), candidate: rightOf(other) };
  });
  return {
    sets: [{ name: "window 0", classes, startShare: anchor.startShare }],
    nonFiniteOutputs: other.nonFinite,
  };
}

/** Where nobody gave an anchor: what window 0 showed. It goes on being trained on, so it shows less than a set apart. */
export async function anchorFrom(
  replay: ReplayMemory,
  live: number,
  options: Shape,
  lab: StudentLab,
): Promise<NonNullable<FollowerState["anchor"]>> {
  const { recent } = replay;
  const inputs = stack(recent, options);
  const labels = Int32Array.from(recent, ({ softLabel }) => classesOf(softLabel, options.classes)[0] ?? 0);
  return { inputs, labels, startShare: await startShareOf({ inputs, labels }, live, options, lab) };
}

async function answersTo(
  inputs: TensorView,
  key: number,
  { classes }: Shape,
  lab: StudentLab,
): Promise<{ readonly answers: readonly number[]; readonly nonFinite: number }> {
  const answers: number[] = [];
  let nonFinite = 0;
  const rows = inputs.shape[0] ?? 0;
  for (let from = 0; from < rows; from += BATCH) {
    const { logits, nonFiniteRows } = await lab.answer(key, rowsOf(inputs, from, Math.min(rows, from + BATCH)));
    answers.push(...classesOf(logits, classes));
    nonFinite += nonFiniteRows.length;
  }
  return { answers, nonFinite };
}
