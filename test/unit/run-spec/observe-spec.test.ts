import { describe, expect, it } from "vitest";
import { createObserver } from "../../../src/continuous/observation/index.ts";
import { observeSchema, servingSpecSchema } from "../../../src/run-spec/index.ts";

describe("observeSchema", () => {
  it("is off in a serving spec unless it is given", () => {
    const spec = { kind: "serving", name: "digits", model: "digits" };
    expect(servingSpecSchema.parse(spec).observe).toBeUndefined();
    expect(servingSpecSchema.parse({ ...spec, observe: {} }).observe).toEqual(observeSchema.parse({}));
  });

  it.each([
    ["MNIST", 784],
    ["CIFAR-10", 3_072],
  ])("has a default budget that holds inputs of %s in f32", (_name, elements) => {
    const { inputsPerMinute, bytesPerMinute, slotsPerMinute, uniformShare, ttlMs } = observeSchema.parse({});
    const budget = { inputsPerMinute, bytesPerMinute };
    const rest = { slotsPerMinute, uniformShare, ttlMs };
    expect(() => createObserver({ seed: 1, classes: 10, maxInputBytes: 4 * elements, budget, ...rest })).not.toThrow();
  });

  it.each([
    ["an unknown key", { inputs: 3 }],
    ["a budget of nothing", { inputsPerMinute: 0 }],
    ["a share above 1", { uniformShare: 2 }],
    ["other requests", { requests: "none" }],
  ])("refuses %s", (_what, section) => {
    expect(observeSchema.safeParse(section).success).toBe(false);
  });
});
