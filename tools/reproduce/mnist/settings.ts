/**
 * The paper's table on MNIST: four blocks in four processes over NATS, each gradient source, some seeds.
 * The recipe (recipes of the literature, measured): Adam with a cosine to zero over the run, batch norm before each
 * ReLU.
 */
import { GRADIENT_SOURCES } from "../../../src/run-spec/index.ts";
import type { CellKey } from "./mnist-cell.ts";

export const MNIST_SPEC = "examples/mnist-synthetic.yaml";

/** Settings beside the source. */
export const MNIST_VARIANTS = {
  /** Tensors as they are, each gradient model beside its block. */
  plain: ["codecs.activation=f32", "codecs.gradient=f32"],
  /** Activations int8 per channel, gradients bf16, each gradient model on another node than its block. */
  wire: [
    "codecs.activation=int8-channel",
    "codecs.gradient=bf16",
    ...[0, 1, 2, 3].map((index) => `placement.block-${index}=node-${index + 1}`),
    ...[0, 1, 2].map((index) => `placement.gradient-${index}=node-${((index + 2) % 4) + 1}`),
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type MnistVariant = keyof typeof MNIST_VARIANTS;

export interface MnistOptions {
  readonly seeds: number;
  readonly epochs: number;
  readonly sources: readonly string[];
}

/** Also run with the gradient model on another node and codecs on the wire: this source depends on its model alone. */
const ON_THE_WIRE = ["synthetic"];

/** Every cell wanted, one seed of everything before the next. */
export function mnistCells({ seeds, epochs, sources }: MnistOptions): (CellKey & { readonly variant: MnistVariant })[] {
  const cells: (CellKey & { readonly variant: MnistVariant })[] = [];
  for (let seed = 1; seed <= seeds; seed += 1) {
    for (const variant of ["plain", "wire"] as const) {
      for (const source of sources) {
        if (variant === "wire" && !ON_THE_WIRE.includes(source)) continue;
        cells.push({ experiment: "mnist", variant, source, seed, epochs });
      }
    }
  }
  return cells;
}

/** Arguments of `kn` for one cell. */
export function mnistArguments({
  variant,
  source,
  seed,
  epochs,
}: CellKey & { readonly variant: MnistVariant }): string[] {
  const settings = [
    `seed=${seed}`,
    `training.epochs=${epochs}`,
    `gradients.source=${source}`,
    ...MNIST_VARIANTS[variant],
  ];
  return ["run", MNIST_SPEC, "--nodes", "spawn:4", ...settings.flatMap((setting) => ["--set", setting])];
}

export const MNIST_SOURCES: readonly string[] = GRADIENT_SOURCES;

/** Biookaghazadeh et al., KnowledgeNet, OpML'19: the four-layer net after 500,000 steps. */
export const PAPER = [
  { name: "the paper's backpropagation", accuracy: 0.984 },
  { name: "the paper's synthetic", accuracy: 0.977 },
] as const;

export const MNIST_INTRODUCTION = `The four-layer net (\`${MNIST_SPEC}\`), cut into four blocks, each in a process of its own with the nats-server on the same
machine. Real MNIST, Adam 1e-3 with a cosine to zero, batch 128, 468 steps an epoch; accuracy of the last epoch over the 10,000 test images.
\`plain\`: f32 codecs, each gradient model beside its block. \`wire\`: activations int8 per channel, gradients bf16, each gradient model on another node
than its block. Bytes per step are measured over all boundaries, both ways. Speed: the machine is shared with other work, so compare it with docs/results/bench.md.
Command: \`npm run reproduce -- mnist\` (a finished cell is not run again).`;
