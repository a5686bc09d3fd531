/**
 * How a run shows itself while it goes on: a live picture in a terminal, plain lines elsewhere, nothing with --json.
 */
import cliProgress from "cli-progress";
import { gradientActor, parseActorRef, teacherActor } from "../../run-spec/index.ts";
import type { ActorFigures, MonitorFigures } from "../../jobs/run-monitor.ts";

export interface RunView {
  /** Called several times a second. */
  update(figures: MonitorFigures): void;
  /** Says something without tearing the picture. */
  note(line: string): void;
  /** Called once at the end; the view lets go of the terminal. */
  finish(figures: MonitorFigures): void;
}

export interface RunViewOptions {
  readonly totalSteps: number;
  /** Actors that have a line. */
  readonly learners: readonly string[];
  /** A line for stdout. */
  readonly write: (line: string) => void;
  /** A line for stderr. */
  readonly note: (line: string) => void;
}

export function silentView({ note }: Pick<RunViewOptions, "note">): RunView {
  return { update: () => undefined, note, finish: () => undefined };
}

/** One line when something was measured, and one every few seconds. */
export function lineView(
  { totalSteps, learners, write, note }: RunViewOptions,
  everyMs: number,
  now: () => number,
): RunView {
  let lastMs = Number.NEGATIVE_INFINITY;
  let shownEvaluation = "";
  const line = (figures: MonitorFigures): void => {
    const blocks = learnerFigures(figures, learners)
      .map((learner) => `${learner.id} ${rate(learner)}${qualityOf(figures, learner)}`)
      .join(" | ");
    write(
      `step ${figures.step}/${totalSteps} | loss ${lossOf(figures)} | ${figures.stepsPerSecond.toFixed(1)} steps/s | ${blocks}`,
    );
  };
  return {
    update(figures) {
      const { evaluation } = figures;
      const key = `${evaluation?.evaluation}`;
      if (
        evaluation !== undefined &&
        key !== shownEvaluation &&
        figures.step >= evaluation.step &&
        isComplete(figures)
      ) {
        shownEvaluation = key;
        write(
          `step ${evaluation.step}/${totalSteps} | accuracy ${percent(evaluation)} (${evaluation.samples} images)${agreementOf(evaluation)}`,
        );
      }
      if (now() - lastMs < everyMs) return;
      lastMs = now();
      if (figures.step > 0) line(figures);
    },
    note,
    finish: line,
  };
}

/** An evaluation has ended when a training step beyond it is done. */
function isComplete({ evaluation, step }: MonitorFigures): boolean {
  return evaluation !== undefined && step > evaluation.step;
}

/** One bar, then a line per learner. */
export function liveView({ totalSteps, learners }: RunViewOptions): RunView {
  const bars = new cliProgress.MultiBar({
    clearOnComplete: false,
    hideCursor: true,
    fps: 5,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    forceRedraw: true,
  });
  const main = bars.create(
    totalSteps,
    0,
    {},
    {
      format:
        "{bar} {percentage}% | step {value}/{total} | {duration_formatted} | accuracy {accuracy} | loss {loss}{lessons}",
    },
  );
  const heading = bars.create(1, 0, {}, { format: "{text}" });
  heading.update(0, {
    text: isSections(learners)
      ? row("section", "state", "steps/s", "compute", "hint loss", "teacher: computed/kept", "drops")
      : row("block", "state", "steps/s", "compute", "staleness", "quality of M (cosine)", "drops"),
  });
  const lines = learners.map(() => bars.create(1, 0, { text: "" }, { format: "{text}" }));
  const draw = (figures: MonitorFigures): void => {
    main.update(Math.min(figures.step, totalSteps), {
      accuracy: figures.evaluation === undefined ? "-" : percent(figures.evaluation),
      loss: lossOf(figures),
      lessons: figures.evaluation === undefined ? "" : agreementOf(figures.evaluation),
    });
    learnerFigures(figures, learners).forEach((learner, index) => {
      lines[index]?.update(0, {
        text: row(
          learner.id,
          learner.state,
          rate(learner),
          `${learner.computeMs.toFixed(0)} ms`,
          ...learningOf(figures, learner),
          dropsOf(learner),
        ),
      });
    });
  };
  draw({ step: 0, stepsPerSecond: 0, actors: [], evaluation: undefined, events: [] });
  return {
    update: draw,
    note(line) {
      bars.log(`${line}\n`);
    },
    finish(figures) {
      draw(figures);
      bars.stop();
    },
  };
}

function row(...cells: readonly [string, string, string, string, string, string, string]): string {
  const widths = [9, 12, 9, 9, 10, 24, 0];
  return cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(" ");
}

function learnerFigures({ actors }: MonitorFigures, learners: readonly string[]): ActorFigures[] {
  return actors.filter(({ id }) => learners.includes(id));
}

function isSections([first = ""]: readonly string[]): boolean {
  const kind = parseActorRef(first)?.kind;
  return kind !== undefined && kind !== "block";
}

/** Of a block how old and how good its gradients are; of a section how far it is from its teacher, and what that cost. */
function learningOf(figures: MonitorFigures, learner: ActorFigures): [string, string] {
  if (isSections([learner.id])) {
    const ref = parseActorRef(learner.id);
    const teacher =
      ref?.kind === "student-section" ? figures.actors.find(({ id }) => id === teacherActor(ref.index)) : undefined;
    const { hits = 0, misses = 0 } = teacher?.cache ?? {};
    const answered = hits + misses === 0 ? "-" : `${misses} / ${hits}`;
    return [learner.hintLoss === undefined ? "-" : learner.hintLoss.toFixed(4), answered];
  }
  const model = modelOf(figures, learner);
  return [
    model === undefined ? "0 steps" : `${model.stalenessSteps} steps`,
    model?.quality === undefined ? "-" : `${gauge(model.quality.cosine)} ${model.quality.cosine.toFixed(2)}`,
  ];
}

function agreementOf({
  agreeing,
  samples,
}: {
  readonly agreeing?: number | undefined;
  readonly samples: number;
}): string {
  return agreeing === undefined ? "" : ` | agrees with the teacher ${percent({ correct: agreeing, samples })}`;
}

/** The gradient model at a block's output. */
function modelOf({ actors }: MonitorFigures, block: ActorFigures): ActorFigures | undefined {
  const ref = parseActorRef(block.id);
  return ref?.kind === "block" ? actors.find(({ id }) => id === gradientActor(ref.index)) : undefined;
}

function qualityOf(figures: MonitorFigures, block: ActorFigures): string {
  if (block.hintLoss !== undefined) return ` hint ${block.hintLoss.toFixed(3)}`;
  const model = modelOf(figures, block);
  return model?.quality === undefined ? "" : ` stale ${model.stalenessSteps} M ${model.quality.cosine.toFixed(2)}`;
}

function lossOf({ actors }: MonitorFigures): string {
  const loss = actors.find((actor) => actor.loss !== undefined)?.loss;
  return loss === undefined ? "-" : loss.toFixed(4);
}

function rate({ updatesPerSecond }: ActorFigures): string {
  return updatesPerSecond.toFixed(1);
}

function percent({ correct, samples }: { readonly correct: number; readonly samples: number }): string {
  return `${((100 * correct) / Math.max(1, samples)).toFixed(2)} %`;
}

function gauge(cosine: number): string {
  const filled = Math.round(Math.max(0, Math.min(1, cosine)) * 10);
  return "▮".repeat(filled) + "▯".repeat(10 - filled);
}

function dropsOf({ drops }: ActorFigures): string {
  const entries = Object.entries(drops);
  return entries.length === 0 ? "none" : entries.map(([reason, count]) => `${reason} ${count}`).join(", ");
}
