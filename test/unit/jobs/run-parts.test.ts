import { expect, it } from "vitest";
import { readyDeadlineOf } from "../../../src/jobs/run-parts.ts";

const slice = (parameters: number) => ({ inputShape: [1], outputShape: [1], layers: [], parameters, macs: 1 });

it("readyDeadlineOf: a minute, and a second for each megabyte of state that the actors of a run read before they answer", () => {
  expect(readyDeadlineOf({ slices: [], teacherSlices: [] })).toBe(60_000);
  expect(readyDeadlineOf({ slices: [slice(10_000_000)], teacherSlices: [slice(5_000_000)] })).toBe(240_000);
});
