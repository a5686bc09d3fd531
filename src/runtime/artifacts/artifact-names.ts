/**
 * Where artifacts are in a store: one bucket of blobs and one of records for every run and model, so that their number
 * does not grow with the number of runs. A scope is the owner of artifacts and the first two tokens of all their names:
 * `run.<run>` or `model.<model>`. What one scope holds is never referenced by another.
 *
 *     blobs    <scope>.<actor>.<attempt>-<generation>.<digest>     state of an actor
 *              <scope>.part.<digest>                                part of a release
 *     records  <scope>.manifests                                    committed generations of a run
 *              <scope>.fence.<actor>                                newest holder of an actor
 *              <scope>.release.<number>                             a release
 *
 * A name ends in the SHA-256 of its content: a blob is never overwritten by other content, and a reader can verify it.
 */

export const ARTIFACT_BLOBS = "kn-artifacts";
export const ARTIFACT_RECORDS = "kn-manifests";

/** Owner of artifacts: `run.<run>` or `model.<model>`. */
export type ArtifactScope = `run.${string}` | `model.${string}`;

export const scopeOfRun = (run: string): ArtifactScope => `run.${run}`;
export const scopeOfModel = (model: string): ArtifactScope => `model.${model}`;

/** A state of an actor: after which training step, in which uninterrupted history of the run. */
export interface SavedAt {
  readonly attempt: number;
  readonly generation: number;
}

export interface SavedState extends SavedAt {
  readonly name: string;
  /** SHA-256 of the content, lower-case hex. */
  readonly digest: string;
}

export function stateName(scope: ArtifactScope, actor: string, at: SavedAt, digest: string): string {
  return `${scope}.${actor}.${at.attempt}-${at.generation}.${digest}`;
}

const STATE_NAME = /^[a-z]+\.[^.]+\.([^.]+)\.(\d+)-(\d+)\.([0-9a-f]{64})$/;

/** @returns undefined for a name of another kind. */
export function parseStateName(name: string): (SavedState & { readonly actor: string }) | undefined {
  const [, actor, attempt, generation, digest] = STATE_NAME.exec(name) ?? [];
  if (actor === undefined || digest === undefined) return undefined;
  return { name, actor, attempt: Number(attempt), generation: Number(generation), digest };
}

export function partName(scope: ArtifactScope, digest: string): string {
  return `${scope}.part.${digest}`;
}

/** Scope of a blob or a record by its name; undefined: it is of no scope. */
export function scopeOf(name: string): ArtifactScope | undefined {
  const [kind, owner] = name.split(".");
  if (owner === undefined || (kind !== "run" && kind !== "model")) return undefined;
  return `${kind}.${owner}`;
}

/** Newest first. */
export function newestFirst(a: SavedAt, b: SavedAt): number {
  return b.attempt - a.attempt || b.generation - a.generation;
}
