/** Frame sizes of a plan: review fault H4, a frame above the limit was retransmitted for ever. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkBus, checkFrames, planFrames } from "../../../src/jobs/check-frames.ts";
import { measureSections, parseSpec, type RunSpec } from "../../../src/run-spec/index.ts";

const MIB = 1024 * 1024;

/** Boundary 0 is [32, 32, 96], boundary 1 is [10, 1]: a flat one. */
function training(...set: readonly string[]): RunSpec {
  const text = `kind: training
name: wide
data: { dataset: cifar-10 }
model:
  input: [32, 32, 3]
  classes: 10
  layers:
    - { name: conv, type: conv2d, filters: 96, kernelSize: 3, padding: same }
    - { name: pool, type: global_average_pooling2d }
    - { name: head, type: dense, units: 10 }
  cuts: [conv, pool]
training: { batchSize: 64 }
codecs: { activation: bf16, gradient: f32 }
evaluation: { batchSize: 100 }
`;
  return parseSpec(text, { file: "wide.yaml", set });
}

const slicesOf = (spec: RunSpec) => ({
  slices: spec.kind === "training" ? measureSections(spec.model) : measureSections(spec.student.model),
  teacherSlices:
    spec.kind === "training" || spec.teacher.model === undefined ? [] : measureSections(spec.teacher.model),
});

function distillation(...set: readonly string[]): RunSpec {
  const read = (name: string) => {
    const file = new URL(`../../../examples/${name}.yaml`, import.meta.url).pathname;
    return parseSpec(readFileSync(file, "utf8"), { file, set: name === "mnist-sections" ? set : [] });
  };
  const [spec, teacher] = [read("mnist-sections"), read("mnist-teacher")];
  if (spec.kind === "training" || teacher.kind !== "training") throw new Error("examples have changed their kind");
  return { ...spec, teacher: { ...spec.teacher, model: teacher.model } };
}

describe("planFrames", () => {
  it("lists every frame of a training run, forward for both batch sizes and backward for training", () => {
    const spec = training();
    const frames = planFrames(spec, slicesOf(spec)).map(({ what, batchKey, batch, bytes }) => ({
      [`${what}, ${batchKey} ${batch}`]: bytes,
    }));
    expect(Object.assign({}, ...frames)).toEqual({
      "the images for block-0, training.batchSize 64": 64 * (32 * 32 * 3 + 4) + 512,
      "the images for block-0, evaluation.batchSize 100": 100 * (32 * 32 * 3 + 4) + 512,
      "the activation at boundary 0 (after conv), training.batchSize 64": 64 * (2 * 32 * 32 * 96 + 4) + 512,
      "the activation at boundary 0 (after conv), evaluation.batchSize 100": 100 * (2 * 32 * 32 * 96 + 4) + 512,
      "the gradient at boundary 0 (after conv), training.batchSize 64": 64 * 4 * 32 * 32 * 96 + 512,
      "the activation at boundary 1 (after pool), training.batchSize 64": 64 * (2 * 96 + 4) + 512,
      "the activation at boundary 1 (after pool), evaluation.batchSize 100": 100 * (2 * 96 + 4) + 512,
      "the gradient at boundary 1 (after pool), training.batchSize 64": 64 * 4 * 96 + 512,
    });
  });

  it("lists images, hints and the student's own activations of a distillation run", () => {
    const spec = distillation();
    const sections = slicesOf(spec).teacherSlices.length;
    const frames = planFrames(spec, slicesOf(spec));
    expect(new Set(frames.map(({ what }) => what))).toEqual(
      new Set([
        "the images for section 0",
        ...Array.from({ length: sections }, (_, index) => `the hint of teacher section ${index}`),
        ...Array.from({ length: sections - 1 }, (_, index) => `the activation of student section ${index}`),
      ]),
    );
    expect(new Set(frames.map(({ batchKey }) => batchKey))).toEqual(new Set(["batchSize", "evaluation.batchSize"]));
  });
});

describe("checkFrames", () => {
  it("accepts a run whose frames are within the limit", () => {
    const spec = training();
    expect(() => {
      checkFrames(spec, slicesOf(spec));
    }).not.toThrow();
  });

  it("refuses an evaluation batch above the limit, and names boundary, batch, bytes, limit and what to change", () => {
    // The case of the review: 500 x [32, 32, 96] in bf16.
    const spec = training("evaluation.batchSize=500");
    const bytes = 500 * (2 * 32 * 32 * 96 + 4) + 512;
    expect(() => {
      checkFrames(spec, slicesOf(spec));
    }).toThrow(
      expect.objectContaining({
        code: "KN_CONFIG",
        rule: `a frame must have at most ${64 * MIB} bytes (flow.maxFrameMiB): the activation at boundary 0 (after conv), evaluation.batchSize 500`,
        value: `${bytes} bytes`,
        remedy:
          "lower evaluation.batchSize to at most 341, or set codecs.activation: int8-block, or raise flow.maxFrameMiB",
      }),
    );
    for (const set of ["evaluation.batchSize=341", "codecs.activation=int8-block", "flow.maxFrameMiB=128"]) {
      const changed = training("evaluation.batchSize=500", set);
      expect(() => {
        checkFrames(changed, slicesOf(changed));
      }, set).not.toThrow();
    }
  });

  it("refuses a gradient above the limit", () => {
    const spec = training("training.batchSize=256");
    expect(() => {
      checkFrames(spec, slicesOf(spec));
    }).toThrow(/the gradient at boundary 0 \(after conv\), training.batchSize 256/);
  });

  it("says no batch size where a single sample is above the limit", () => {
    const spec = training("flow.maxFrameMiB=1", "training.batchSize=1", "evaluation.batchSize=1");
    const [first, ...rest] = slicesOf(spec).slices;
    if (first === undefined) throw new Error("no slices");
    const slices = [{ ...first, outputShape: [1024, 1024] }, ...rest];
    expect(() => {
      checkFrames(spec, { slices, teacherSlices: [] });
    }).toThrow(expect.objectContaining({ remedy: "set codecs.activation: int8-block, or raise flow.maxFrameMiB" }));
  });

  it("refuses a hint above the limit", () => {
    const spec = distillation("batchSize=8192", "flow.maxFrameMiB=2");
    expect(() => {
      checkFrames(spec, slicesOf(spec));
    }).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });
});

describe("checkBus", () => {
  it("refuses a frame that max_payload leaves no way to send", () => {
    const spec = training();
    expect(() => {
      checkBus(spec, slicesOf(spec), { maxPayloadBytes: MIB });
    }).not.toThrow();
    expect(() => {
      checkBus(spec, slicesOf(spec), { maxPayloadBytes: 1024 });
    }).toThrow(
      expect.objectContaining({
        code: "KN_CONFIG",
        rule: expect.stringContaining(
          "the bus carries frames of at most 3670016 bytes (max_payload is 1024)",
        ) as string,
      }),
    );
  });

  it("refuses to share batches that are more than one message", () => {
    const [single, shared] = [distillation(), distillation("teacher.replicas=2")];
    const bus = { maxPayloadBytes: 64 * 1024 };
    expect(() => {
      checkBus(single, slicesOf(single), bus);
    }).not.toThrow();
    expect(() => {
      checkBus(shared, slicesOf(shared), bus);
    }).toThrow(/replicas of a teacher section share whole messages, of at most 65536 bytes/);
    expect(() => {
      checkBus(shared, slicesOf(shared), { maxPayloadBytes: 64 * MIB });
    }).not.toThrow();
  });
});
