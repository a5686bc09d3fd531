import { createSplit, type Dataset } from "../../../src/data/index.ts";

/** So many samples of 2 x 2 pixels to train on, and the same ones to test with. */
export function fakeDataset(count: number): Dataset {
  const samples = Uint8Array.from({ length: count * 4 }, (_, index) => index % 256);
  const labels = Uint8Array.from({ length: count }, (_, index) => index % 10);
  const split = createSplit({ samples, labels, sampleShape: [2, 2, 1] });
  return {
    name: "fake",
    sampleShape: [2, 2, 1],
    classes: 10,
    train: split,
    test: split,
    validation: split,
    records: 2 * count,
    fingerprint: "fake",
  };
}
