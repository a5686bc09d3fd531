import { describe, expect, it } from "vitest";
import { decodeAnswer } from "../../../src/client/decode-answer.ts";

const LOGITS = { name: "logits", datatype: "FP32", shape: [1, 2] };

function answer(value: object, binary = Buffer.alloc(0)): [Buffer, number] {
  const header = Buffer.from(JSON.stringify({ model_name: "m", model_version: "3", ...value }));
  return [Buffer.concat([header, binary]), header.byteLength];
}

describe("decodeAnswer", () => {
  it("reads JSON data, nested or flat, of a server that answers without binary tensors", () => {
    const outputs = [
      { ...LOGITS, data: [[1, 2]] },
      { name: "class", datatype: "BYTES", shape: [1], data: ["cat"] },
    ];
    const [body] = answer({ outputs });
    expect(decodeAnswer(body, undefined, ["logits", "classes"])).toEqual({
      logits: Float32Array.from([1, 2]),
      classes: ["cat"],
      release: 3,
      samples: 1,
      batch: 1,
    });
  });

  it.each([
    ["no JSON", Buffer.from("<html>"), undefined],
    ["a header beyond the body", Buffer.from("{}"), 3],
    ["no release", ...answer({ model_version: "latest", outputs: [] })],
    ["no outputs", ...answer({})],
    ["an output that is absent", ...answer({ outputs: [] })],
    ["another datatype", ...answer({ outputs: [{ ...LOGITS, datatype: "FP64", data: [1, 2] }] })],
    ["too few values", ...answer({ outputs: [{ ...LOGITS, data: [1] }] })],
    ["a size beyond the body", ...answer({ outputs: [{ ...LOGITS, parameters: { binary_data_size: 8 } }] })],
    ["bytes that belong to no output", ...answer({ outputs: [{ ...LOGITS, data: [1, 2] }] }, Buffer.alloc(4))],
    ["a negative size", ...answer({ outputs: [{ ...LOGITS, parameters: { binary_data_size: -8 } }] })],
    ["a negative extent", ...answer({ outputs: [{ ...LOGITS, shape: [-1, -2], data: [1, 2] }] })],
  ])("refuses %s", (_, body, headerBytes) => {
    expect(() => decodeAnswer(body, headerBytes, ["logits"])).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });

  it("refuses text without its length, or longer than the output", () => {
    const classes = { name: "class", datatype: "BYTES", shape: [1], parameters: { binary_data_size: 5 } };
    for (const bytes of [Buffer.from([9, 0, 0, 0, 65]), Buffer.from([0, 0, 0, 0, 65])]) {
      const [body, length] = answer({ outputs: [classes] }, bytes);
      expect(() => decodeAnswer(body, length, ["classes"])).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
    }
  });
});
