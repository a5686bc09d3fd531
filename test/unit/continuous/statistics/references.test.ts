import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { differencesOf, type Kind, type StatisticsReference } from "../../../support/statistics-reference.ts";

const references = JSON.parse(readFileSync(new URL("references.json", import.meta.url), "utf8")) as StatisticsReference;

describe("statistics", () => {
  it.each(Object.keys(references) as Kind[])("%s equals SciPy's, statsmodels' or river's", (kind) => {
    expect(references[kind].length).toBeGreaterThan(1);
    expect(differencesOf(references, kind)).toEqual([]);
  });
});
