/**
 * A recorded forward pass whose backward pass comes later: at once, a network round trip later, or never.
 *
 * tfjs computes forward and backward in one call (`tf.grads`). A block must publish its activation before it has its
 * gradient, so the two halves are separated here: `recordTape` runs the forward and keeps what tfjs saved for the
 * backward; `Tape.pullBack` runs the backward, once or, with `keep`, several times. Weights that change in between do
 * no harm: the saved tensors are those of the forward, so the result is the exact gradient at the weights that computed
 * the activation.
 *
 * Why not recompute the forward: it would cost a third more per step, update batch-norm statistics twice and need the
 * same dropout mask again. Why not `tf.grads`: it would block until the gradient has arrived.
 * This is the one file that reaches into tfjs's engine (`state.activeTape`, public but undocumented); its test compares
 * every result with `tf.grads`.
 */
import * as tf from "@tensorflow/tfjs";

interface TapeNode {
  readonly saved?: readonly tf.Tensor[];
}

interface EngineDoor {
  readonly state: { activeTape: TapeNode[] | null; gradientDepth: number };
  startTape(): void;
  endTape(): void;
  gradients(
    forward: () => tf.Tensor,
    inputs: readonly tf.Tensor[],
    outputGradient: tf.Tensor,
    allowNoGradients: boolean,
  ): { readonly grads: readonly (tf.Tensor | undefined)[] };
}

export interface PullBackOptions {
  /** The tape stays, for another pull back of the same batch. @default false */
  readonly keep?: boolean;
}

export interface Tape {
  /** Result of the forward; owned by the tape, disposed with it. */
  readonly output: tf.Tensor;
  /**
   * Bytes kept alive for the backward: each buffer once, at 4 bytes an element. Buffers of weights count too, since an
   * update leaves the old ones to the tapes that still need them.
   */
  readonly retainedBytes: number;
  /**
   * Vector-Jacobian products: the gradient of `sum(output * outputGradient)` by each of `inputs`, zeros where there is
   * no path. The results are the caller's to dispose. Ends the tape, also when it throws, unless `keep` is set.
   * @throws TypeError when the tape has ended already.
   */
  pullBack(outputGradient: tf.Tensor, inputs: readonly tf.Tensor[], options?: PullBackOptions): tf.Tensor[];
  /** Frees everything kept. Safe to call twice. */
  dispose(): void;
}

/** Runs `forward` and keeps the tensors that its backward needs. Must not be called inside `tf.grads`. */
export function recordTape(forward: () => tf.Tensor): Tape {
  const engine = tf.engine() as unknown as EngineDoor;
  if (engine.state.gradientDepth !== 0) throw new TypeError("a tape cannot be recorded inside another one");
  let nodes: TapeNode[] | undefined;
  let output: tf.Tensor;
  engine.startTape();
  try {
    output = tf.keep(tf.tidy(forward));
    nodes = engine.state.activeTape ?? [];
  } catch (error) {
    disposeSaved(engine.state.activeTape ?? []);
    throw error;
  } finally {
    engine.endTape();
    engine.state.activeTape = null;
  }
  const retainedBytes = sizeOf(nodes, output);

  const dispose = (): void => {
    if (nodes === undefined) return;
    disposeSaved(nodes);
    nodes = undefined;
    output.dispose();
  };

  return {
    output,
    retainedBytes,
    pullBack(outputGradient, inputs, { keep = false } = {}) {
      const recorded = nodes;
      if (recorded === undefined) throw new TypeError("this tape was pulled back or disposed before");
      const kept = output;
      try {
        const { grads } = engine.gradients(
          () => {
            // The engine has just begun an empty tape; it continues with ours and frees the nodes' saved tensors at the
            // end. Their gradient functions hold the saved tensors by themselves, so that nodes without any serve as
            // well.
            engine.state.activeTape = keep ? recorded.map((node) => ({ ...node, saved: [] })) : recorded;
            return kept;
          },
          inputs,
          outputGradient,
          true,
        );
        return inputs.map((input, index) => grads[index] ?? tf.zerosLike(input));
      } finally {
        engine.state.activeTape = null; // still set when the backward has thrown
        if (!keep) dispose();
      }
    },
    dispose,
  };
}

function disposeSaved(nodes: readonly TapeNode[]): void {
  for (const node of nodes) for (const tensor of node.saved ?? []) if (!tensor.isDisposed) tensor.dispose();
}

/** Saved tensors are clones that share their buffer with what they were cloned from. */
function sizeOf(nodes: readonly TapeNode[], output: tf.Tensor): number {
  const buffers = new Map<object, number>([[output.dataId, output.size * 4]]);
  for (const node of nodes) for (const tensor of node.saved ?? []) buffers.set(tensor.dataId, tensor.size * 4);
  let bytes = 0;
  for (const size of buffers.values()) bytes += size;
  return bytes;
}
