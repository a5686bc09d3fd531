import { describe, expect, it } from "vitest";
import { type Cell, cellName, mnistCellFiles } from "../../../../tools/reproduce/mnist/mnist-cell.ts";
import { plotAccuracy } from "../../../../tools/reproduce/mnist/plot.ts";
import { markdownTable } from "../../../../tools/reproduce/mnist/table.ts";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

function cell(source: string, seed: number, accuracy: number): Cell {
  return {
    format: 1,
    experiment: "mnist",
    variant: "plain",
    source,
    seed,
    epochs: 2,
    command: `npx kn run x --set seed=${seed}`,
    accuracy,
    seconds: 120,
    steps: 200,
    stepsPerSecond: 1.5,
    evaluations: [
      { step: 50, seconds: 20, samples: 2000, accuracy: 0.9, loss: 0.3 },
      { step: 100, seconds: 60, samples: 10_000, accuracy: accuracy - 0.01, loss: 0.2 },
      { step: 200, seconds: 120, samples: 10_000, accuracy, loss: 0.1 },
    ],
    accounting: [{ actor: "block-0", published: 200, applied: 198, skipped: { restarted: 2 } }],
    bytesPerStep: 2 ** 20,
    machine: { cpus: 2, model: "some", memoryGiB: 24 },
    versions: { node: "v20" },
    finishedAt: "2026-01-02T03:04:05.000Z",
  };
}

const CELLS = [cell("locked", 1, 0.99), cell("locked", 2, 0.992), cell("synthetic", 1, 0.989)];
const WANTED = ["locked", "synthetic", "delayed"].flatMap((source) =>
  [1, 2].map((seed) => ({ experiment: "mnist", variant: "plain", source, seed, epochs: 2 })),
);
const table = (): string =>
  markdownTable({
    title: "T",
    introduction: "I",
    wanted: WANTED,
    cells: CELLS,
    baseline: "locked",
    references: [{ name: "synthetic", accuracy: 0.977, note: "500,000 steps" }],
    plots: [],
  });

describe("markdownTable", () => {
  it("gives mean, spread and difference to the baseline", () => {
    // By hand: (99.0 + 99.2) / 2 = 99.1; sd of two values 0.2 apart is 0.2 / sqrt(2) = 0.14; 98.9 - 99.1 = -0.20.
    expect(table()).toContain(
      "| plain | `locked` | 2 of 2 | 99.10 % | 99.00 % to 99.20 %, sd 0.14 | - | 1.5 | 1.00 MiB | 2.0 min |",
    );
    expect(table()).toContain("| plain | `synthetic` | 1 of 2 | 98.90 % | - | -0.20 | 1.5 |");
  });

  it("shows what is not finished as missing, and the skipped batches", () => {
    expect(table()).toContain("| plain | `delayed` | 0 of 2 | missing |");
    expect(table()).toContain("6 batches were skipped in all 3 cells");
    expect(table()).toContain("| - | synthetic | - | 97.70 % |");
  });
});

describe("plotAccuracy", () => {
  const options = {
    title: "A title",
    cells: CELLS,
    against: "steps",
    references: [{ name: "paper", accuracy: 0.977 }],
  } as const;

  it("draws a line and a legend entry per source, labelled axes and the reference", async () => {
    const svg = await plotAccuracy(options);
    expect(svg).toMatch(/^<svg [^]*<\/svg>$/);
    for (const text of ["A title", "locked", "synthetic", "training steps", "test accuracy, %", "paper 97.7"]) {
      expect(svg).toContain(`>${text}<`);
    }
    expect(await plotAccuracy({ ...options, against: "minutes" })).toContain(">minutes<");
  });

  it("gives the same text for the same cells", async () => {
    expect(await plotAccuracy(options)).toBe(await plotAccuracy(options));
  });
});

describe("mnistCellFiles", () => {
  it("reads what it wrote, and names a file that is damaged", async () => {
    await using folder = await temporaryFolder();
    for (const each of CELLS) await mnistCellFiles(folder.path).write(each);
    expect(await mnistCellFiles(folder.path).all()).toEqual(CELLS);
    const name = cellName(CELLS[0] as Cell);
    expect(name).toBe("mnist-plain-locked-seed1-epochs2");
    await writeFile(join(folder.path, `${name}.json`), '{"format": 1, "accuracy": 2}');
    await expect(mnistCellFiles(folder.path).all()).rejects.toMatchObject({
      code: "KN_CONFIG",
      message: expect.stringContaining(name) as string,
    });
  });
});
