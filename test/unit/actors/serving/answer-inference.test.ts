import { encode } from "fast-png";
import { describe, expect, it } from "vitest";
import {
  answerInference,
  type AnswerInferenceOptions,
  type InferenceBody,
} from "../../../../src/actors/gateway/answer-inference.ts";
import type { InferenceOutcome } from "../../../../src/actors/gateway/inference.ts";
import { type ErrorCode, KnowledgeNetError } from "../../../../src/errors/index.ts";
import { type FakeServedModelOptions, fakeLogits, fakeServedModel } from "../../../support/fake-served-model.ts";

const SAMPLE = Array.from({ length: 16 }, (_, index) => index * 10);
const tensor = (changes: object = {}): object => ({
  name: "input",
  shape: [1, 4, 4, 1],
  datatype: "FP32",
  data: SAMPLE,
  ...changes,
});
const PNG = encode({ width: 4, height: 4, channels: 1, depth: 8, data: Uint8Array.from(SAMPLE) });

interface Answered {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly data: unknown[] }[];
  readonly error?: string;
}
const jsonOf = ({ body, headerLength }: InferenceBody): Answered =>
  JSON.parse(Buffer.from(body.subarray(0, headerLength)).toString()) as Answered;

function ask(
  body: object | Uint8Array,
  options: AnswerInferenceOptions = {},
  model = fakeServedModel(),
): Promise<InferenceBody> {
  return answerInference(model, body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body)), options);
}

describe("answerInference", () => {
  it("passes on whether observers get the input, and refuses what is neither true nor false", async () => {
    const model = fakeServedModel();
    for (const parameters of [{}, { observe: true }, { observe: false }]) {
      expect((await ask({ parameters, inputs: [tensor()] }, {}, model)).status).toBe(200);
    }
    expect(model.requests.map(({ observe }) => observe)).toEqual([undefined, true, false]);
    const refused = await ask({ parameters: { observe: "yes" }, inputs: [tensor()] }, {}, model);
    expect([refused.status, jsonOf(refused).error]).toEqual([400, expect.stringContaining("parameters.observe")]);
  });

  it("answers class, probabilities and logits of the live release", async () => {
    const answer = await ask({ id: "x", inputs: [tensor()] });
    const logits = fakeLogits(1, 10, SAMPLE);
    const powers = Array.from(logits, Math.exp);
    const sum = powers.reduce((total, power) => total + power, 0);
    const { outputs, ...rest } = jsonOf(answer);
    expect(answer).toMatchObject({ status: 200, computed: { release: 1, samples: 1 } });
    expect(rest).toEqual({
      model_name: "digits",
      model_version: "1",
      id: "x",
      parameters: { batch: 1, queue_ms: 0.25, compute_ms: 0.5 },
    });
    expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ["class", [1]],
      ["probabilities", [1, 10]],
      ["logits", [1, 10]],
    ]);
    expect(Float32Array.from(outputs[2]?.data as number[])).toEqual(logits);
    const differences = powers.map((power, index) => Math.abs(power / sum - (outputs[1]?.data[index] as number)));
    expect(Math.max(...differences)).toBeLessThan(1e-6);
    expect(outputs[0]?.data).toEqual([`class ${logits.indexOf(Math.max(...logits))}`]);
  });

  it("answers the outputs that are asked for, in their order, each in its encoding", async () => {
    const outputs = [{ name: "logits", parameters: { binary_data: true } }, { name: "class" }];
    const answer = await ask({ inputs: [tensor()], outputs });
    expect(jsonOf(answer).outputs.map(({ name }) => name)).toEqual(["logits", "class"]);
    const tail = Uint8Array.from(answer.body.subarray(answer.headerLength));
    expect(new Float32Array(tail.buffer)).toEqual(fakeLogits(1, 10, SAMPLE));
  });

  it("answers the classes of the largest values where classification is asked for", async () => {
    const outputs = [{ name: "logits", parameters: { classification: 2 } }];
    const [output] = jsonOf(await ask({ inputs: [tensor()], outputs })).outputs;
    const logits = fakeLogits(1, 10, SAMPLE);
    const best = [...logits.entries()].sort(([, a], [, b]) => b - a).slice(0, 2);
    expect(output).toMatchObject({
      datatype: "BYTES",
      shape: [1, 2],
      data: best.map(([index, value]) => `${value}:${index}:class ${index}`),
    });
  });

  it("computes with the version of the path, and names the release that answered", async () => {
    expect(jsonOf(await ask({ inputs: [tensor()] }, { version: "2" })).model_version).toBe("2");
    for (const version of ["3", "01", "1.0", "", "live", "__proto__"]) {
      const answer = await ask({ inputs: [tensor()] }, { version });
      expect(answer.status).toBe(404);
      expect(jsonOf(answer).error).toMatch(/versions are 2, 1/);
    }
  });

  it("hands priority, client and timeout to the gateway", async () => {
    const model = fakeServedModel();
    const parameters = { priority: 3, client: "nightly", timeout: 2500 };
    await ask({ inputs: [tensor()], parameters }, { client: "10.0.0.1" }, model);
    await ask({ inputs: [tensor()], parameters: { priority: 1 } }, { client: "10.0.0.1" }, model);
    expect(model.requests).toMatchObject([
      { priority: "bulk", client: "nightly", timeoutMs: 2.5 },
      { priority: "interactive", client: "10.0.0.1" },
    ]);
    expect(model.requests[1]).not.toHaveProperty("timeoutMs");
    expect(model.requests[1]).not.toHaveProperty("release");
  });

  it.each([
    ["a PNG file", PNG, {}],
    ["a PNG file with a length of 0", PNG, { headerLength: "0" }],
    ["FP32 without JSON", new Uint8Array(Float32Array.from(SAMPLE).buffer), { headerLength: "0" }],
    ["UINT8", { inputs: [tensor({ datatype: "UINT8" })] }, {}],
    [
      "a file in base64",
      { inputs: [tensor({ datatype: "BYTES", shape: [1], data: [Buffer.from(PNG).toString("base64")] })] },
      {},
    ],
    [
      "a file with an axis of 1",
      { inputs: [tensor({ datatype: "BYTES", shape: [1, 1], data: [Buffer.from(PNG).toString("base64")] })] },
      {},
    ],
  ])("answers the same for %s", async (_, body, options) => {
    const { outputs } = jsonOf(await ask(body, options));
    expect(Float32Array.from(outputs[2]?.data as number[])).toEqual(fakeLogits(1, 10, SAMPLE));
  });

  it("fits an image of another size, and mixes it with one of the network's size", async () => {
    const large = encode({ width: 8, height: 8, channels: 1, depth: 8, data: new Uint8Array(64).fill(100) });
    const data = [PNG, large].map((file) => Buffer.from(file).toString("base64"));
    const { outputs } = jsonOf(await ask({ inputs: [tensor({ datatype: "BYTES", shape: [2], data })] }));
    const expected = [...fakeLogits(1, 10, SAMPLE), ...fakeLogits(1, 10, new Uint8Array(16).fill(100))];
    expect(Array.from(Float32Array.from(outputs[2]?.data as number[]))).toEqual(expected);
  });

  it.each<[string, object | Uint8Array, RegExp]>([
    ["another name", { inputs: [tensor({ name: "x" })] }, /inputs must be \\"input\\"|inputs must be "input".*"x"/],
    ["two inputs", { inputs: [tensor(), tensor({ name: "y" })] }, /inputs must be "input".*"y"/],
    ["a sample without its batch axis", { inputs: [tensor({ shape: [4, 4, 1] })] }, /\[-1, 4, 4, 1\].*\[4, 4, 1\]/],
    ["another size", { inputs: [tensor({ shape: [1, 16, 1, 1] })] }, /\[-1, 4, 4, 1\].*\[1, 16, 1, 1\]/],
    [
      "a batch above the limit",
      { inputs: [tensor({ shape: [9, 4, 4, 1], data: Array(144).fill(0) })] },
      /at most 8 samples.*9/,
    ],
    [
      "an unknown output",
      { inputs: [tensor()], outputs: [{ name: "scores" }] },
      /among class, probabilities, logits.*"scores"/,
    ],
    [
      "a classification of names",
      { inputs: [tensor()], outputs: [{ name: "class", parameters: { classification: 1 } }] },
      /classification must be of/,
    ],
    [
      "a file that is none",
      { inputs: [tensor({ datatype: "BYTES", shape: [1], data: ["QUJD"] })] },
      /read image 0.*PNG or a JPEG/,
    ],
    [
      "files of two axes",
      { inputs: [tensor({ datatype: "BYTES", shape: [2, 2], data: ["QUJD", "QUJD", "QUJD", "QUJD"] })] },
      /must be \[n\].*\[2, 2\]/,
    ],
    ["half a PNG file", PNG.subarray(0, 40), /read image 0.*readable PNG/],
  ])("refuses %s", async (_, body, message) => {
    const answer = await ask(body);
    expect(answer.status).toBe(400);
    expect(jsonOf(answer).error).toMatch(message);
  });

  it("refuses images where the network takes none, and raw bytes of no whole sample", async () => {
    const model = fakeServedModel({ takesImages: false });
    expect(jsonOf(await ask(PNG, {}, model)).error).toMatch(/digits takes no images/);
    expect(jsonOf(await ask(new Uint8Array(63), { headerLength: "0" })).error).toMatch(/samples of 64 bytes.*63 bytes/);
    const nan = new Uint8Array(Float32Array.from({ length: 16 }, () => NaN).buffer);
    expect(jsonOf(await ask(nan, { headerLength: "0" })).error).toMatch(/finite.*NaN at 0/);
  });

  it("bounds the JSON, and the pixels of all images together", async () => {
    const answer = await ask({ inputs: [tensor()] }, { jsonBytes: 50 });
    expect(answer.status).toBe(413);
    expect(jsonOf(answer).error).toMatch(/at most 50 bytes.*binary/);
    const data = [PNG, PNG].map((file) => Buffer.from(file).toString("base64"));
    const images = { inputs: [tensor({ datatype: "BYTES", shape: [2], data })] };
    expect(jsonOf(await ask(images, { imagePixels: 31 })).error).toMatch(/read image 1.*at most 15 pixels/);
    expect((await ask(images, { imagePixels: 32 })).status).toBe(200);
  });

  it.each<[ErrorCode, number, number | undefined]>([
    ["KN_SHAPE", 400, undefined],
    ["KN_NUMERIC", 400, undefined],
    ["KN_CONFIG", 404, undefined],
    ["KN_OVERLOADED", 429, 40],
    ["KN_STALE", 504, undefined],
    ["KN_UNAVAILABLE", 503, 1000],
    ["KN_INVARIANT", 500, undefined],
  ])("answers %s with %i", async (code, status, retryAfterMs) => {
    const error = new KnowledgeNetError(code, { attempt: "answer", rule: "it must be so" });
    const outcome = (): InferenceOutcome => ({
      kind: "refusal",
      error,
      ...(code === "KN_OVERLOADED" ? { retryAfterMs: 40 } : {}),
    });
    const answer = await ask({ inputs: [tensor()] }, {}, fakeServedModel({ outcome }));
    expect(answer).toMatchObject({ status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
    expect(jsonOf(answer)).toEqual({ error: error.message });
  });

  it("answers 503 while no release is live, and 500 for a bug", async () => {
    const none = fakeServedModel();
    none.live = undefined;
    none.unready = ["no replica"];
    const unready = await ask({ inputs: [tensor()] }, {}, none);
    expect(unready).toMatchObject({ status: 503, retryAfterMs: 1000 });
    expect(jsonOf(unready).error).toMatch(/must be live.*no replica/);
    const outcome: FakeServedModelOptions["outcome"] = () => {
      throw new TypeError("a bug");
    };
    expect(await ask({ inputs: [tensor()] }, {}, fakeServedModel({ outcome }))).toMatchObject({ status: 500 });
  });

  it("rejects with the reason of an abort", async () => {
    const model = fakeServedModel();
    const release = model.hold();
    const controller = new AbortController();
    const answer = ask({ inputs: [tensor()] }, { signal: controller.signal }, model);
    controller.abort(new Error("gone"));
    await expect(answer).rejects.toThrow("gone");
    release();
  });
});
