/** Tokens of a subject: the name of a run, an actor, a slice, a node or a model. */
const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;

/** The runs' names that would read as another branch of the tree. */
const RESERVED = new Set(["node", "infer", "observe", "update"]);

export function isSubjectToken(text: string): boolean {
  return TOKEN.test(text);
}

/** A token that names a run. */
export function isRunName(text: string): boolean {
  return TOKEN.test(text) && !RESERVED.has(text);
}
