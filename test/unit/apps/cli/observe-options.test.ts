import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { addObserveOptions, type ObserveOptions, observeSectionOf } from "../../../../src/apps/cli/observe-options.ts";

function sectionOf(...args: string[]): ReturnType<typeof observeSectionOf> {
  const command = addObserveOptions(new Command().exitOverride().configureOutput({ writeErr: () => undefined }));
  return observeSectionOf(command.parse(args, { from: "user" }).opts<ObserveOptions>());
}

describe("observeSectionOf", () => {
  it("is absent without --observe, and the defaults' with it alone", () => {
    expect(sectionOf()).toBeUndefined();
    expect(sectionOf("--observe")).toEqual({});
  });

  it("has what is given, in the spec's units", () => {
    const budget = ["--observe-inputs", "60", "--observe-bytes", "5000", "--observe-uniform", "0.5"];
    const rest = ["--observe-ttl", "90", "--observe-keep", "100", "--observe-requests", "asked", "--redact", "r.mjs"];
    expect(sectionOf("--observe", ...budget, ...rest)).toEqual({
      ...{ inputsPerMinute: 60, bytesPerMinute: 5_000, uniformShare: 0.5, ttlMs: 90_000, keepEntries: 100 },
      requests: "asked",
    });
  });

  it.each([
    ["--observe-inputs", "60"],
    ["--redact", "r.mjs"],
  ])("refuses %s without --observe with KN_CONFIG", (...args) => {
    expect(() => sectionOf(...args)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });

  it.each(["0", "-1", "many", ""])("refuses the budget %j", (value) => {
    expect(() => sectionOf("--observe", "--observe-inputs", value)).toThrow(/above 0/);
  });
});
