/** Shows the progress of a run: a live view in a terminal, plain lines elsewhere, nothing with --json. */
import cliProgress from "cli-progress";
import type { ShownLearners } from "../../jobs/run-plan.ts";
import { percentText } from "../../jobs/text.ts";
import type { ActorFigures, MonitorFigures } from "../../jobs/run-monitor.ts";

export interface RunView {
  /** Called several times a second. */
  update(figures: MonitorFigures): void;
  /** Writes a line without breaking the picture. */
  note(line: string): void;
  /** Called once at the end; releases the terminal. */
  finish(figures: MonitorFigures): void;
}

export interface RunViewOptions {
  readonly totalSteps: number;
  /** Actors with a line each. */
  readonly learners: ShownLearners;
  /** A line for stdout. */
  readonly write: (line: string) => void;
  /** A line for stderr. */
  readonly note: (line: string) => void;
}

export function silentView({ note }: Pick<RunViewOptions, "note">): RunView {
  return { update: () => undefined, note, finish: () => undefined };
}

/** One line per evaluation, and one every few seconds. */
export function lineView(
  { totalSteps, learners, write, note }: RunViewOptions,
  everyMs: number,
  now: () => number,
): RunView {
  let lastMs = Number.NEGATIVE_INFINITY;
  let shownEvaluation = "";
  const line = (figures: MonitorFigures): void => {
    const blocks = learnerFigures(figures, learners)
      .map((learner) => [learner.id, rate(learner), learners.view.note(figures, learner.id)].filter(Boolean).join(" "))
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

/** An evaluation is complete once a later training step is done. */
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
        "{bar} {percentage}% | step {value}/{total} | {duration_formatted} | accuracy {accuracy} | loss {loss}{agreement}",
    },
  );
  const heading = bars.create(1, 0, {}, { format: "{text}" });
  heading.update(0, {
    text: row([learners.view.noun, "state", "steps/s", "compute", ...learners.view.columns, "drops"]),
  });
  const lines = learners.ids.map(() => bars.create(1, 0, { text: "" }, { format: "{text}" }));
  const draw = (figures: MonitorFigures): void => {
    main.update(Math.min(figures.step, totalSteps), {
      accuracy: figures.evaluation === undefined ? "-" : percent(figures.evaluation),
      loss: lossOf(figures),
      agreement: figures.evaluation === undefined ? "" : agreementOf(figures.evaluation),
    });
    learnerFigures(figures, learners).forEach((learner, index) => {
      lines[index]?.update(0, {
        text: row([
          learner.id,
          learner.state,
          rate(learner),
          `${learner.computeMs.toFixed(0)} ms`,
          ...learners.view.cells(figures, learner.id),
          dropsOf(learner),
        ]),
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

/** Widths of the columns, characters; the last one is open. */
const WIDTHS = [9, 12, 9, 9, 10, 24, 0];

function row(cells: readonly string[]): string {
  return cells.map((cell, index) => cell.padEnd(WIDTHS[index] ?? 0)).join(" ");
}

function learnerFigures({ actors }: MonitorFigures, { ids }: ShownLearners): ActorFigures[] {
  return actors.filter(({ id }) => ids.includes(id));
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

function lossOf({ actors }: MonitorFigures): string {
  const loss = actors.find((actor) => actor.loss !== undefined)?.loss;
  return loss === undefined ? "-" : loss.toFixed(4);
}

function rate({ updatesPerSecond }: ActorFigures): string {
  return updatesPerSecond.toFixed(1);
}

function percent({ correct, samples }: { readonly correct: number; readonly samples: number }): string {
  return percentText(correct / Math.max(1, samples));
}

function dropsOf({ drops }: ActorFigures): string {
  const entries = Object.entries(drops);
  return entries.length === 0 ? "none" : entries.map(([reason, count]) => `${reason} ${count}`).join(", ");
}
