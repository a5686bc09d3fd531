import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createHttpReader, type HttpAnswer } from "../../../../tools/serving/load/http-reader.ts";
import { httpWire } from "../../../../tools/serving/load/http-wire.ts";
import type { LoadImages, LoadStream } from "../../../../tools/serving/load/load-options.ts";
import type { Wire, WireAnswer } from "../../../../tools/serving/load/wire.ts";
import { fakeServer, sendInference, sendJson } from "../../client/fake-server.ts";

const IMAGES: LoadImages = { shape: [2], values: Float32Array.from([1, 2, 3, 4, 5, 6]) };
const STREAM: LoadStream = { name: "bulk", ratePerSecond: 1, samples: 2, priority: "bulk", timeoutMs: 250 };

const ask = (wire: Wire, stream = STREAM, image = 0): Promise<WireAnswer> =>
  new Promise((resolve) => wire.send({ stream, image }, resolve));
const wireTo = (url: string): Wire => httpWire({ url, model: "digits", images: IMAGES, maxSamples: 2 });

describe("httpWire", () => {
  it("sends samples of the pool, from its start again at its end, on a kept connection", async () => {
    await using server = await fakeServer(sendInference);
    const wire = wireTo(server.url);
    const answer = await ask(wire, STREAM, 2);
    await ask(wire);
    await wire.close();
    expect(answer).toEqual({ kind: "logits", release: 7, batch: 12, logits: Float32Array.from([0, 0, 1, 0.5]) });
    expect(server.received[0]).toMatchObject({
      url: "/v2/models/digits/infer",
      headers: { "x-kn-client": "bulk" },
      json: { parameters: { timeout: 250_000, priority: 2 }, inputs: [{ shape: [2, 2], datatype: "FP32" }] },
      binary: Buffer.from(Float32Array.from([5, 6, 1, 2]).buffer),
    });
    expect(server.connections).toBe(1);
  });

  it("sends and reads tensors as JSON for a server without binary ones", async () => {
    await using server = await fakeServer((_, response) => {
      const outputs = [{ name: "logits", datatype: "FP32", shape: [2, 2], data: [1, 2, 3, 4] }];
      sendJson(response, 200, { model_version: "2", outputs });
    });
    const wire = httpWire({ url: server.url, model: "digits", images: IMAGES, maxSamples: 2, encoding: "json" });
    const answer = await ask(wire, STREAM, 2);
    await wire.close();
    expect(answer).toEqual({ kind: "logits", release: 2, batch: 2, logits: Float32Array.from([1, 2, 3, 4]) });
    expect(server.received[0]?.json.inputs).toEqual([
      { name: "input", datatype: "FP32", shape: [2, 2], data: [5, 6, 1, 2] },
    ]);
  });

  it.each([
    [429, "overloaded"],
    [503, "unavailable"],
    [504, "stale"],
    [400, "rejected"],
    [500, "error"],
  ])("takes status %i as %s", async (status, outcome) => {
    await using server = await fakeServer((_, response) => {
      sendJson(response, status, { error: "no" });
    });
    const wire = wireTo(server.url);
    expect(await ask(wire)).toEqual({ kind: "failure", outcome, text: `${status} no` });
    await wire.close();
  });

  it("takes a connection that ends as broken, and none as unreachable", async () => {
    const server = createServer((socket: Socket) => {
      socket.on("data", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const wire = wireTo(url);
    expect(await ask(wire)).toMatchObject({ outcome: "broken" });
    await new Promise((resolve) => server.close(resolve));
    expect(await ask(wire)).toMatchObject({ outcome: "unreachable" });
  });

  it("takes what is no answer as malformed", async () => {
    await using server = await fakeServer((_, response) => {
      sendJson(response, 200, { outputs: [] });
    });
    const wire = wireTo(server.url);
    expect(await ask(wire)).toEqual({ kind: "failure", outcome: "malformed", text: "no logits" });
    await wire.close();
  });
});

describe("createHttpReader", () => {
  const read = (pieces: readonly Buffer[]): HttpAnswer[] => {
    const answers: HttpAnswer[] = [];
    const reader = createHttpReader((answer) => answers.push({ ...answer, body: Buffer.from(answer.body) }));
    for (const piece of pieces) reader.push(piece);
    return answers;
  };
  const TWO = Buffer.from(
    "HTTP/1.1 100 Continue\r\n\r\n" +
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nInference-Header-Content-Length: 2\r\n\r\nab\r\n\r" +
      "HTTP/1.1 429 Too Many Requests\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
  );
  const ANSWERS = [
    { status: 200, headerBytes: 2, body: Buffer.from("ab\r\n\r"), isLast: false },
    { status: 429, headerBytes: undefined, body: Buffer.from("abcde"), isLast: true },
  ];

  it("reads the same answers however the bytes are cut", () => {
    expect(read([TWO])).toEqual(ANSWERS);
    expect(read([...TWO].map((byte) => Buffer.from([byte])))).toEqual(ANSWERS);
    for (let cut = 1; cut < TWO.byteLength; cut += 1) {
      expect(read([TWO.subarray(0, cut), TWO.subarray(cut)])).toEqual(ANSWERS);
    }
  });

  it.each(["hello\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"])(
    "refuses %j",
    (text) => {
      expect(() => read([Buffer.from(text)])).toThrow();
    },
  );
});
