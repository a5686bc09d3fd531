/**
 * How a run shows itself while it goes on: a live picture in a terminal, plain lines elsewhere, nothing with --json.
 */
import cliProgress from "cli-progress";
import type { ActorFigures, MonitorFigures } from "../run/run-monitor.ts";

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
  readonly blocks: number;
  /** A line for stdout. */
  readonly write: (line: string) => void;
  /** A line for stderr. */
  readonly note: (line: string) => void;
}

export function silentView({ note }: Pick<RunViewOptions, "note">): RunView {
  return { update: () => undefined, note, finish: () => undefined };
}

/** One line when something was measured, and one every few seconds. */
export function lineView({ totalSteps, write, note }: RunViewOptions, everyMs: number, now: () => number): RunView {
  let lastMs = Number.NEGATIVE_INFINITY;
  let shownEvaluation = "";
  const line = (figures: MonitorFigures): void => {
    const blocks = blockFigures(figures)
      .map((block) => `${block.id} ${rate(block)}${qualityOf(figures, block)}`)
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
          `step ${evaluation.step}/${totalSteps} | test accuracy ${percent(evaluation)} (${evaluation.samples} images)`,
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

/** One bar, then a line per block. */
export function liveView({ totalSteps, blocks }: RunViewOptions): RunView {
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
    { format: "{bar} {percentage}% | step {value}/{total} | {duration_formatted} | accuracy {accuracy} | loss {loss}" },
  );
  const heading = bars.create(1, 0, {}, { format: "{text}" });
  heading.update(0, {
    text: row("block", "state", "steps/s", "compute", "staleness", "quality of M (cosine)", "drops"),
  });
  const lines = Array.from({ length: blocks }, () => bars.create(1, 0, { text: "" }, { format: "{text}" }));
  const draw = (figures: MonitorFigures): void => {
    main.update(Math.min(figures.step, totalSteps), {
      accuracy: figures.evaluation === undefined ? "-" : percent(figures.evaluation),
      loss: lossOf(figures),
    });
    blockFigures(figures).forEach((block, index) => {
      const model = modelOf(figures, block);
      lines[index]?.update(0, {
        text: row(
          block.id,
          block.state,
          rate(block),
          `${block.computeMs.toFixed(0)} ms`,
          model === undefined ? "0 steps" : `${model.stalenessSteps} steps`,
          model?.quality === undefined ? "-" : `${gauge(model.quality.cosine)} ${model.quality.cosine.toFixed(2)}`,
          dropsOf(block),
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

function blockFigures({ actors }: MonitorFigures): ActorFigures[] {
  return actors.filter(({ id }) => id.startsWith("block-"));
}

/** The gradient model at a block's output. */
function modelOf({ actors }: MonitorFigures, block: ActorFigures): ActorFigures | undefined {
  return actors.find(({ id }) => id === block.id.replace("block-", "gradient-"));
}

function qualityOf(figures: MonitorFigures, block: ActorFigures): string {
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
