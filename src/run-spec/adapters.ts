/**
 * Adapters: where a student's boundary is narrower than its teacher's, its section ends with a 1x1 convolution (or a
 * dense layer) to the teacher's width, so that it can replace the teacher's section. The finished student has the
 * adapter folded into the next layer (src/compute/distillation/stitch.ts); the choice made here keeps that exact.
 */
import { KnowledgeNetError } from "../errors/index.ts";
import type { LayerSpec } from "./model-spec.ts";

/** The layer that an adapter is folded into. */
export interface FoldTarget {
  readonly layer: Extract<LayerSpec, { type: "conv2d" | "dense" }>;
  /** A shift can be folded too: the layer does not pad, and it has a bias, or batch norm after it. */
  readonly takesShift: boolean;
}

/** Layers that an adapter commutes with: linear, and the same for every channel. */
const TRANSPARENT: readonly LayerSpec["type"][] = [
  "flatten",
  "average_pooling2d",
  "global_average_pooling2d",
  "dropout",
];

/** @returns undefined where an adapter cannot be folded into the first layer that mixes channels. */
export function foldTarget(next: readonly LayerSpec[]): FoldTarget | undefined {
  const position = next.findIndex(({ type }) => !TRANSPARENT.includes(type));
  const layer = next[position];
  if (layer?.type !== "conv2d" && layer?.type !== "dense") return undefined;
  const pads = layer.type === "conv2d" && layer.padding === "same" && !isOne(layer.kernelSize);
  const hasPlace = layer.useBias !== false || next[position + 1]?.type === "batch_normalization";
  return { layer, takesShift: !pads && hasPlace };
}

/**
 * @param own shape of one sample at the student's boundary `index`, `teachers` at the teacher's.
 * @param next the layers of the student's section after the boundary.
 * @returns the adapter's layers; none where the shapes are equal.
 * @throws KnowledgeNetError KN_SHAPE where no adapter can stand between the two.
 */
export function adapterLayers(
  index: number,
  own: readonly number[],
  teachers: readonly number[],
  next: readonly LayerSpec[],
): LayerSpec[] {
  if (own.join() === teachers.join()) return [];
  const refuse = (rule: string, remedy: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_SHAPE", {
      attempt: `match boundary ${index} of student and teacher`,
      rule,
      value: `[${own.join(", ")}] and [${teachers.join(", ")}]`,
      remedy,
    });
  if (own.length !== teachers.length || own.slice(0, -1).join() !== teachers.slice(0, -1).join()) {
    throw refuse("only the last axis may differ", "cut both where height and width are the same");
  }
  const target = foldTarget(next);
  if (target === undefined) {
    throw refuse(
      "an adapter is folded into the next section's first layer, which must be a convolution or dense",
      `cut the student before one; the next section begins with ${next[0]?.type ?? "nothing"}`,
    );
  }
  const width = teachers.at(-1) ?? 1;
  const name = `adapter-${index}`;
  const linear: LayerSpec =
    own.length === 1
      ? { name, type: "dense", units: width, useBias: false }
      : { name, type: "conv2d", filters: width, kernelSize: 1, useBias: false };
  const norm: LayerSpec = { name: `${name}-norm`, type: "batch_normalization", momentum: 0.9 };
  return target.takesShift ? [linear, norm] : [linear];
}

function isOne(size: number | readonly [number, number]): boolean {
  return typeof size === "number" ? size === 1 : size.every((extent) => extent === 1);
}
