/**
 * Arms of the knowledge transfer comparison: a teacher, and the same student alone, with the teacher's logits only, and
 * taught section by section, with the same epochs, views and schedule; where all images have labels, and where few
 * have.
 */
import { join } from "node:path";

/** One run of `kn`. `transfer` trains the student alone as well, as its first phase. */
export interface TransferKey {
  readonly experiment: string;
  /** Which images have labels: "all", "few"; the teacher's are all. */
  readonly setting: "all" | "few";
  readonly run: "teacher" | "logits" | "transfer";
  readonly seed: number;
}

export interface TransferExperiment {
  readonly name: string;
  readonly title: string;
  readonly introduction: string;
  readonly teacher: { readonly spec: string; readonly set: readonly string[] };
  readonly student: string;
  /** Overrides of the student's spec. */
  readonly set: Readonly<Record<"logits" | "transfer" | TransferKey["setting"], readonly string[]>>;
  /** Training images with a label. */
  readonly labels: Readonly<Record<TransferKey["setting"], number>>;
  /** Runs of each seed, in order. */
  readonly runs: readonly Pick<TransferKey, "setting" | "run">[];
}

/** Targets set before any run: the student's size, and its gain over the student alone, as shares. */
export const QUICK_BOUNDS = { parameters: 0.38, margin: 0.04 } as const;

export const EXPERIMENTS = {
  kt: {
    name: "kt",
    title: "Knowledge transfer on CIFAR-10: a teacher in five sections, a student with 64.6 % fewer parameters",
    introduction: `Teacher: \`examples/cifar-teacher.yaml\`, trained whole on the 38,000 images. Student: \`examples/cifar-sections.yaml\`, derived by \`kn plan\`.
Arms, 12 epochs each, the same views, the rate annealed to zero: \`alone\`, task loss only; \`logits\`, task loss and the teacher's logits end to end; \`transfer\`, sections side by side for 4
epochs, then 8 end to end; \`sections\` is how \`transfer\` stands after those 4. \`few\`: 4,000 images have labels, \`alone\` sees only them (as many steps), the others are seen without a label.
Held out: 2,000 images that no arm learns from and every choice was made on. Test: the 1,000-image file, last epoch, measured once. One teacher, every seed of the student. oneDNN is on.
Command: \`npm run reproduce -- kt --data <folder of CIFAR-10>\` (finished runs are not repeated, interrupted ones resume from their last epoch).`,
    teacher: { spec: "examples/cifar-teacher.yaml", set: ["model.cuts=[]"] },
    student: "examples/cifar-sections.yaml",
    set: {
      all: [],
      few: ["data.labelled=4000"],
      transfer: [
        "baseline={optimizer: {kind: sgd, learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.0005}, warmup: 0.2}",
      ],
      logits: ["sections.epochs=0", "finetune.epochs=12", "finetune.optimizer.learningRate=0.1"],
    },
    labels: { all: 38_000, few: 4_000 },
    runs: [
      { setting: "all", run: "transfer" },
      { setting: "few", run: "transfer" },
      { setting: "all", run: "logits" },
    ],
  },
  "kt-quick": {
    name: "kt-quick",
    title: "Knowledge transfer on MNIST, in minutes",
    introduction: `Teacher: \`examples/mnist-teacher.yaml\` on 20,480 images, one epoch. Student: \`examples/mnist-sections.yaml\`, 256 labelled images of 10,240.
Asserted: the student has at most 38 % of the teacher's parameters, and with transfer is 4 points better than alone. Command: \`npm run reproduce -- kt-quick\`.`,
    teacher: { spec: "examples/mnist-teacher.yaml", set: ["model.cuts=[]", "data.limit=20480"] },
    student: "examples/mnist-sections.yaml",
    set: { all: [], few: [], transfer: [], logits: [] },
    labels: { all: 20_480, few: 256 },
    runs: [{ setting: "few", run: "transfer" }],
  },
} as const satisfies Readonly<Record<string, TransferExperiment>>;

export function teacherKey({ name }: TransferExperiment): TransferKey {
  return { experiment: name, setting: "all", run: "teacher", seed: 1 };
}

/** Every run of a student, one seed of everything before the next. */
export function studentKeys({ name, runs }: TransferExperiment, seeds: number): TransferKey[] {
  return Array.from({ length: seeds }, (_, index) => index + 1).flatMap((seed) =>
    runs.map((run) => ({ experiment: name, ...run, seed })),
  );
}

/** Arguments of `kn`. `teacher` is the path of the teacher's run. */
export function transferArguments(
  experiment: TransferExperiment,
  { setting, run, seed }: TransferKey,
  teacher: string,
): string[] {
  const sets = (settings: readonly string[]): string[] => settings.flatMap((each) => ["--set", each]);
  if (run === "teacher") return ["run", experiment.teacher.spec, ...sets(experiment.teacher.set)];
  const settings = [`seed=${seed}`, ...experiment.set[setting], ...experiment.set[run]];
  return ["run", experiment.student, "--teacher", teacher, ...sets(settings)];
}

/** Where the run of `key` is kept, below the folder for all of them. */
export function folderOf(work: string, { experiment, setting, run, seed }: TransferKey): string {
  return join(work, `${experiment}-${setting}-${run}-seed${seed}`);
}
