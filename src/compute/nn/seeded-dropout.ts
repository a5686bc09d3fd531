/**
 * Dropout whose mask is a function of (seed, step). The layer that tfjs ships draws the same mask at every step when
 * it is given a seed, and one that cannot be drawn again after a restart when it is not.
 */
import * as tf from "@tensorflow/tfjs";
import { deriveSeed } from "./seed.ts";

export interface SeededDropoutOptions {
  readonly name: string;
  /** Share of the inputs set to zero, 0 to below 1. */
  readonly rate: number;
  readonly seed: number;
}

export class SeededDropout extends tf.layers.Layer {
  static readonly className = "SeededDropout";
  /** The step whose mask is drawn; set by the slice before each training forward. */
  step = 0;
  readonly #rate: number;
  readonly #seed: number;

  constructor(options: SeededDropoutOptions) {
    super({ name: options.name });
    this.#rate = options.rate;
    this.#seed = options.seed;
    this.supportsMasking = true;
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], { training = false }: { training?: boolean } = {}): tf.Tensor {
    const input = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
    if (!training || this.#rate === 0) return input;
    return tf.dropout(input, this.#rate, undefined, deriveSeed(this.#seed, this.step));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), rate: this.#rate, seed: this.#seed };
  }
}
tf.serialization.registerClass(SeededDropout);
