/** What is to be seen of a run while it goes on, gathered from its events. Pure: events and times in, figures out. */
import type { Event, EvaluationMeasured, GradientQuality } from "../../messages/index.ts";

export interface ActorFigures {
  readonly id: string;
  readonly state: string;
  readonly consumed: number;
  /** Updates of its weights. */
  readonly applied: number;
  /** Updates per second over the last seconds. */
  readonly updatesPerSecond: number;
  readonly stalenessSteps: number;
  readonly computeMs: number;
  readonly loss: number | undefined;
  readonly quality: GradientQuality | undefined;
  readonly drops: Readonly<Record<string, number>>;
}

export interface MonitorFigures {
  /** Newest training step that the last block has finished. */
  readonly step: number;
  readonly stepsPerSecond: number;
  readonly actors: readonly ActorFigures[];
  /** Newest evaluation so far, possibly still growing. */
  readonly evaluation: (EvaluationMeasured & { readonly step: number }) | undefined;
}

export interface RunMonitor {
  /** @param nowMs monotonic time of arrival */
  observe(event: Event, nowMs: number): void;
  figures(): MonitorFigures;
}

/** Rates are measured over this long, ms. */
const RATE_WINDOW_MS = 5_000;

interface Tracked {
  figures: ActorFigures;
  /** (time, updates) of the last seconds, oldest first. */
  readonly history: { readonly atMs: number; readonly applied: number }[];
}

export function createRunMonitor(lastBlock: string): RunMonitor {
  const actors = new Map<string, Tracked>();
  let step = 0;
  let evaluation: MonitorFigures["evaluation"];

  const track = (id: string): Tracked => {
    const known = actors.get(id);
    if (known !== undefined) return known;
    const fresh: Tracked = {
      figures: {
        id,
        state: "starting",
        consumed: 0,
        applied: 0,
        updatesPerSecond: 0,
        stalenessSteps: 0,
        computeMs: 0,
        loss: undefined,
        quality: undefined,
        drops: {},
      },
      history: [],
    };
    actors.set(id, fresh);
    return fresh;
  };

  return {
    observe({ header, fact }, nowMs) {
      const tracked = track(header.sender);
      switch (fact.kind) {
        case "StateEntered":
          tracked.figures = { ...tracked.figures, state: fact.state };
          return;
        case "Progress": {
          if (header.sender === lastBlock) step = Math.max(step, header.step);
          const { history } = tracked;
          history.push({ atMs: nowMs, applied: fact.applied });
          while ((history[0]?.atMs ?? nowMs) < nowMs - RATE_WINDOW_MS) history.shift();
          const first = history[0];
          const seconds = first === undefined ? 0 : (nowMs - first.atMs) / 1000;
          tracked.figures = {
            ...tracked.figures,
            consumed: fact.consumed,
            applied: fact.applied,
            updatesPerSecond: first === undefined || seconds === 0 ? 0 : (fact.applied - first.applied) / seconds,
            stalenessSteps: fact.stalenessSteps,
            computeMs: fact.computeMs,
            loss: fact.loss ?? tracked.figures.loss,
            quality: fact.quality ?? tracked.figures.quality,
            drops: fact.drops,
          };
          return;
        }
        case "EvaluationMeasured":
          evaluation = { ...fact, step: header.step };
          return;
        case "Failure":
          tracked.figures = { ...tracked.figures, state: `failed: ${fact.code}` };
          return;
        case "CheckpointSaved":
        case "FeederMark":
          return;
      }
    },
    figures() {
      const list = [...actors.values()].map(({ figures }) => figures).sort((a, b) => a.id.localeCompare(b.id));
      return {
        step,
        stepsPerSecond: actors.get(lastBlock)?.figures.updatesPerSecond ?? 0,
        actors: list,
        evaluation,
      };
    },
  };
}
