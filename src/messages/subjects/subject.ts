/**
 * The grammar of subjects. Everything on the bus is under `kn.v1`:
 *
 *     kn.v1.<run>.<plane>.<slice>     the messages of a run
 *     kn.v1.node.<node>.<what>        a process that hosts actors
 *     kn.v1.infer.<model>[.pressure]  requests for inference; that they wait too long
 *     kn.v1.observe.<model>           inputs that the live release answered
 *     kn.v1.update.<model>[.full]     updates of what devices serve; requests for a full one
 *
 * A run must not be named node, nor infer, observe or update: these are reserved for served models.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { isRunName, isSubjectToken } from "./token.ts";

/**
 * The planes of a run: `batch` from the feeder, `act` activations forward, `grad` gradients back, `syn` predicted
 * gradients, `hint` teacher outputs, `infer` batches of inference and their results, `evt` facts, `ctl` commands.
 */
export const PLANES = ["batch", "act", "grad", "syn", "hint", "infer", "evt", "ctl"] as const;
export type Plane = (typeof PLANES)[number];

/**
 * @param slice index of a block or boundary, or an actor's name.
 * @throws KnowledgeNetError KN_CONFIG when `run` or `slice` is no token or `run` is reserved.
 */
export function runSubject(run: string, plane: Plane, slice: string | number): string {
  if (!isRunName(run)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "name a subject",
      rule: "a run must be 1 to 64 characters of [A-Za-z0-9_-] and not node, infer, observe or update",
      value: JSON.stringify(run),
      remedy: "rename the run",
    });
  }
  return `kn.v1.${run}.${plane}.${token("slice", String(slice))}`;
}

/** Requests for inference. @throws KnowledgeNetError KN_CONFIG when `model` is no token. */
export function inferSubject(model: string): string {
  return `kn.v1.infer.${token("model", model)}`;
}

/** Notices that requests for inference wait too long; `*`: of any model. @throws KnowledgeNetError KN_CONFIG */
export function pressureSubject(model: string): string {
  return `kn.v1.infer.${model === "*" ? model : token("model", model)}.pressure`;
}

/** Inputs that the live release of a model answered. @throws KnowledgeNetError KN_CONFIG when `model` is no token. */
export function observeSubject(model: string): string {
  return `kn.v1.observe.${token("model", model)}`;
}

/** Updates of what devices serve. @throws KnowledgeNetError KN_CONFIG when `model` is no token. */
export function updateSubject(model: string): string {
  return `kn.v1.update.${token("model", model)}`;
}

/** Devices' requests for a full update. @throws KnowledgeNetError KN_CONFIG when `model` is no token. */
export function fullUpdateSubject(model: string): string {
  return `${updateSubject(model)}.full`;
}

/** @throws KnowledgeNetError KN_CONFIG when one of them is no token. */
export function nodeSubject(node: string, what: string): string {
  return `kn.v1.node.${token("node", node)}.${token("what", what)}`;
}

function token(name: string, text: string): string {
  if (isSubjectToken(text)) return text;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "name a subject",
    rule: `its ${name} must be 1 to 64 characters of [A-Za-z0-9_-]`,
    value: JSON.stringify(text),
  });
}
