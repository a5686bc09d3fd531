/** The record of a run, folded from the facts of its actors. Effect-free: facts and times in, the record out. */
import {
  type ActorState,
  type EvaluationMeasured,
  type Event,
  type FeederMark,
  type Header,
  NO_PROGRESS,
  type Progress,
} from "../../messages/index.ts";

/** One evaluation: complete once every sample of it is measured. */
export interface EvaluationRecord {
  readonly evaluation: number;
  readonly step: number;
  readonly samples: number;
  readonly accuracy: number;
  /** Mean over the samples, nats. */
  readonly loss: number;
  /** Share of the samples on which student and teacher agree, where there is a teacher; and the teacher's accuracy. */
  readonly agreement?: number | undefined;
  readonly teacherAccuracy?: number | undefined;
  /** Arrival of its newest batch, ms since 1970. */
  readonly atMs: number;
}

/** A boundary whose source is `auto` changed its gradient source. */
export interface SwitchRecord {
  readonly actor: string;
  readonly step: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** A section changed to another version of its teacher. */
export interface TeacherRecord {
  readonly actor: string;
  readonly step: number;
  readonly from: number;
  readonly to: number;
}

/** Everything that the run has reported so far. */
export interface RunRecord {
  readonly evaluations: readonly EvaluationRecord[];
  readonly switches: readonly SwitchRecord[];
  readonly teachers: readonly TeacherRecord[];
  /** Last progress of each actor, by id. */
  readonly progress: Readonly<Record<string, Progress>>;
  /** Epochs finished. */
  readonly epochs: number;
  /** Step of the last checkpoint. */
  readonly step: number;
  /** Generation of the last checkpoint; 0: none. */
  readonly generation: number;
}

/** The mark that the feeder reached last. */
export interface ReachedMark {
  readonly mark: FeederMark["mark"];
  readonly sequence: number;
  readonly step: number;
  /** The last evaluation before it, and how many samples that has; 0: none. */
  readonly evaluation: number;
  readonly evaluationSamples: number;
}

/** An evaluation of which not every sample was measured. */
export interface ShortEvaluation {
  readonly evaluation: number;
  readonly samples: number;
  readonly expected: number;
}

export interface CoordinatorState {
  readonly record: RunRecord;
  readonly generation: number;
  readonly epochs: number;
  /** Newest training step that a learner has taken. */
  readonly published: number;
  readonly mark: ReachedMark | undefined;
  /** The newest measurement, with the sequence of its newest batch: the last learner continues it after a crash. */
  readonly measurement: { readonly fact: EvaluationMeasured; readonly sequence: number } | undefined;
  /** The evaluation before the last mark, where samples of it are missing. */
  readonly shortEvaluation: ShortEvaluation | undefined;
  /** The run's progress, `consumed` being the sequence of `measurement`. */
  readonly summary: Progress;
  progressOf(actor: string): Progress | undefined;
  /** Takes a fact in. */
  note(event: Event, nowMs: number): void;
  /** Takes an answer to ReportState in. */
  report(actor: string, state: ActorState, nowMs: number): void;
  /** @returns whether the feeder reaches this mark for the first time; it repeats a mark until StartFeeding arrives. */
  reach(header: Header, fact: FeederMark): boolean;
  /** A generation is committed. */
  commit(generation: number): void;
  /** Batches pending at the end get no gradient any more: they are counted as unanswered. */
  closeAccount(actor: string): void;
}

/** @param learners actors whose steps count as published. */
export function createCoordinatorState(learners: readonly string[], start: RunRecord | undefined): CoordinatorState {
  const evaluations = new Map((start?.evaluations ?? []).map((record) => [record.evaluation, record]));
  const switches: SwitchRecord[] = [...(start?.switches ?? [])];
  const teachers: TeacherRecord[] = [...(start?.teachers ?? [])];
  const progress: Record<string, Progress> = { ...start?.progress };
  let generation = start?.generation ?? 0;
  let epochs = start?.epochs ?? 0;
  let step = start?.step ?? 0;
  let published = step;
  let mark: ReachedMark | undefined;
  let measurement: CoordinatorState["measurement"];

  const measure = (fact: EvaluationMeasured, atStep: number, nowMs: number): void => {
    const known = evaluations.get(fact.evaluation);
    // A learner that restarted may have measured fewer samples than the one before it.
    if (fact.samples === 0 || fact.samples <= (known?.samples ?? 0)) return;
    evaluations.set(fact.evaluation, {
      evaluation: fact.evaluation,
      step: known?.step ?? atStep,
      samples: fact.samples,
      accuracy: fact.correct / fact.samples,
      loss: fact.lossSum / fact.samples,
      ...(fact.agreeing === undefined ? {} : { agreement: fact.agreeing / fact.samples }),
      ...(fact.teacherCorrect === undefined ? {} : { teacherAccuracy: fact.teacherCorrect / fact.samples }),
      atMs: nowMs,
    });
  };
  const noteProgress = (actor: string, fact: Progress, atStep: number): void => {
    progress[actor] = fact;
    if (learners.includes(actor)) published = Math.max(published, atStep);
  };

  return {
    get record() {
      return {
        evaluations: [...evaluations.values()].sort((a, b) => a.evaluation - b.evaluation),
        switches: [...switches],
        teachers: [...teachers],
        progress: { ...progress },
        epochs,
        step,
        generation,
      };
    },
    get generation() {
      return generation;
    },
    get epochs() {
      return epochs;
    },
    get published() {
      return published;
    },
    get mark() {
      return mark;
    },
    get measurement() {
      return measurement;
    },
    get shortEvaluation() {
      if (mark === undefined || mark.evaluationSamples === 0) return undefined;
      const { evaluation, evaluationSamples: expected } = mark;
      const samples = evaluations.get(evaluation)?.samples ?? 0;
      return samples < expected ? { evaluation, samples, expected } : undefined;
    },
    get summary(): Progress {
      return { ...NO_PROGRESS, consumed: measurement?.sequence ?? 0, step: published };
    },
    progressOf: (actor) => progress[actor],
    note({ header, fact }, nowMs) {
      const { sender: actor, step: atStep, sequence } = header;
      if (fact.kind === "Progress") noteProgress(actor, fact, atStep);
      else if (fact.kind === "EvaluationMeasured") {
        if (sequence > (measurement?.sequence ?? 0)) measurement = { fact, sequence };
        measure(fact, atStep, nowMs);
      } else if (fact.kind === "SourceSwitched") {
        switches.push({ actor, step: atStep, from: fact.from, to: fact.to, reason: fact.reason });
      } else if (fact.kind === "TeacherChanged") {
        teachers.push({ actor, step: atStep, from: fact.from, to: fact.to });
      }
    },
    report(actor, state, nowMs) {
      noteProgress(actor, state.progress, state.progress.step);
      if (state.evaluation !== undefined) measure(state.evaluation, mark?.step ?? 0, nowMs);
    },
    reach({ sequence, step: atStep }, fact) {
      if (fact.mark === mark?.mark && sequence === mark.sequence) return false;
      const { evaluation, evaluationSamples } = fact;
      mark = { mark: fact.mark, sequence, step: atStep, evaluation, evaluationSamples };
      epochs = fact.epoch;
      return true;
    },
    commit(committed) {
      generation = Math.max(generation, committed);
      step = Math.max(step, committed);
    },
    closeAccount(actor) {
      const known = progress[actor];
      if (known === undefined || known.pending === 0) return;
      const unanswered = (known.skipped.unanswered ?? 0) + known.pending;
      progress[actor] = { ...known, pending: 0, skipped: { ...known.skipped, unanswered } };
    },
  };
}
