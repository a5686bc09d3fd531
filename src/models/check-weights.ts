/** Whether weights are those of a block of a network: names, types and shapes, every value finite. Pure. */
import { KnowledgeNetError } from "../errors/index.ts";
import { isAllFinite } from "../messages/index.ts";
import { layersOfBlocks, measureLayers, type ModelSpec } from "../run-spec/index.ts";
import type { NamedTensors } from "./release.ts";

/** Shape of each weight of each block, by `weights/<layer>/<weight>`. */
export type WeightShapes = readonly Readonly<Record<string, readonly number[]>>[];

/** @throws KnowledgeNetError KN_SHAPE when the layers of the network do not fit together */
export function weightShapesOf(network: ModelSpec): WeightShapes {
  const measures = new Map(measureLayers(network).map((each) => [each.name, each]));
  return layersOfBlocks(network).map((layers) =>
    Object.fromEntries(
      layers.flatMap(({ name }) =>
        Object.entries(measures.get(name)?.weights ?? {}).map(([weight, shape]) => [
          `weights/${name}/${weight}`,
          shape,
        ]),
      ),
    ),
  );
}

/** The weights of `tensors` that each block has: optimiser states, averages and other networks are left out. */
export function partsOf(network: ModelSpec, tensors: NamedTensors): NamedTensors[] {
  return weightShapesOf(network).map((shapes) =>
    Object.fromEntries(
      Object.keys(shapes).flatMap((name) => {
        const tensor = tensors[name];
        return tensor === undefined ? [] : [[name, tensor]];
      }),
    ),
  );
}

/**
 * @param attempt for the message: "publish digits"
 * @throws KnowledgeNetError KN_CHECKPOINT when a weight is missing, of another type or shape, unknown, or not finite
 */
export function assertWeights(attempt: string, shapes: WeightShapes[number], tensors: NamedTensors): void {
  const refuse = (rule: string, value: string, remedy: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CHECKPOINT", { attempt, rule, value, remedy });
  const describe = (dtype: string, shape: readonly number[]): string => `${dtype} [${shape.join(", ")}]`;
  const publish = "publish the run that trained this network";
  for (const [name, shape] of Object.entries(shapes)) {
    const tensor = tensors[name];
    const found = tensor === undefined ? "absent" : describe(tensor.dtype, tensor.shape);
    const expected = describe("f32", shape);
    if (tensor === undefined || found !== expected)
      throw refuse(`the network's weight ${name} must be ${expected}`, found, publish);
    const { values } = tensor;
    if (values instanceof Float32Array && !isAllFinite(values)) {
      const bad = values.findIndex((value) => !Number.isFinite(value));
      const value = `${name}[${bad}] is ${tensor.values[bad]}`;
      throw refuse("every weight must be finite", value, "the run has diverged: publish an earlier generation");
    }
  }
  const unknown = Object.keys(tensors).find((name) => !(name in shapes));
  if (unknown !== undefined) throw refuse("it must hold the weights of its layers and no others", unknown, publish);
}
