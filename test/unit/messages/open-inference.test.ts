import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isKnowledgeNetError } from "../../../src/errors/index.ts";
import {
  type AnswerOutput,
  encodeOpenInferenceAnswer,
  type InferInput,
  MAX_JSON_DEPTH,
  modelConfiguration,
  modelMetadata,
  modelStatistics,
  type OpenInferenceRequest,
  parseOpenInferenceRequest,
  repositoryIndex,
} from "../../../src/messages/open-inference/index.ts";
import { shortestDouble } from "../../../src/messages/open-inference/infer-answer.ts";
import { randomFrom } from "../../support/random.ts";

const bytesOf = (value: unknown): Buffer => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const tensor = (changes: object = {}): object => ({
  name: "input",
  shape: [2, 2],
  datatype: "FP32",
  data: [1, 2, 3, 4],
  ...changes,
});
const parse = (...inputs: readonly object[]): OpenInferenceRequest => parseWhole({ inputs });

function parseWhole(value: unknown, headerLength?: string): OpenInferenceRequest {
  const options = headerLength === undefined ? {} : { headerLength };
  const request = parseOpenInferenceRequest(bytesOf(value), options);
  if ("raw" in request) throw new TypeError("a raw body");
  return request;
}

/** JSON, binary tensors behind it, and the header. */
function parseBinary(inputs: readonly object[], ...tensors: readonly Uint8Array[]): readonly InferInput[] {
  const json = bytesOf({ inputs });
  const request = parseOpenInferenceRequest(Buffer.concat([json, ...tensors]), { headerLength: String(json.length) });
  if ("raw" in request) throw new TypeError("a raw body");
  return request.inputs;
}

const binary = (bytes: number, changes: object = {}): object =>
  tensor({ data: undefined, parameters: { binary_data_size: bytes }, ...changes });
const floats = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

describe("parseOpenInferenceRequest of JSON", () => {
  it.each([
    ["flat", [1, 2, 3, 4]],
    [
      "nested",
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      "with one axis more",
      [
        [[1], [2]],
        [[3], [4]],
      ],
    ],
  ])("reads %s data, row-major", (_, data) => {
    expect(parse(tensor({ data })).inputs).toEqual([
      { name: "input", shape: [2, 2], datatype: "FP32", elements: Float32Array.of(1, 2, 3, 4) },
    ]);
  });

  it("reads data whose neighbouring axes are joined, and refuses a nest that looks transposed", () => {
    const data = [
      [1, 2, 3, 4, 5, 6],
      [7, 8, 9, 10, 11, 12],
    ];
    expect(parse(tensor({ shape: [2, 2, 3], data })).inputs[0]?.elements).toHaveLength(12);
    expect(() =>
      parse(
        tensor({
          shape: [2, 3],
          data: [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
        }),
      ),
    ).toThrow(/nested as \[3, 2\]/);
  });

  it("reads UINT8", () => {
    expect(parse(tensor({ datatype: "UINT8", data: [0, 1, 254, 255] })).inputs[0]?.elements).toEqual(
      Uint8Array.of(0, 1, 254, 255),
    );
  });

  it("reads files in base64", () => {
    const inputs = [tensor({ datatype: "BYTES", shape: [2], data: ["iVBORw0KGgo=", "/9j/"] })];
    expect(parse(...inputs).inputs[0]?.elements).toEqual([
      Buffer.from("89504e470d0a1a0a", "hex"),
      Buffer.from("ffd8ff", "hex"),
    ]);
  });

  it("reads id, timeout, priority, client and outputs", () => {
    const request = parseWhole({
      id: "42",
      parameters: { timeout: 5_000_000, priority: 2, client: "batch", binary_data_output: true, other: [1] },
      inputs: [tensor()],
      outputs: [
        { name: "class", parameters: { binary_data: false } },
        { name: "logits", parameters: { classification: 3 } },
      ],
    });
    expect(request).toMatchObject({
      id: "42",
      timeoutMicros: 5_000_000,
      priority: 2,
      client: "batch",
      areOutputsBinary: true,
      outputs: [
        { name: "class", isBinary: false },
        { name: "logits", isBinary: true, classification: 3 },
      ],
    });
  });

  it("takes a request without outputs, with none and with null as one for all of them", () => {
    for (const outputs of [undefined, [], null]) {
      expect(parseWhole({ inputs: [tensor()], outputs })).not.toHaveProperty("outputs");
    }
  });

  it("keeps NUL and any other character of an id", () => {
    expect(parseWhole({ id: 'a\0"\u2028é', inputs: [tensor()] }).id).toBe('a\0"\u2028é');
  });

  it("accepts a byte order mark", () => {
    const body = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytesOf({ inputs: [tensor()] })]);
    expect(parseOpenInferenceRequest(body)).toHaveProperty("inputs");
  });

  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{", /must be JSON/],
    ["nothing", "", /must be JSON/],
    ["NaN of Python", '{"inputs":[{"data":[NaN]}]}', /no NaN and no Infinity/],
    ["-Infinity of Python", '{"inputs":[{"data":[-Infinity]}]}', /no NaN and no Infinity/],
    ["a list", [], /must be an object.*an array/],
    ["null", null, /must be an object.*null/],
    ["no inputs", {}, /`inputs` must be an array.*undefined/],
    ["empty inputs", { inputs: [] }, /`inputs` must be an array/],
    ["an input that is no object", { inputs: [7] }, /inputs\[0\] must be an object.*7/],
    ["an id that is a number", { id: 7, inputs: [tensor()] }, /id must be a string.*7/],
    ["a long id", { id: "x".repeat(2000), inputs: [tensor()] }, /up to 1024 characters/],
    ["parameters that are a list", { parameters: [], inputs: [tensor()] }, /parameters of the request/],
    ["a negative timeout", { parameters: { timeout: -1 }, inputs: [tensor()] }, /timeout must be an integer.*-1/],
    ["a timeout beyond 2^53", '{"parameters":{"timeout":9007199254740993},"inputs":[]}', /2\^53 - 1.*9007199254740992/],
    ["a fractional priority", { parameters: { priority: 1.5 }, inputs: [tensor()] }, /priority.*1\.5/],
    ["binary_data_output of 1", { parameters: { binary_data_output: 1 }, inputs: [tensor()] }, /true or false.*1/],
    ["a name twice", { inputs: [tensor(), tensor()] }, /inputs\[1\]\.name must be given once.*input/],
    ["no name", { inputs: [tensor({ name: undefined })] }, /inputs\[0\]\.name must be given/],
    ["an output twice", { inputs: [tensor()], outputs: [{ name: "a" }, { name: "a" }] }, /outputs\[1\].*once/],
    ["outputs that are an object", { inputs: [tensor()], outputs: {} }, /`outputs` must be an array/],
    ["shared memory", { inputs: [tensor({ parameters: { shared_memory_region: "a" } })] }, /shared memory/],
  ])("refuses %s", (_, value, message) => {
    expect(() => parseWhole(value)).toThrow(message);
  });

  it.each<[string, object, RegExp]>([
    ["an unknown datatype", { datatype: "FLOAT" }, /one of BOOL.*FLOAT/],
    ["a datatype that networks do not take", { datatype: "INT64" }, /here FP32, UINT8, BYTES.*INT64/],
    ["FP16 in JSON", { datatype: "FP16" }, /here FP32.*FP16/],
    ["a negative extent", { shape: [-1, 2] }, /1 or more.*-1/],
    ["an extent of 0", { shape: [0] }, /1 or more.*0/],
    ["a fractional extent", { shape: [1.5] }, /1\.5/],
    ["an extent that is text", { shape: ["4"] }, /integer/],
    ["a product beyond 2^64", { shape: [4294967296, 4294967296, 2] }, /below 2\^53/],
    ["a product that is 4 modulo 2^64", { shape: [4, 4294967297, 4294967295] }, /below 2\^53/],
    ["a scalar", { shape: [] }, /1 to 8 extents/],
    ["nine axes", { shape: [1, 1, 1, 1, 1, 1, 1, 1, 4] }, /1 to 8 extents/],
    ["no shape", { shape: undefined }, /`shape` must be an array/],
    ["fewer elements than the shape has", { data: [1, 2, 3] }, /the 4 elements of shape \[2, 2\].*3/],
    ["more elements than the shape has", { data: [1, 2, 3, 4, 5] }, /the 4 elements.*5/],
    ["a shape of a terabyte", { shape: [1_000_000, 1_000_000] }, /the 1000000000000 elements.*fewer/],
    ["ragged data", { data: [[1, 2, 3], [4]] }, /nested as|regular/],
    ["data of two depths", { data: [[1, 2], 3, 4] }, /nested as|regular/],
    ["an empty nest", { data: [[], []] }, /nested as|elements/],
    ["no data", { data: undefined }, /`data` must be an array/],
    ["text for a number", { data: ["1", 2, 3, 4] }, /must be numbers.*string/],
    ["true for a number", { data: [true, 2, 3, 4] }, /must be numbers.*boolean/],
    ["null for a number", { data: [null, 2, 3, 4] }, /must be numbers/],
    ["a number beyond binary32", { data: [1e39, 2, 3, 4] }, /finite in 32 bits.*1e\+39 at 0/],
    ["256 as UINT8", { datatype: "UINT8", data: [0, 0, 0, 256] }, /0 to 255.*256 at 3/],
    ["-1 as UINT8", { datatype: "UINT8", data: [0, 0, -1, 0] }, /0 to 255.*-1 at 2/],
    ["0.5 as UINT8", { datatype: "UINT8", data: [0.5, 0, 0, 0] }, /0 to 255.*0\.5 at 0/],
    ["text of no base64", { datatype: "BYTES", shape: [1], data: ["a file"] }, /base64.*a file/],
  ])("refuses a tensor with %s", (_, changes, message) => {
    expect(() => parse(tensor(changes))).toThrow(message);
    expect(() => parse(tensor(changes))).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });

  it("refuses bytes that are no UTF-8", () => {
    const body = Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(() => parseOpenInferenceRequest(body)).toThrow(/must be UTF-8/);
  });

  it("refuses a million brackets before it builds them, and not brackets in a string", () => {
    expect(() => parseWhole("[".repeat(1_000_000))).toThrow(/deeper than 100.*101 at byte 100/);
    const deep = `{"inputs":${"[".repeat(MAX_JSON_DEPTH - 1)}${"]".repeat(MAX_JSON_DEPTH - 1)}}`;
    expect(() => parseWhole(deep)).toThrow(/inputs\[0\] must be an object/);
    expect(parseWhole({ id: `${"[".repeat(500)}\\"[`, inputs: [tensor()] }).id).toHaveLength(503);
  });

  it("does not read names of the prototype", () => {
    expect(() => parseWhole('{"__proto__":{"inputs":[]}}')).toThrow(/`inputs`/);
    expect(() => parse(tensor({ name: "__proto__" }), tensor({ name: "constructor" }))).not.toThrow();
  });
});

describe("parseOpenInferenceRequest of binary tensors", () => {
  it("reads tensors in the order of the inputs, at any offset", () => {
    for (let padding = 0; padding < 4; padding += 1) {
      const names = ["a", "b".repeat(1 + padding)];
      const inputs = [
        binary(4, { name: names[0], datatype: "UINT8" }),
        binary(8, { name: names[1], shape: [2] }),
        tensor({ name: "c" }),
      ];
      const [a, b, c] = parseBinary(inputs, Uint8Array.of(1, 2, 3, 4), floats(0.5, -1));
      expect(a?.elements).toEqual(Buffer.from([1, 2, 3, 4]));
      expect(b?.elements).toEqual(Float32Array.of(0.5, -1));
      expect(c?.elements).toEqual(Float32Array.of(1, 2, 3, 4));
    }
  });

  it("reads BYTES: each with its length", () => {
    const elements = Buffer.from([2, 0, 0, 0, 7, 8, 0, 0, 0, 0]);
    const [input] = parseBinary([binary(10, { datatype: "BYTES", shape: [2] })], elements);
    expect(input?.elements).toEqual([Buffer.from([7, 8]), Buffer.alloc(0)]);
  });

  it.each<[string, object, Uint8Array, RegExp]>([
    ["fewer bytes than the shape needs", binary(12), floats(1, 2, 3), /4 elements of FP32 must be 16.*12/],
    ["a size beyond the body", binary(20), floats(1, 2, 3, 4), /within the 16 bytes that are left.*20/],
    ["a negative size", binary(-16), floats(1, 2, 3, 4), /binary_data_size must be an integer.*-16/],
    ["a size that is text", binary(16, { parameters: { binary_data_size: "16" } }), floats(1, 2, 3, 4), /integer.*16/],
    ["bytes beyond the last input", binary(16), floats(1, 2, 3, 4, 5), /end with the last binary input.*4 bytes/],
    ["data and a size", binary(16, { data: [1, 2, 3, 4] }), floats(1, 2, 3, 4), /`data` or binary_data_size.*both/],
    ["NaN", binary(16), floats(1, NaN, 3, 4), /must be finite.*NaN at 1/],
    ["Infinity", binary(16), floats(1, 2, 3, -Infinity), /must be finite.*-Infinity at 3/],
    [
      "BYTES beyond their tensor",
      binary(6, { datatype: "BYTES", shape: [1] }),
      Buffer.from([3, 0, 0, 0, 1, 2]),
      /element 0 ends beyond its 6/,
    ],
    [
      "BYTES of 4 GiB",
      binary(6, { datatype: "BYTES", shape: [1] }),
      Buffer.from([255, 255, 255, 255, 1, 2]),
      /element 0 ends beyond/,
    ],
    [
      "half a length of BYTES",
      binary(2, { datatype: "BYTES", shape: [1] }),
      Buffer.from([1, 0]),
      /element 0 ends beyond/,
    ],
    [
      "fewer BYTES than the shape has",
      binary(5, { datatype: "BYTES", shape: [2] }),
      Buffer.from([1, 0, 0, 0, 1]),
      /the 2 elements.*1 elements/,
    ],
    [
      "more BYTES than the shape has",
      binary(8, { datatype: "BYTES", shape: [1] }),
      Buffer.alloc(8),
      /the 1 elements.*4 of 8 bytes/,
    ],
  ])("refuses %s", (_, input, bytes, message) => {
    expect(() => parseBinary([input], bytes)).toThrow(message);
  });

  it.each(["-1", "1e3", "0x10", " 5", "5, 5", "99999999999999999999", "", "1000"])(
    "refuses an Inference-Header-Content-Length of %j",
    (headerLength) => {
      expect(() => parseWhole({ inputs: [tensor()] }, headerLength)).toThrow(/Inference-Header-Content-Length must be/);
    },
  );

  it("gives a raw body for a length of 0, and for an image without the header", () => {
    const png = Buffer.from("89504e470d0a1a0a00", "hex");
    expect(parseOpenInferenceRequest(Buffer.from([1, 2]), { headerLength: "0" })).toEqual({ raw: Buffer.from([1, 2]) });
    expect(parseOpenInferenceRequest(png)).toEqual({ raw: png });
    expect(parseOpenInferenceRequest(Buffer.from("ffd8ffe0", "hex"))).toHaveProperty("raw");
  });
});

describe("parseOpenInferenceRequest of anything", () => {
  const parses = (body: Uint8Array, headerLength: string | undefined): void => {
    try {
      parseOpenInferenceRequest(body, headerLength === undefined ? {} : { headerLength });
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_DECODE")) throw error;
      expect(error.message.length).toBeLessThan(600);
    }
  };

  it("gives a request or throws KN_DECODE, for any bytes and any JSON", () => {
    const length = fc.option(fc.oneof(fc.nat(80).map(String), fc.string()), { nil: undefined });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), length, (body, header) => {
        parses(body, header);
      }),
      { numRuns: 2000, seed: 1 },
    );
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), length, (text, header) => {
        parses(bytesOf(text), header);
      }),
      { numRuns: 2000, seed: 2 },
    );
  });

  it("gives a request or throws KN_DECODE where any part of a request is anything", () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom(
        "FP32",
        "UINT8",
        "BYTES",
        0,
        -1,
        4,
        2 ** 32,
        2 ** 53,
        [1, 2, 3, 4],
        [
          [1, 2],
          [3, 4],
        ],
        [4],
        [2, 2],
      ),
    );
    const input = fc.record(
      { name: value, shape: value, datatype: value, data: value, parameters: fc.record({ binary_data_size: value }) },
      { requiredKeys: [] },
    );
    const request = fc.record(
      {
        id: value,
        inputs: fc.oneof(fc.array(input, { maxLength: 3 }), value),
        outputs: value,
        parameters: fc.record({ timeout: value, priority: value, client: value }, { requiredKeys: [] }),
      },
      { requiredKeys: ["inputs"] },
    );
    fc.assert(
      fc.property(request, fc.uint8Array({ maxLength: 32 }), (fields, tail) => {
        const json = bytesOf(fields);
        parses(Buffer.concat([json, tail]), String(json.length));
      }),
      { numRuns: 5000, seed: 3 },
    );
  });

  it("gives a request or throws KN_DECODE for valid requests that are damaged", () => {
    const json = bytesOf({ inputs: [binary(16)], outputs: [{ name: "logits" }], parameters: { timeout: 5 } });
    const whole = Buffer.concat([json, floats(1, 2, 3, 4)]);
    const random = randomFrom(11);
    const below = (limit: number): number => Math.floor(random() * limit);
    for (let round = 0; round < 20_000; round += 1) {
      const body = Buffer.from(whole);
      for (let change = below(4); change >= 0; change -= 1) body[below(body.length)] = below(256);
      parses(body.subarray(0, round % 3 === 0 ? below(body.length) : body.length), String(json.length));
    }
  });
});

describe("encodeOpenInferenceAnswer", () => {
  const logits: AnswerOutput = {
    name: "logits",
    datatype: "FP32",
    shape: [1, 3],
    isBinary: false,
    elements: Float32Array.of(0.1, -1.5, 3.4e38),
  };
  const names: AnswerOutput = { name: "class", datatype: "BYTES", shape: [2], isBinary: true, elements: ["é", ""] };

  it("echoes the id, keeps the order of outputs and prints binary32 as short as it is", () => {
    const { body, headerLength } = encodeOpenInferenceAnswer({
      model: "digits",
      version: "7",
      id: "a\0",
      outputs: [{ ...names, isBinary: false }, logits],
    });
    expect(headerLength).toBeUndefined();
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      model_name: "digits",
      model_version: "7",
      id: "a\0",
      outputs: [
        { name: "class", datatype: "BYTES", shape: [2], data: ["é", ""] },
        { name: "logits", datatype: "FP32", shape: [1, 3], data: [0.1, -1.5, 3.4e38] },
      ],
    });
    expect(Buffer.from(body).toString()).toContain("[0.1,-1.5,3.4e+38]");
  });

  it("puts binary outputs behind the JSON, in their order", () => {
    const outputs = [names, { ...logits, isBinary: true }];
    const { body, headerLength = 0 } = encodeOpenInferenceAnswer({ model: "digits", version: "7", outputs });
    const header = JSON.parse(Buffer.from(body.subarray(0, headerLength)).toString()) as { outputs: object[] };
    expect(header.outputs).toMatchObject([
      { name: "class", parameters: { binary_data_size: 10 } },
      { name: "logits", parameters: { binary_data_size: 12 } },
    ]);
    expect(header.outputs[0]).not.toHaveProperty("data");
    expect(body.subarray(headerLength)).toEqual(
      Buffer.concat([Buffer.from([2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0]), floats(0.1, -1.5, 3.4e38)]),
    );
  });

  it("shortestDouble names the same binary32 in the fewest digits", () => {
    expect([0.1, 1 / 3, 16_777_216, 1e-45, 0, 0].map((value) => shortestDouble(Math.fround(value)))).toEqual([
      0.1, 0.33333334, 16_777_216, 1e-45, 0, 0,
    ]);
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Math.fround(shortestDouble(value)) === value).toBe(true);
        expect(
          String(shortestDouble(value))
            .replace(/e.*|[-.]/g, "")
            .replace(/^0+|0+$/g, "").length,
        ).toBeLessThan(10);
      }),
      { seed: 4 },
    );
  });
});

describe("descriptions", () => {
  const model = {
    name: "digits",
    version: "7",
    versions: ["8", "7"],
    inputs: [{ name: "input", datatype: "FP32", shape: [-1, 28, 28, 1] }],
    outputs: [{ name: "class", datatype: "BYTES", shape: [-1] }],
    maxBatch: 32,
    classNames: ["zero", "one"],
  };

  it("describe a model in the protocol's words and in Triton's", () => {
    expect(modelMetadata(model)).toEqual({
      name: "digits",
      versions: ["8", "7"],
      platform: "knowledgenet",
      inputs: model.inputs,
      outputs: model.outputs,
    });
    expect(modelConfiguration(model)).toMatchObject({
      max_batch_size: 32,
      input: [{ name: "input", data_type: "TYPE_FP32", dims: [28, 28, 1] }],
      output: [{ name: "class", data_type: "TYPE_STRING", dims: [1] }],
    });
  });

  it("give statistics in nanoseconds and the index by state", () => {
    const times = { count: 2, totalMs: 1.5 };
    const [statistics] = (
      modelStatistics([
        {
          name: "digits",
          version: "7",
          lastInferenceMs: 5,
          inferences: 9,
          success: times,
          fail: times,
          queue: times,
          compute: times,
        },
      ]) as { model_stats: object[] }
    ).model_stats;
    expect(statistics).toMatchObject({
      inference_count: 9,
      execution_count: 2,
      inference_stats: { success: { count: 2, ns: 1_500_000 } },
    });
    expect(repositoryIndex([{ name: "digits", version: "7", unready: ["no replica"] }])).toEqual([
      { name: "digits", version: "7", state: "UNAVAILABLE", reason: "no replica" },
    ]);
  });
});
