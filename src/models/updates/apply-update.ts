/** Updates applied to a copy of the weights. Pure; the base is borrowed and never changed. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { changeOf, type ModelUpdate, type TensorChange } from "../../messages/index.ts";
import type { NamedTensors } from "../release.ts";
import { digestOfTensors, namesInOrder } from "./tensor-digest.ts";

/** Shape of each tensor of a model, by name; all are f32. */
export type TensorShapes = Readonly<Record<string, readonly number[]>>;

/**
 * The tensors after `steps`, which build on one another, verified by the digest of the last one. Tensors that no step
 * changes are those of `base`, not copies. Takes the memory of what is changed.
 * @param base absent: the first step is a full update
 * @throws KnowledgeNetError KN_DECODE when a step does not fit the model, or the result has another digest
 */
export function applyUpdates(
  steps: readonly ModelUpdate[],
  shapes: TensorShapes,
  base: NamedTensors | undefined,
): NamedTensors {
  let tensors = base ?? {};
  for (const step of steps) tensors = setValues(step, step.tensors.map(changeOf), shapes, tensors);
  const last = steps.at(-1);
  if (last === undefined) return tensors;
  const digest = digestOfTensors(tensors);
  if (digest === last.result.digest) return tensors;
  throw refuse(last, `the tensors must have the digest ${last.result.digest}`, digest);
}

/** @throws KnowledgeNetError KN_DECODE when a change does not fit the tensor that it names */
export function setValues(
  update: Pick<ModelUpdate, "model" | "kind" | "result">,
  changes: readonly TensorChange[],
  shapes: TensorShapes,
  base: NamedTensors,
): NamedTensors {
  const names = namesInOrder(shapes);
  if (update.kind === "full" && changes.length !== names.length) {
    throw refuse(update, `a full one must have all ${names.length} tensors`, changes.length);
  }
  const tensors: Record<string, NamedTensors[string]> = update.kind === "full" ? {} : { ...base };
  for (const change of changes) {
    const name = names[change.tensor];
    const shape = name === undefined ? undefined : shapes[name];
    if (name === undefined || shape === undefined) {
      throw refuse(update, `its tensors must be among the model's ${names.length}`, change.tensor);
    }
    const elements = shape.reduce((product, extent) => product * extent, 1);
    const channels = shape.at(-1) ?? 1;
    if (change.elements !== elements || change.channels !== channels) {
      const value = `${change.elements} in ${change.channels} channels`;
      throw refuse(update, `${name} must have ${elements} values in ${channels} channels`, value);
    }
    tensors[name] = { dtype: "f32", shape, values: valuesAfter(change, base[name]?.values) };
  }
  return tensors;
}

/** [elements], a new array. */
function valuesAfter(
  { selection, elements, channels, values }: TensorChange,
  base: ArrayLike<number> | undefined,
): Float32Array {
  if (selection.kind === "whole") return values.slice();
  const after = base === undefined ? new Float32Array(elements) : Float32Array.from(base);
  if (selection.kind === "indices") {
    selection.at.forEach((place, position) => {
      after[place] = values[position] as number;
    });
    return after;
  }
  let position = 0;
  for (let row = 0; row < elements; row += channels) {
    for (const channel of selection.at) {
      after[row + channel] = values[position] as number;
      position += 1;
    }
  }
  return after;
}

function refuse(
  { model, result }: Pick<ModelUpdate, "model" | "result">,
  rule: string,
  value: string | number,
): KnowledgeNetError {
  return new KnowledgeNetError("KN_DECODE", {
    attempt: `apply update ${result.number} of ${model}`,
    rule,
    value: String(value),
    remedy: "a full one is requested",
  });
}
