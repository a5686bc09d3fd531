import { describe, expect, it } from "vitest";
import { followerOptionsOf } from "../../../../../src/jobs/kinds/continuous/follower-options.ts";
import { type ModelSpec, parseContinuousSpec } from "../../../../../src/run-spec/index.ts";

const NETWORK = { input: [8, 8, 1], classes: 3, layers: [], cuts: [] } as unknown as ModelSpec;
const spec = (...set: string[]) =>
  parseContinuousSpec("kind: continuous\nname: f\noracle: { model: big }\nstudent: { model: small }\n", {
    file: "f.yaml",
    set,
  });

describe("followerOptionsOf", () => {
  it("has what the spec says, of the network that is served", () => {
    const options = followerOptionsOf(spec("training.steps=7", "update.codec=int4"), NETWORK, {
      dtype: "u8",
      parameters: 1_000,
    });
    expect(options).toMatchObject({
      ...{ model: "small", classes: 3, sampleShape: [8, 8, 1], dtype: "u8", evidence: "edge" },
      training: { steps: 7, replay: 1_000 },
      update: { coding: { codec: "int4" }, maxBytes: 160_000 },
    });
  });

  it("refuses a budget that cannot carry one update, with what it needs", () => {
    const refused = () =>
      followerOptionsOf(spec("update.maxBytes=2000"), NETWORK, { dtype: "u8", parameters: 3_000_000 });
    expect(refused).toThrow(/KN_CONFIG.*update\.maxBytes.*3000000 weights.*at least 5524 bytes.*2000/);
    const small = () => followerOptionsOf(spec("update.maxBytes=2000"), NETWORK, { dtype: "u8", parameters: 1_000 });
    expect(small).not.toThrow();
  });
});
