/**
 * The grammar of subjects, in both directions. Everything on the bus is under `kn.v1`:
 *
 *     kn.v1.<run>.<plane>.<slice>     the messages of a run
 *     kn.v1.node.<node>.<what>        a process that hosts actors
 *     kn.v1.infer.<model>             inference requests to a model
 *     kn.v1.observe.<model>           inputs sampled from live traffic, for continuous training
 *
 * A run must not be named node, infer or observe: each subject has one meaning.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { refusal } from "../wire/refusal.ts";
import { isRunName, isSubjectToken } from "./token.ts";

/**
 * The planes of a run: `batch` from the feeder, `act` activations forward, `grad` gradients back, `syn` predicted
 * gradients, `hint` teacher outputs, `evt` facts, `ctl` commands.
 */
export const PLANES = ["batch", "act", "grad", "syn", "hint", "evt", "ctl"] as const;
export type Plane = (typeof PLANES)[number];

export type ParsedSubject =
  | { readonly kind: "run"; readonly run: string; readonly plane: Plane; readonly slice: string }
  | { readonly kind: "node"; readonly node: string; readonly what: string }
  | { readonly kind: "infer"; readonly model: string }
  | { readonly kind: "observe"; readonly model: string };

/**
 * @param slice index of a block or boundary, or an actor's name.
 * @throws KnowledgeNetError KN_CONFIG when `run` or `slice` is no token or `run` is reserved.
 */
export function runSubject(run: string, plane: Plane, slice: string | number): string {
  if (!isRunName(run)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "name a subject",
      rule: "a run must be 1 to 64 characters of [A-Za-z0-9_-] and not node, infer or observe",
      value: JSON.stringify(run),
      remedy: "rename the run",
    });
  }
  return `kn.v1.${run}.${plane}.${token("slice", String(slice))}`;
}

/** @throws KnowledgeNetError KN_CONFIG when one of them is no token. */
export function nodeSubject(node: string, what: string): string {
  return `kn.v1.node.${token("node", node)}.${token("what", what)}`;
}

/** @throws KnowledgeNetError KN_CONFIG when `model` is no token. */
export function inferSubject(model: string): string {
  return `kn.v1.infer.${token("model", model)}`;
}

/** @throws KnowledgeNetError KN_CONFIG when `model` is no token. */
export function observeSubject(model: string): string {
  return `kn.v1.observe.${token("model", model)}`;
}

/** The inverse of the four above. @throws KnowledgeNetError KN_DECODE on any other subject, wildcards included. */
export function parseSubject(subject: string): ParsedSubject {
  const [root, generation, ...tokens] = subject.split(".", 6); // a sixth is already one too many
  const [first = "", second = "", third = ""] = tokens;
  if (root === "kn" && generation === "v1" && tokens.every(isSubjectToken)) {
    if (tokens.length === 2 && (first === "infer" || first === "observe")) return { kind: first, model: second };
    if (tokens.length === 3 && first === "node") return { kind: "node", node: second, what: third };
    if (tokens.length === 3 && isRunName(first) && isPlane(second))
      return { kind: "run", run: first, plane: second, slice: third };
  }
  throw refusal("read a subject", "it must follow the grammar kn.v1.<run>.<plane>.<slice> or a sibling", subject);
}

function isPlane(text: string): text is Plane {
  return (PLANES as readonly string[]).includes(text);
}

function token(name: string, text: string): string {
  if (isSubjectToken(text)) return text;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "name a subject",
    rule: `its ${name} must be 1 to 64 characters of [A-Za-z0-9_-]`,
    value: JSON.stringify(text),
  });
}
