/**
 * Names of actors. An actor's id is its token in subjects, leases, checkpoints and records; this file is the only place
 * that builds one from a kind and an index, or takes one apart. Pure.
 *
 * @example
 * actorRef("gradient-model", 2).id; // "gradient-2"
 * parseActorRef("teacher-1-2"); // { kind: "teacher-section", index: 1, copy: 2, id: "teacher-1-2" }
 * parseActorRef("view"); // undefined: on the bus, but not an actor
 */

/** The id of each kind: a word alone for a kind of which a run has one, else a word and the index. */
const FORMS = {
  feeder: { word: "feeder", isSingle: true },
  coordinator: { word: "coordinator", isSingle: true },
  block: { word: "block", isSingle: false },
  "gradient-model": { word: "gradient", isSingle: false },
  "teacher-section": { word: "teacher", isSingle: false },
  "student-section": { word: "student", isSingle: false },
  /** All sections of the student in one actor, trained end to end. */
  "whole-student": { word: "student", isSingle: true },
  /** The same student, trained on the labels only, for comparison. */
  "student-alone": { word: "student-alone", isSingle: true },
  /** Computes one slice of a served network. */
  replica: { word: "replica", isSingle: false },
  /** Admits, batches and routes requests for inference. */
  gateway: { word: "gateway", isSingle: false },
  /** Trains a student on what its observers see and the oracle says. */
  learner: { word: "learner", isSingle: true },
  /** Follows a learner: makes what it promotes live on this site. */
  updater: { word: "updater", isSingle: false },
  /** Chooses live inputs of a served model within a budget. */
  observer: { word: "observer", isSingle: false },
} as const satisfies Record<string, { readonly word: string; readonly isSingle: boolean }>;

export type ActorKind = keyof typeof FORMS;
export const ACTOR_KINDS = Object.keys(FORMS) as readonly ActorKind[];

export interface ActorRef {
  readonly kind: ActorKind;
  /** Block, boundary, section or slice, from 0; 0 for a kind of which a run has one. */
  readonly index: number;
  /** Of a section or slice with copies: which one, from 0. Copy 0 has the id of one without copies. */
  readonly copy: number;
  /** Unique in its run: "feeder", "block-0", "gradient-1". */
  readonly id: string;
}

/** Kinds of which several actors may do the same work. */
const COPIED: readonly ActorKind[] = ["teacher-section", "replica"];

/** @throws RangeError for an index or copy that the kind does not have. */
export function actorRef(kind: ActorKind, index = 0, copy = 0): ActorRef {
  const { word, isSingle } = FORMS[kind];
  const isIndex = Number.isSafeInteger(index) && index >= 0 && (index === 0 || !isSingle);
  const isCopy = Number.isSafeInteger(copy) && copy >= 0 && (copy === 0 || COPIED.includes(kind));
  if (!isIndex || !isCopy) throw new RangeError(`there is no ${kind} ${index}, copy ${copy}`);
  if (isSingle) return { kind, index, copy, id: word };
  return { kind, index, copy, id: copy === 0 ? `${word}-${index}` : `${word}-${index}-${copy}` };
}

/** The only inverse of `actorRef`: `parseActorRef(ref.id)` equals `ref`. @returns undefined for any other text. */
export function parseActorRef(id: string): ActorRef | undefined {
  const single = ACTOR_KINDS.find((kind) => FORMS[kind].isSingle && FORMS[kind].word === id);
  if (single !== undefined) return actorRef(single);
  const [, word, index, copy] = /^([a-z]+)-(0|[1-9]\d{0,8})(?:-([1-9]\d{0,8}))?$/.exec(id) ?? [];
  const kind = ACTOR_KINDS.find((each) => !FORMS[each].isSingle && FORMS[each].word === word);
  if (kind === undefined || (copy !== undefined && !COPIED.includes(kind))) return undefined;
  return actorRef(kind, Number(index), Number(copy ?? 0));
}

export const FEEDER = actorRef("feeder").id;
export const COORDINATOR = actorRef("coordinator").id;
export const LEARNER = actorRef("learner").id;
/** The whole student, trained end to end. */
export const STUDENT = actorRef("whole-student").id;
/** The same student, trained alone. */
export const BASELINE = actorRef("student-alone").id;

/** Id of the actor of block `index`. */
export function blockActor(index: number): string {
  return actorRef("block", index).id;
}

/** Id of the gradient model of boundary `index`, between block `index` and the next. */
export function gradientActor(index: number): string {
  return actorRef("gradient-model", index).id;
}

/** Id of the teacher's section `index`. */
export function teacherActor(index: number, copy = 0): string {
  return actorRef("teacher-section", index, copy).id;
}

/** Id of the student's section `index`. */
export function studentActor(index: number): string {
  return actorRef("student-section", index).id;
}

/** Id of a replica of slice `index` of a served network. */
export function replicaActor(index: number, copy = 0): string {
  return actorRef("replica", index, copy).id;
}

/** Id of gateway `index` of a served model. */
export function gatewayActor(index: number): string {
  return actorRef("gateway", index).id;
}

/** Id of updater `index` of a served model. */
export function updaterActor(index: number): string {
  return actorRef("updater", index).id;
}

/** Id of the observer of a model beside gateway `index`. */
export function observerActor(index: number): string {
  return actorRef("observer", index).id;
}
