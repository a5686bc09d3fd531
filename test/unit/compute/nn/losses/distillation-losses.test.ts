import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import { hintLoss } from "../../../../../src/compute/nn/losses/hint-loss.ts";
import { logitsLoss } from "../../../../../src/compute/nn/losses/logits-loss.ts";
import type { HintSpec, LogitsSpec } from "../../../../../src/run-spec/index.ts";

/** By SciPy, in float64: scripts/loss-references.py. */
interface Reference {
  readonly own: number[];
  readonly other: number[];
  readonly shape: number[];
  readonly loss: number;
  readonly gradient: number[];
}
interface LogitsReference extends Reference {
  readonly labels: number[];
  readonly temperature: number;
  readonly nonTarget: number;
}
const references = JSON.parse(readFileSync(new URL("references.json", import.meta.url), "utf8")) as {
  readonly hints: Readonly<Record<"relative" | "l2" | "attention", Reference[]>>;
  readonly logits: Readonly<Record<LogitsSpec["kind"], LogitsReference[]>>;
};
const HINTS: Readonly<Record<keyof typeof references.hints, HintSpec>> = {
  relative: { kind: "feature-mse", normalisation: "relative" },
  l2: { kind: "feature-mse", normalisation: "l2" },
  attention: { kind: "attention-transfer" },
};

/** float32 here, float64 and a numerical derivative there. */
function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  const largest = Math.max(1, ...expected.map(Math.abs));
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, index) => {
    expect(Math.abs((actual[index] ?? Number.NaN) - value)).toBeLessThan(2e-5 * largest);
  });
}

beforeAll(async () => {
  await selectBackend("cpu");
});

describe("hintLoss", () => {
  const kinds = Object.entries(references.hints).flatMap(([kind, cases]) =>
    cases.map((reference, index) => [kind as keyof typeof HINTS, index, reference] as const),
  );

  it.each(kinds)("%s, case %d: loss and gradient are SciPy's", (kind, _, { own, other, shape, loss, gradient }) => {
    tf.tidy(() => {
      const measured = hintLoss(tf.tensor(own, shape), tf.tensor(other, shape), HINTS[kind]);
      expect(measured.lossSum).toBeCloseTo(loss, 4);
      expectClose(measured.gradient.dataSync(), gradient);
    });
  });

  it("is zero, with a gradient of zero, where the output is the hint", () => {
    const [{ own, shape } = { own: [], shape: [] }] = references.hints.relative;
    for (const spec of Object.values(HINTS)) {
      tf.tidy(() => {
        const measured = hintLoss(tf.tensor(own, shape), tf.tensor(own, shape), spec);
        expect(measured.lossSum).toBeCloseTo(0, 6);
        expectClose(
          measured.gradient.dataSync(),
          own.map(() => 0),
        );
      });
    }
  });

  it("relative: an output of zero loses one per sample", () => {
    tf.tidy(() => {
      const hint = tf.randomNormal([6, 3, 3, 2], 0, 5, "float32", 3);
      expect(hintLoss(tf.zerosLike(hint), hint, HINTS.relative).lossSum).toBeCloseTo(6, 4);
    });
  });

  it("attention transfer lets channels differ", () => {
    tf.tidy(() => {
      const { lossSum } = hintLoss(tf.ones([2, 4, 4, 3]), tf.ones([2, 4, 4, 8]), HINTS.attention);
      expect(lossSum).toBeCloseTo(0, 6);
    });
  });

  it("refuses a loss that is not finite with KN_NUMERIC, and leaves no tensor behind", () => {
    const [output, hint] = [tf.tensor([[Number.NaN, 1]]), tf.ones([1, 2])];
    const before = tf.memory().numTensors;
    for (const spec of [HINTS.relative, HINTS.l2]) {
      expect(() => hintLoss(output, hint, spec)).toThrow(expect.objectContaining({ code: "KN_NUMERIC" }) as Error);
    }
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([output, hint]);
  });
});

describe("logitsLoss", () => {
  const kinds = Object.entries(references.logits).flatMap(([kind, cases]) =>
    cases.map((reference, index) => [kind as LogitsSpec["kind"], index, reference] as const),
  );
  const measure = (kind: LogitsSpec["kind"], reference: LogitsReference) => {
    const { own, other, shape, labels, temperature, nonTarget } = reference;
    const tensors = [tf.tensor(own, shape), tf.tensor(other, shape), tf.tensor1d(labels, "int32")] as const;
    return logitsLoss(...tensors, { kind, temperature, nonTarget, weight: 1 });
  };

  it.each(kinds)("%s, case %d: loss and gradient are SciPy's", (kind, _, reference) => {
    tf.tidy(() => {
      const { lossSum, gradient } = measure(kind, reference);
      expect(lossSum / Math.max(1, Math.abs(reference.loss))).toBeCloseTo(
        reference.loss / Math.max(1, Math.abs(reference.loss)),
        5,
      );
      expectClose(gradient.dataSync(), reference.gradient);
    });
  });

  it("standardised does not see a shift or a scale of the student's logits", () => {
    const [reference] = references.logits.standardised;
    if (reference === undefined) throw new Error("no reference");
    const moved = { ...reference, own: reference.own.map((value) => 3 * value + 11) };
    tf.tidy(() => {
      expect(measure("standardised", moved).lossSum).toBeCloseTo(measure("standardised", reference).lossSum, 3);
    });
  });

  it("decoupled with the teacher's own doubt as weight is plain (Zhao et al. 2022, eq. 6)", () => {
    // For one sample: KD = TCKD + (1 - p_target) NCKD.
    const [reference] = references.logits.plain;
    if (reference === undefined) throw new Error("no reference");
    for (let row = 0; row < 4; row += 1) {
      const of = (values: readonly number[]): number[] => values.slice(row * 5, row * 5 + 5);
      const { temperature } = reference;
      const label = reference.labels[row] ?? 0;
      const exponents = of(reference.other).map((value) => Math.exp(value / temperature));
      const doubt = 1 - (exponents[label] ?? 0) / exponents.reduce((sum, value) => sum + value, 0);
      const single = {
        ...reference,
        own: of(reference.own),
        other: of(reference.other),
        shape: [1, 5],
        labels: [label],
      };
      tf.tidy(() => {
        const { lossSum } = measure("decoupled", { ...single, nonTarget: doubt });
        expect(lossSum).toBeCloseTo(measure("plain", single).lossSum, 3);
      });
    }
  });

  it("leaves no tensor behind but the gradient", () => {
    const [reference] = references.logits.decoupled;
    if (reference === undefined) throw new Error("no reference");
    const tensors = [
      tf.tensor(reference.own, reference.shape),
      tf.tensor(reference.other, reference.shape),
      tf.tensor1d(reference.labels, "int32"),
    ] as const;
    const before = tf.memory().numTensors;
    for (const kind of ["plain", "standardised", "decoupled"] as const) {
      logitsLoss(...tensors, { kind, temperature: 2, nonTarget: 1, weight: 1 }).gradient.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([...tensors]);
  });
});
