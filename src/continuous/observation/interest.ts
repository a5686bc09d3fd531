/**
 * How much an input may teach: student and candidate disagree about it, the student is not sure, or its logits are far
 * from those of inputs like it. Each part is in [0, 1] and costs O(classes).
 */
export interface Interest {
  /** Total variation between the softmax of student and candidate; 1 where their classes differ; 0 without candidate. */
  readonly disagreement: number;
  /** (1 - p) / (1 - 1/classes), p the student's greatest softmax: 0 for a sure student, 1 for equal classes. */
  readonly uncertainty: number;
  /**
   * 1 - s/d, at least 0: d the squared distance of the logits to the running mean of their class, s the running mean of
   * that distance. 0 for an input as near as most, 0.5 at twice their squared distance, 1 for the first of a class.
   */
  readonly novelty: number;
}

export interface InterestMeter {
  /**
   * Also moves the means of the class. Logits that are not finite have all the interest there is, and move nothing.
   * @param logits [classes], of the student
   * @param candidateLogits [classes]
   */
  measure(logits: ArrayLike<number>, candidateLogits?: ArrayLike<number>): Interest;
}

/** Inputs of a class that its means remember: they follow the drift of a class within some windows. */
const MEMORY = 500;

export function createInterestMeter(classes: number): InterestMeter {
  const means = new Float64Array(classes * classes); // [class, logit]
  const spreads = new Float64Array(classes); // mean squared distance to the class's mean
  const seen = new Float64Array(classes);

  const noveltyOf = (logits: ArrayLike<number>, label: number): number => {
    const isFirst = seen[label] === 0;
    seen[label] = Math.min(MEMORY, (seen[label] as number) + 1);
    const rate = 1 / seen[label];
    let distance = 0;
    for (let index = 0; index < classes; index += 1) {
      const at = label * classes + index;
      const difference = (logits[index] as number) - (means[at] as number);
      distance += difference * difference;
      means[at] = (means[at] as number) + rate * difference;
    }
    if (isFirst) return 1;
    const spread = spreads[label] as number;
    spreads[label] = spread + rate * (distance - spread);
    return distance <= spread ? 0 : 1 - spread / distance;
  };

  const shares = new Float64Array(classes);
  const others = new Float64Array(classes);
  return {
    measure(logits, candidateLogits) {
      const label = softmax(logits, shares);
      if (label === undefined) return { disagreement: 1, uncertainty: 1, novelty: 1 };
      const uncertainty = (1 - (shares[label] as number)) / (1 - 1 / classes);
      const novelty = noveltyOf(logits, label);
      if (candidateLogits === undefined) return { disagreement: 0, uncertainty, novelty };
      if (softmax(candidateLogits, others) !== label) return { disagreement: 1, uncertainty, novelty };
      let variation = 0;
      for (let index = 0; index < classes; index += 1) {
        variation += Math.abs((shares[index] as number) - (others[index] as number)) / 2;
      }
      return { disagreement: Math.min(1, variation), uncertainty, novelty };
    },
  };
}

/** Writes the softmax into `shares`. @returns the class; undefined when a logit is not finite */
function softmax(logits: ArrayLike<number>, shares: Float64Array): number | undefined {
  let label = 0;
  for (let index = 0; index < shares.length; index += 1) {
    const logit = logits[index] as number;
    if (!Number.isFinite(logit)) return undefined;
    if (logit > (logits[label] as number)) label = index;
  }
  let sum = 0;
  for (let index = 0; index < shares.length; index += 1) {
    const power = Math.exp((logits[index] as number) - (logits[label] as number));
    shares[index] = power;
    sum += power;
  }
  for (let index = 0; index < shares.length; index += 1) shares[index] = (shares[index] as number) / sum;
  return label;
}
