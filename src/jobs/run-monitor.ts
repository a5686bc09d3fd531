/** Gathers the figures of a running run from its events, for views. Pure: events and times in, figures out. */
import type { Event, EvaluationMeasured, GradientQuality } from "../messages/index.ts";

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
  /** Training batches that its weights do not include, by cause. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Training batches retained until their gradient arrives. */
  readonly pending: number;
  /** Distance of a student section to its teacher. */
  readonly hintLoss: number | undefined;
  /** Of a teacher section: hits, misses, refused, saved_macs. */
  readonly cache: Readonly<Record<string, number>> | undefined;
  /** Sent for training over the last seconds, by plane. */
  readonly bytesPerSecond: Readonly<Record<string, number>>;
}

/** An event of the run, for a reader. */
export interface MonitorEvent {
  readonly actor: string;
  readonly step: number;
  readonly text: string;
}

export interface MonitorFigures {
  /** Newest training step that the last learner has finished. */
  readonly step: number;
  readonly stepsPerSecond: number;
  readonly actors: readonly ActorFigures[];
  /** Newest evaluation so far, possibly still growing. */
  readonly evaluation: (EvaluationMeasured & { readonly step: number }) | undefined;
  /** The newest events, oldest first. */
  readonly events: readonly MonitorEvent[];
}

export interface RunMonitor {
  /** @param nowMs monotonic time of arrival */
  observe(event: Event, nowMs: number): void;
  figures(): MonitorFigures;
}

/** Averaging window of the rates, ms. */
const RATE_WINDOW_MS = 5_000;
/** Number of events kept. */
const KEPT_EVENTS = 50;

interface Tracked {
  figures: ActorFigures;
  /** Of the last seconds, oldest first. */
  readonly history: {
    readonly atMs: number;
    readonly applied: number;
    readonly sentBytes: Readonly<Record<string, number>>;
  }[];
}

export function createRunMonitor(lastLearner: string): RunMonitor {
  const actors = new Map<string, Tracked>();
  let step = 0;
  let evaluation: MonitorFigures["evaluation"];
  const events: MonitorEvent[] = [];

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
        skipped: {},
        pending: 0,
        hintLoss: undefined,
        cache: undefined,
        bytesPerSecond: {},
      },
      history: [],
    };
    actors.set(id, fresh);
    return fresh;
  };

  return {
    observe({ header, fact }, nowMs) {
      const tracked = track(header.sender);
      const happened = (text: string): void => {
        events.push({ actor: header.sender, step: header.step, text });
        if (events.length > KEPT_EVENTS) events.shift();
      };
      switch (fact.kind) {
        case "StateEntered":
          if (tracked.figures.state !== fact.state) happened(`is ${fact.state}`);
          tracked.figures = { ...tracked.figures, state: fact.state };
          return;
        case "Progress": {
          if (header.sender === lastLearner) step = Math.max(step, header.step);
          const { history } = tracked;
          history.push({ atMs: nowMs, applied: fact.applied, sentBytes: fact.sentBytes });
          while ((history[0]?.atMs ?? nowMs) < nowMs - RATE_WINDOW_MS) history.shift();
          const first = history[0];
          const seconds = first === undefined ? 0 : (nowMs - first.atMs) / 1000;
          tracked.figures = {
            ...tracked.figures,
            // A monitor that starts later has missed the state.
            state: tracked.figures.state === "starting" ? "running" : tracked.figures.state,
            consumed: fact.consumed,
            applied: fact.applied,
            updatesPerSecond: first === undefined || seconds === 0 ? 0 : (fact.applied - first.applied) / seconds,
            stalenessSteps: fact.stalenessSteps,
            computeMs: fact.computeMs,
            loss: fact.loss ?? tracked.figures.loss,
            quality: fact.quality ?? tracked.figures.quality,
            drops: fact.drops,
            skipped: fact.skipped,
            pending: fact.pending,
            hintLoss: fact.hintLoss ?? tracked.figures.hintLoss,
            cache: fact.cache ?? tracked.figures.cache,
            bytesPerSecond:
              first === undefined || seconds === 0
                ? {}
                : Object.fromEntries(
                    Object.entries(fact.sentBytes).map(([plane, sent]) => [
                      plane,
                      Math.max(0, sent - (first.sentBytes[plane] ?? 0)) / seconds,
                    ]),
                  ),
          };
          return;
        }
        case "EvaluationMeasured":
          evaluation = { ...fact, step: header.step };
          return;
        case "Failure":
          tracked.figures = { ...tracked.figures, state: `failed: ${fact.code}` };
          happened(`${fact.directive}: ${fact.message}`);
          return;
        case "CheckpointSaved":
          happened(`saved ${fact.name}`);
          return;
        case "SourceSwitched":
          happened(`${fact.from} -> ${fact.to}: ${fact.reason}`);
          return;
        case "TeacherChanged":
          happened(`changed to version ${fact.to} of the teacher, from ${fact.from}`);
          return;
        case "FeederMark":
          happened(`${fact.mark}, epoch ${fact.epoch}`);
          return;
      }
    },
    figures() {
      const list = [...actors.values()].map(({ figures }) => figures).sort((a, b) => a.id.localeCompare(b.id));
      return {
        step,
        stepsPerSecond: actors.get(lastLearner)?.figures.updatesPerSecond ?? 0,
        actors: list,
        evaluation,
        events: [...events],
      };
    },
  };
}
