/**
 * Weight updates with a state that can be saved: tfjs's own optimisers keep theirs private and lose the step's learning
 * rate. The rate comes with every call, so a schedule needs no state of its own.
 */
import * as tf from "@tensorflow/tfjs";
import type { OptimizerSpec } from "../../../run-spec/index.ts";

/**
 * For each variable in order, a bool tensor of its shape (borrowed): true where it may change; undefined: nowhere. Applied
 * to the new weight, not to the gradient: momentum and weight decay move no other value either.
 */
export type UpdateMasks = readonly (tf.Tensor | undefined)[];

export interface Optimizer {
  /** Updates applied so far. */
  readonly updates: number;
  /**
   * Changes `variables` by `gradients` (same order and shapes; borrowed), where `masks` allows it. The state moves
   * everywhere, so that it is the same whatever is masked next.
   */
  apply(
    variables: readonly tf.Variable[],
    gradients: readonly tf.Tensor[],
    learningRate: number,
    masks?: UpdateMasks,
  ): void;
  /** The state as tensors by name, borrowed. */
  state(): Readonly<Record<string, tf.Tensor>>;
  /** Takes over a saved state. @throws TypeError when a tensor is missing. */
  restore(updates: number, read: (name: string, like: tf.Tensor) => tf.Tensor, variables: readonly tf.Variable[]): void;
  dispose(): void;
}

/** A rule for one variable: its slots (moments) and how a gradient changes them and the weight. */
interface UpdateRule {
  readonly slots: readonly string[];
  step(
    weight: tf.Tensor,
    gradient: tf.Tensor,
    slots: readonly tf.Tensor[],
    learningRate: number,
    update: number,
  ): {
    readonly weight: tf.Tensor;
    readonly slots: readonly tf.Tensor[];
  };
}

/** The two kinds of the spec. @default beta1 0.9, beta2 0.999, epsilon 1e-8 (the paper's), momentum 0.9, Nesterov */
type AdamSpec = Extract<OptimizerSpec, { kind: "adam" }>;
type SgdSpec = Extract<OptimizerSpec, { kind: "sgd" }>;

/** Adam (Kingma and Ba 2014, algorithm 1, with the efficient form of section 2). */
function adam({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamSpec): UpdateRule {
  return {
    slots: ["m", "v"],
    step(weight, gradient, [m, v], learningRate, update) {
      if (m === undefined || v === undefined) throw new TypeError("adam needs two slots");
      const nextM = m.mul(beta1).add(gradient.mul(1 - beta1));
      const nextV = v.mul(beta2).add(gradient.square().mul(1 - beta2));
      const correction = Math.sqrt(1 - beta2 ** update);
      const rate = (learningRate * correction) / (1 - beta1 ** update);
      return {
        weight: weight.sub(nextM.div(nextV.sqrt().add(epsilon * correction)).mul(rate)),
        slots: [nextM, nextV],
      };
    },
  };
}

/** SGD with momentum, as in PyTorch: v = mu v + g; w -= lr (g + mu v) with Nesterov, else w -= lr v. */
function sgd({ momentum = 0.9, nesterov = true, weightDecay = 0 }: SgdSpec): UpdateRule {
  return {
    slots: ["velocity"],
    step(weight, gradient, [velocity], learningRate) {
      if (velocity === undefined) throw new TypeError("sgd needs one slot");
      const penalised = weightDecay > 0 && weight.rank >= 2 ? gradient.add(weight.mul(weightDecay)) : gradient;
      const next = velocity.mul(momentum).add(penalised);
      const direction = nesterov ? penalised.add(next.mul(momentum)) : next;
      return { weight: weight.sub(direction.mul(learningRate)), slots: [next] };
    },
  };
}

export function createOptimizer(options: OptimizerSpec): Optimizer {
  const rule = options.kind === "adam" ? adam(options) : sgd(options);
  const slots = new Map<string, tf.Tensor>(); // "<slot>/<index of the variable>"
  let updates = 0;

  const replace = (key: string, tensor: tf.Tensor): void => {
    slots.get(key)?.dispose();
    slots.set(key, tf.keep(tensor));
  };

  const clear = (): void => {
    for (const tensor of slots.values()) tensor.dispose();
    slots.clear();
  };

  return {
    get updates() {
      return updates;
    },
    apply(variables, gradients, learningRate, masks) {
      updates += 1;
      variables.forEach((variable, index) => {
        const gradient = gradients[index];
        if (gradient === undefined) throw new TypeError(`no gradient for variable ${variable.name}`);
        const keys = rule.slots.map((slot) => `${slot}/${index}`);
        tf.tidy(() => {
          const before = keys.map((key) => slots.get(key) ?? tf.zerosLike(variable));
          const after = rule.step(variable, gradient, before, learningRate, updates);
          if (masks === undefined) variable.assign(after.weight);
          else assignWithin(variable, after.weight, masks[index]);
          keys.forEach((key, slot) => {
            replace(key, after.slots[slot] as tf.Tensor);
          });
        });
      });
    },
    state: () => Object.fromEntries(slots),
    restore(saved, read, variables) {
      updates = saved;
      if (saved === 0) {
        clear(); // slots come with the first update
        return;
      }
      variables.forEach((variable, index) => {
        for (const slot of rule.slots) replace(`${slot}/${index}`, read(`${slot}/${index}`, variable));
      });
    },
    dispose: clear,
  };
}

/** Values outside the mask keep their bits, whatever `after` has there. */
function assignWithin(variable: tf.Variable, after: tf.Tensor, mask: tf.Tensor | undefined): void {
  if (mask !== undefined) variable.assign(tf.where(mask, after, variable));
}
