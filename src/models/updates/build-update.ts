/**
 * An update from the weights that devices have and those that were trained: the bytes to send, and the weights as every
 * device will reconstruct them. The gate judges the latter: they are not what was trained, since values outside the
 * selection stay as they were and those within it are quantised. Pure.
 */
import {
  type CodedTensor,
  codeTensor,
  changeOf,
  encodeModelUpdate,
  encodeSignedUpdate,
  type ModelUpdate,
  type NumberedWeights,
  type TensorSelection,
  type ValueCoding,
} from "../../messages/index.ts";
import type { NamedTensors } from "../release.ts";
import type { Signer } from "../signature.ts";
import { setValues, type TensorShapes } from "./apply-update.ts";
import type { Selected } from "./select-values.ts";
import { digestOfTensors, namesInOrder } from "./tensor-digest.ts";

/** What to send. `whole`: tensors that go along whole, in f32; @default those of batch norm's statistics. */
export type UpdateContent =
  | {
      readonly kind: "masked";
      readonly indices: Selected;
      readonly coding: ValueCoding;
      readonly whole?: readonly string[];
    }
  | {
      readonly kind: "channels";
      readonly channels: Selected;
      readonly coding: ValueCoding;
      readonly whole?: readonly string[];
    }
  | { readonly kind: "batch-norm" }
  /** @param coding @default f32, which reconstructs the very weights */
  | { readonly kind: "full"; readonly coding?: ValueCoding }
  /** The trained weights are those that devices had under an earlier number, and may still keep. */
  | { readonly kind: "restore" };

export interface UpdateRequest {
  readonly model: string;
  /** Of the release that it makes. */
  readonly number: number;
  /** What devices have; not looked at for a full update. Borrowed. */
  readonly base?: { readonly number: number; readonly tensors: NamedTensors };
  /** Borrowed; all f32. */
  readonly trained: NamedTensors;
  readonly content: UpdateContent;
  /** @default nobody */
  readonly signer?: Signer;
}

export interface BuiltUpdate {
  /** A SignedUpdate. */
  readonly bytes: Uint8Array;
  readonly update: ModelUpdate;
  /** As a device reconstructs them; tensors that are not in the update are those of the base, not copies. */
  readonly tensors: NamedTensors;
  readonly result: NumberedWeights;
  readonly sizes: {
    readonly totalBytes: number;
    readonly gapBytes: number;
    readonly scaleBytes: number;
    readonly valueBytes: number;
    /** Values that it sets. */
    readonly values: number;
  };
}

const STATISTICS = /\/moving_(mean|variance)$/;
const F32: ValueCoding = { codec: "f32" };

/** The tensors of batch norm's moving statistics. */
export function batchNormStatistics(tensors: Readonly<Record<string, unknown>>): string[] {
  return namesInOrder(tensors).filter((name) => STATISTICS.test(name));
}

/**
 * @throws KnowledgeNetError KN_NUMERIC on a value that the codec does not carry; RangeError when base, trained weights and
 * content do not fit together
 */
export function buildUpdate({ model, number, base, trained, content, signer }: UpdateRequest): BuiltUpdate {
  const { kind } = content;
  const names = namesInOrder(trained);
  const shapes: TensorShapes = Object.fromEntries(names.map((name) => [name, shapeOf(trained, name)]));
  if (kind !== "full" && base === undefined) throw new RangeError(`a ${kind} update must have a base`);
  if (base !== undefined) assertSameShapes(shapes, base.tensors);

  const selections = selectionsOf(content, names);
  const tensors = names.flatMap((name, tensor): CodedTensor[] => {
    const given = selections.get(name);
    return given === undefined ? [] : [codeSelected(tensor, trained[name], given)];
  });
  for (const name of selections.keys()) {
    if (!(name in trained)) throw new RangeError(`the content must be of the model's tensors, not ${name}`);
  }

  const changes = tensors.map(changeOf);
  const record = { model, kind, result: { number, digest: "" } };
  const rebuilt = kind === "restore" ? trained : setValues(record, changes, shapes, base?.tensors ?? {});
  const result = { number, digest: digestOfTensors(rebuilt) };
  const from =
    kind === "full" || base === undefined
      ? {}
      : { base: { number: base.number, digest: digestOfTensors(base.tensors) } };
  const update: ModelUpdate = { model, kind, result, ...from, tensors };
  const encoded = encodeModelUpdate(update);
  const signature = signer?.signUpdate(encoded);
  const bytes = encodeSignedUpdate({ update: encoded, ...(signature === undefined ? {} : { signature }) });
  const sum = (part: (coded: CodedTensor) => number): number => tensors.reduce((all, coded) => all + part(coded), 0);
  return {
    ...{ bytes, update, tensors: rebuilt, result },
    sizes: {
      totalBytes: bytes.length,
      gapBytes: sum(({ gaps }) => gaps.length),
      scaleBytes: sum(({ scales }) => scales.length),
      valueBytes: sum((coded) => coded.data.length),
      values: changes.reduce((all, { values }) => all + values.length, 0),
    },
  };
}

interface SelectedTensor {
  readonly selection: TensorSelection;
  readonly coding: ValueCoding;
}

/** What is sent of each tensor; a tensor that is sent whole is not selected from besides. */
function selectionsOf(content: UpdateContent, names: readonly string[]): Map<string, SelectedTensor> {
  const whole = (list: readonly string[], coding: ValueCoding): [string, SelectedTensor][] =>
    list.map((name) => [name, { selection: { kind: "whole" }, coding }]);
  const statistics = names.filter((name) => STATISTICS.test(name));
  const part = (kind: "indices" | "channels", selected: Selected, coding: ValueCoding): [string, SelectedTensor][] =>
    Object.entries(selected).map(([name, at]) => [name, { selection: { kind, at }, coding }]);
  switch (content.kind) {
    case "masked":
      return new Map([...part("indices", content.indices, content.coding), ...whole(content.whole ?? statistics, F32)]);
    case "channels":
      return new Map([
        ...part("channels", content.channels, content.coding),
        ...whole(content.whole ?? statistics, F32),
      ]);
    case "batch-norm":
      return new Map(whole(statistics, F32));
    case "full":
      return new Map(whole(names, content.coding ?? F32));
    case "restore":
      return new Map();
  }
}

function codeSelected(
  tensor: number,
  trained: NamedTensors[string] | undefined,
  { selection, coding }: SelectedTensor,
): CodedTensor {
  const values = trained?.values ?? new Float32Array(0);
  const channels = trained?.shape.at(-1) ?? 1;
  return codeTensor(
    { tensor, elements: values.length, channels, selection, values: pick(values, channels, selection) },
    coding,
  );
}

/** The selected values, row-major. */
function pick(values: ArrayLike<number>, channels: number, selection: TensorSelection): Float32Array {
  if (selection.kind === "whole") return Float32Array.from(values);
  const { at } = selection;
  if (selection.kind === "indices") return Float32Array.from(at, (place) => values[place] as number);
  const rows = values.length / channels;
  return Float32Array.from({ length: rows * at.length }, (_, position) => {
    const row = Math.floor(position / at.length);
    return values[row * channels + (at[position % at.length] as number)] as number;
  });
}

function shapeOf(tensors: NamedTensors, name: string): readonly number[] {
  const tensor = tensors[name];
  if (tensor?.dtype !== "f32") throw new RangeError(`${name} must be f32, not ${tensor?.dtype}`);
  return tensor.shape;
}

function assertSameShapes(shapes: TensorShapes, base: NamedTensors): void {
  const describe = (list: TensorShapes): string => JSON.stringify(namesInOrder(list).map((name) => [name, list[name]]));
  const own = Object.fromEntries(namesInOrder(base).map((name) => [name, shapeOf(base, name)]));
  if (describe(shapes) !== describe(own)) throw new RangeError("base and trained weights must be of one network");
}
