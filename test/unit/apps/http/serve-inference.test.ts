import { gunzipSync, gzipSync, inflateSync, deflateSync } from "node:zlib";
import { encode } from "fast-png";
import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { systemClock } from "../../../../src/runtime/clock/index.ts";
import { fakeLogits, fakeServedModel } from "../../../support/fake-served-model.ts";
import { rawConnection, rawRequest } from "../../../support/raw-http.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { binaryRequest, type HttpAnswer, httpScene, REQUEST, SAMPLE } from "./http-scene.ts";

const INFER = "/v2/models/digits/infer";
const BODY = JSON.stringify(REQUEST);

/** Logits of an answer, whether binary or not: the last output. */
function logitsOf({ bytes, headers }: HttpAnswer): Float32Array {
  const length = headers.get("inference-header-content-length");
  if (length !== null) return new Float32Array(Uint8Array.from(bytes.subarray(bytes.length - 40)).buffer);
  const { outputs } = JSON.parse(bytes.toString()) as { outputs: { data: number[] }[] };
  return Float32Array.from(outputs.at(-1)?.data ?? []);
}

describe("serveInference: descriptions", () => {
  it("answers health, metadata, configuration, statistics and index", async () => {
    await using scene = await httpScene();
    expect((await scene.get("/v2/health/live")).json).toEqual({ live: true });
    expect((await scene.get("/v2/health/ready")).json).toEqual({ live: true, ready: true });
    for (const path of ["/v2", "/v2/"]) {
      expect((await scene.get(path)).json).toMatchObject({ name: "knowledgenet", version: "0.1.0" });
    }
    expect((await scene.get("/v2/models/digits")).json).toMatchObject({
      name: "digits",
      versions: ["2", "1"],
      inputs: [{ name: "input", datatype: "FP32", shape: [-1, 4, 4, 1] }],
      properties: { live: "1" },
    });
    expect((await scene.get("/v2/models/digits/versions/2")).json).toMatchObject({ versions: ["2"] });
    expect((await scene.get("/v2/models/digits/ready")).json).toEqual({ name: "digits", ready: true });
    expect((await scene.get("/v2/models/digits/config")).json).toMatchObject({ max_batch_size: 8 });
    expect((await scene.get("/v2/repository/index", { method: "POST" })).json).toMatchObject([
      { name: "digits", version: "2", state: "READY" },
      { name: "digits", version: "1", state: "READY" },
    ]);
    await scene.infer(REQUEST);
    await scene.infer({});
    for (const path of ["/v2/models/stats", "/v2/models/digits/stats", "/v2/models/digits/versions/1/stats"]) {
      const { model_stats: stats } = (await scene.get(path)).json as { model_stats: { version: string }[] };
      expect(stats.find(({ version }) => version === "1")).toMatchObject({
        inference_count: 1,
        inference_stats: { success: { count: 1 }, fail: { count: 1 } },
      });
    }
    expect((await scene.get("/metrics")).bytes.toString()).toBe("kn_up 1\n");
    expect((await scene.get("/healthz")).bytes.toString()).toBe("ok\n");
    expect((await scene.get("/readyz")).status).toBe(200);
    expect((await scene.get("/v2", { method: "HEAD" })).bytes).toHaveLength(0);
  });

  it("is not ready while it, or a model, is not", async () => {
    await using scene = await httpScene({ others: [fakeServedModel({ name: "other" })] });
    scene.unready = ["no bus"];
    expect(await scene.get("/v2/health/ready")).toMatchObject({ status: 503, json: { error: "not ready: no bus" } });
    expect(await scene.get("/v2/models/other/ready")).toMatchObject({ status: 503 });
    scene.unready = [];
    scene.model.unready = ["no replica"];
    expect((await scene.get("/readyz")).bytes.toString()).toBe("digits: no replica\n");
    expect(await scene.get("/v2/models/digits/ready")).toMatchObject({ status: 503, json: { name: "digits" } });
    expect(await scene.get("/v2/models/other/ready")).toMatchObject({ status: 200 });
    scene.model.live = undefined;
    expect(await scene.get("/v2/models/digits")).toMatchObject({ status: 503 });
    expect((await scene.get("/v2/health/live")).status).toBe(200);
  });

  it.each([
    ["GET", "/nowhere", 404, undefined],
    ["GET", "/v2/models/unknown", 404, undefined],
    ["GET", "/v2/models/digits/versions/9", 404, undefined],
    ["GET", "/v2/models/digits/versions/9/stats", 404, undefined],
    ["POST", "/v2/models/unknown/infer", 404, undefined],
    ["POST", "/v2/models/a%2Fb%00/infer", 404, undefined],
    ["POST", "/v2/repository/models/digits/load", 404, undefined],
    ["GET", INFER, 405, "POST"],
    ["DELETE", "/v2", 405, "GET"],
    ["POST", "/v2/health/live", 405, "GET"],
  ])("%s %s is answered with %i and an error that is text", async (method, path, status, allow) => {
    await using scene = await httpScene();
    const answer = await scene.get(path, { method });
    expect(answer).toMatchObject({ status, json: { error: expect.any(String) } });
    expect(answer.headers.get("allow") ?? undefined).toBe(allow);
  });
});

describe("serveInference: inference", () => {
  it("answers JSON, binary tensors and files whatever their media type is", async () => {
    await using scene = await httpScene();
    const { body, headerLength } = binaryRequest();
    const png = encode({ width: 4, height: 4, channels: 1, depth: 8, data: Uint8Array.from(SAMPLE) });
    const expected = fakeLogits(1, 10, SAMPLE);
    for (const type of ["application/json", "application/octet-stream", "application/x-www-form-urlencoded", "x/y"]) {
      const headers = { "content-type": type };
      expect(logitsOf(await scene.infer(REQUEST, { headers }))).toEqual(expected);
      expect(logitsOf(await scene.infer(png, { headers }))).toEqual(expected);
      const binary = { ...headers, "inference-header-content-length": headerLength };
      expect(logitsOf(await scene.infer(body, { headers: binary }))).toEqual(expected);
    }
    const { body: other, headerLength: length } = binaryRequest({ parameters: { binary_data_output: true } });
    const answer = await scene.infer(other, { headers: { "inference-header-content-length": length } });
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    expect(logitsOf(answer)).toEqual(expected);
  });

  it("answers with the version of the path", async () => {
    await using scene = await httpScene();
    const answer = await scene.infer(REQUEST, { path: "/v2/models/digits/versions/2/infer" });
    expect(answer.json).toMatchObject({ model_version: "2" });
    const unknown = await scene.infer(REQUEST, { path: "/v2/models/digits/versions/5/infer" });
    expect(unknown).toMatchObject({ status: 404, json: { error: expect.stringContaining("versions are 2, 1") } });
  });

  it("names the client by parameter, by header, by address", async () => {
    await using scene = await httpScene();
    const headers = { "x-kn-client": "header" };
    await scene.infer({ ...REQUEST, parameters: { client: "parameter" } }, { headers });
    await scene.infer(REQUEST, { headers });
    await scene.infer(REQUEST);
    expect(scene.model.requests.map(({ client }) => client)).toEqual(["parameter", "header", "127.0.0.1"]);
  });

  it.each([
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
  ] as const)("takes %s, with the header's length in decompressed bytes", async (encoding, compress) => {
    await using scene = await httpScene();
    const { body, headerLength } = binaryRequest();
    const headers = { "content-encoding": encoding, "inference-header-content-length": headerLength };
    expect(logitsOf(await scene.infer(compress(body), { headers }))).toEqual(fakeLogits(1, 10, SAMPLE));
  });

  it("refuses other encodings, damaged ones and those that grow beyond the limit", async () => {
    await using scene = await httpScene({ limits: { bodyBytes: 100_000 } });
    const send = (body: Uint8Array, encoding: string) =>
      scene.infer(body, { headers: { "content-encoding": encoding } });
    const unknown = await send(Buffer.from("x"), "br");
    expect(unknown).toMatchObject({ status: 415, json: { error: expect.stringContaining("br") } });
    expect(unknown.headers.get("accept-encoding")).toBe("gzip, deflate");
    expect(await send(Buffer.from("x"), "gzip, gzip")).toMatchObject({ status: 415 });
    expect(await send(Buffer.from("no gzip"), "gzip")).toMatchObject({ status: 400 });
    expect(await send(gzipSync(BODY).subarray(0, 50), "gzip")).toMatchObject({ status: 400 });
    expect(await send(gzipSync(Buffer.alloc(50_000_000)), "gzip")).toMatchObject({ status: 413 });
    expect((await scene.infer(REQUEST)).status).toBe(200);
  });

  it("compresses answers that are long, where the client accepts it", async () => {
    await using scene = await httpScene();
    const inputs = [{ name: "input", shape: [8, 4, 4, 1], datatype: "FP32", data: Array(128).fill(0.5) }];
    const body = JSON.stringify({ inputs, outputs: [{ name: "logits" }, { name: "class" }] });
    await using raw = await rawConnection(scene.http.address);
    const ask = async (accepted: string) => {
      raw.send(rawRequest("POST", INFER, body, [`accept-encoding: ${accepted}`]));
      return raw.answer();
    };
    const plain = await ask("identity");
    expect(plain.headers).not.toHaveProperty("content-encoding");
    const text = plain.body.toString();
    for (const [accepted, encoding, decompress] of [
      ["gzip, deflate, br", "gzip", gunzipSync],
      ["deflate", "deflate", inflateSync],
      ["gzip;q=0, deflate;q=0.5", "deflate", inflateSync],
    ] as const) {
      const answer = await ask(accepted);
      expect(answer.headers["content-encoding"]).toBe(encoding);
      expect(decompress(answer.body).toString()).toBe(text);
    }
    expect((await ask("gzip;q=0")).headers).not.toHaveProperty("content-encoding");
  });

  it("tells a client that is refused when to come back", async () => {
    const error = new KnowledgeNetError("KN_OVERLOADED", { attempt: "admit it", rule: "the queue must have room" });
    const model = fakeServedModel({ outcome: () => ({ kind: "refusal", error, retryAfterMs: 1200 }) });
    await using scene = await httpScene({ model });
    const answer = await scene.infer(REQUEST);
    expect(answer).toMatchObject({ status: 429, json: { error: error.message } });
    expect(answer.headers.get("retry-after")).toBe("2");
  });

  it("refuses what a turn of its thread has no time for, unread, and goes on with the connection", async () => {
    const COUNT = 60;
    let nowMs = 0;
    // Each look at the clock finds it later: the requests of one turn take too long.
    const now = (): number => (nowMs += 10);
    await using scene = await httpScene({ clock: { ...systemClock(), now } });
    await using raw = await rawConnection(scene.http.address);
    raw.send(Buffer.concat(Array.from({ length: COUNT }, () => rawRequest("POST", INFER, BODY))));
    const statuses: number[] = [];
    for (let index = 0; index < COUNT; index += 1) {
      const { status, headers, body } = await raw.answer();
      statuses.push(status);
      if (status === 200) continue;
      expect(headers["retry-after"]).toBe("2");
      expect(JSON.parse(body.toString())).toEqual({ error: expect.stringContaining("KN_OVERLOADED") });
    }
    const taken = scene.model.requests.length;
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(COUNT);
    expect(statuses).toEqual([...Array(taken).fill(200), ...Array(COUNT - taken).fill(429)]);
    expect(scene.model.unread).toBe(COUNT - taken);
    raw.send(rawRequest("POST", INFER, BODY));
    expect((await raw.answer()).status).toBe(200);
  });

  it("takes the request of a client that goes out of the queue", async () => {
    await using scene = await httpScene();
    const release = scene.model.hold();
    const raw = await rawConnection(scene.http.address);
    raw.send(rawRequest("POST", INFER, BODY));
    const request = await waitFor(() => scene.model.requests[0], "the request");
    expect(request.signal?.aborted).toBe(false);
    await raw[Symbol.asyncDispose]();
    await waitFor(() => request.signal?.aborted, "the abort");
    await waitFor(() => scene.http.underWay === 0, "the end of the request");
    release();
    expect((await scene.infer(REQUEST)).status).toBe(200);
  });
});

describe("serveInference: the wire", () => {
  it("answers pipelined requests in their order, and those before a broken one first", async () => {
    await using scene = await httpScene();
    const release = scene.model.hold();
    await using raw = await rawConnection(scene.http.address);
    raw.send(
      Buffer.concat([
        rawRequest("POST", INFER, JSON.stringify({ ...REQUEST, id: "first" })),
        rawRequest("GET", "/v2/health/live"),
        Buffer.from("GET / HTTP/9\r\n\r\n"),
      ]),
    );
    await waitFor(() => scene.model.requests.length === 1, "the request");
    release();
    expect(JSON.parse((await raw.answer()).body.toString())).toMatchObject({ id: "first" });
    expect((await raw.answer()).body.toString()).toContain("live");
    const last = await raw.answer();
    expect(last).toMatchObject({ status: 400, headers: { connection: "close" } });
    expect(JSON.parse(last.body.toString())).toMatchObject({ error: expect.stringContaining("HTTP/1.1") });
    raw.socket.end();
    await raw.closed;
  });

  it("takes a body in chunks, and in single bytes", async () => {
    await using scene = await httpScene();
    await using raw = await rawConnection(scene.http.address);
    const half = Math.floor(BODY.length / 2);
    const chunks = [BODY.slice(0, half), BODY.slice(half)].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
    raw.send(`POST ${INFER} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunks.join("")}0\r\n\r\n`);
    expect((await raw.answer()).status).toBe(200);
    for (const byte of rawRequest("POST", INFER, BODY)) raw.send(Uint8Array.of(byte));
    expect((await raw.answer()).status).toBe(200);
  });

  it("answers 100-continue for a body that it takes, and the refusal for one that it does not", async () => {
    await using scene = await httpScene({ limits: { bodyBytes: 1000 } });
    await using raw = await rawConnection(scene.http.address);
    const expectation = (bytes: number) =>
      `POST ${INFER} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: ${bytes}\r\n\r\n`;
    raw.send(expectation(BODY.length));
    expect((await raw.answer()).status).toBe(100);
    raw.send(BODY);
    expect((await raw.answer()).status).toBe(200);
    raw.send(expectation(5000));
    expect(await raw.answer()).toMatchObject({ status: 413, headers: { connection: "close" } });
    await raw.closed;
    await using other = await rawConnection(scene.http.address);
    other.send(`POST ${INFER} HTTP/1.1\r\nhost: x\r\nexpect: tea\r\ncontent-length: 5\r\n\r\n12345`);
    expect((await other.answer()).status).toBe(417);
  });

  it("reads the rest of a body that is too long, so that the client reads the refusal", async () => {
    await using scene = await httpScene({ limits: { bodyBytes: 100_000 } });
    await using raw = await rawConnection(scene.http.address);
    raw.send(rawRequest("POST", INFER, Buffer.alloc(300_000)));
    expect(await raw.answer()).toMatchObject({ status: 413 });
    raw.send(rawRequest("POST", INFER, BODY));
    expect((await raw.answer()).status).toBe(200);
    raw.send(`POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n`);
    raw.send(Buffer.alloc(200_000));
    expect(await raw.answer()).toMatchObject({ status: 413, headers: { connection: "close" } });
    await raw.closed;
    // Chunks of no known length: the same, and at four times the limit it is cut.
    await using chunked = await rawConnection(scene.http.address);
    chunked.send(`POST ${INFER} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
    const chunk = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(65_536), Buffer.from("\r\n")]);
    for (let count = 0; count < 20; count += 1) chunked.send(chunk);
    expect((await chunked.answer()).status).toBe(413);
    await chunked.closed;
  });

  it("refuses bodies beyond what all may have together, and takes the next", async () => {
    await using scene = await httpScene({ limits: { bufferedBytes: 2000 } });
    await using slow = await rawConnection(scene.http.address);
    slow.send(`POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n${"x".repeat(1900)}`);
    await waitFor(() => scene.http.underWay === 1, "the slow request");
    const refused = await waitFor(async () => {
      const answer = await scene.infer(REQUEST);
      return answer.status === 503 ? answer : undefined;
    }, "a refusal");
    expect(refused.headers.get("retry-after")).toBe("1");
    await slow[Symbol.asyncDispose]();
    await waitFor(async () => (await scene.infer(REQUEST)).status === 200, "room");
  });

  it.each([
    ["headers that are too long", 431, `GET /v2 HTTP/1.1\r\nx: ${"y".repeat(40_000)}\r\n\r\n`],
    ["no HTTP", 400, "hello\r\n\r\n"],
    ["TLS", 400, Buffer.from("16030100a5010000a1", "hex")],
    ["two lengths", 400, `POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n12345`],
    ["a negative length", 400, `POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n12345`],
    ["a length beyond 2^64", 400, `POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: 18446744073709551617\r\n\r\n1`],
    [
      "length and chunks",
      400,
      `POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["chunks of no length", 400, `POST ${INFER} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`],
    ["no host", 400, "GET /v2 HTTP/1.1\r\n\r\n"],
  ])("answers %s with %i, in JSON or not at all, and closes", async (_, status, bytes) => {
    await using scene = await httpScene();
    await using raw = await rawConnection(scene.http.address);
    raw.send(bytes);
    expect(await raw.answer()).toMatchObject({ status, headers: { connection: "close" } });
    raw.socket.end();
    await raw.closed;
    expect((await scene.infer(REQUEST)).status).toBe(200);
  });

  it("answers slow headers and slow bodies with 408", async () => {
    await using scene = await httpScene({ limits: { headersTimeoutMs: 100, requestTimeoutMs: 200 } });
    await using headers = await rawConnection(scene.http.address);
    headers.send("GET /v2 HTTP/1.1\r\nhost:");
    await using body = await rawConnection(scene.http.address);
    body.send(`POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{`);
    expect(await headers.answer()).toMatchObject({ status: 408 });
    expect(await body.answer()).toMatchObject({ status: 408 });
    await waitFor(() => scene.http.underWay === 0, "the end of both");
  });
});

describe("serveInference: drain", () => {
  it("fails ready first, then ends connections with their answers, and answers what is under way", async () => {
    await using scene = await httpScene();
    await using idle = await rawConnection(scene.http.address);
    await using kept = await rawConnection(scene.http.address);
    await using busy = await rawConnection(scene.http.address);
    idle.send(rawRequest("GET", "/v2/health/ready"));
    expect(await idle.answer()).toMatchObject({ status: 200, headers: { connection: "keep-alive" } });
    kept.send(rawRequest("GET", "/v2"));
    await kept.answer();
    const release = scene.model.hold();
    busy.send(rawRequest("POST", INFER, BODY));
    await waitFor(() => scene.model.requests.length === 1, "the request");

    const closed = scene.http.close({ noticeMs: 150, graceMs: 10_000 });
    kept.send(rawRequest("GET", "/v2/health/ready"));
    expect(await kept.answer()).toMatchObject({ status: 503, headers: { connection: "close" } });
    await kept.closed;
    // New connections are still accepted, so that nobody is refused before balancers know.
    await using late = await rawConnection(scene.http.address);
    late.send(rawRequest("GET", "/v2/health/live"));
    expect(await late.answer()).toMatchObject({ status: 200, headers: { connection: "close" } });
    await idle.closed;
    await expect(waitFor(async () => rawConnection(scene.http.address).then(() => false), "a refusal")).rejects.toThrow(
      /ECONNREFUSED/,
    );
    release();
    expect(await busy.answer()).toMatchObject({ status: 200, headers: { connection: "close" } });
    await closed;
    expect(scene.http.underWay).toBe(0);
  });

  it("is not held up by kept connections, and cuts off what outlasts the grace", async () => {
    await using scene = await httpScene();
    await using idle = await rawConnection(scene.http.address);
    idle.send(rawRequest("GET", "/v2"));
    await idle.answer();
    const release = scene.model.hold();
    await using busy = await rawConnection(scene.http.address);
    busy.send(rawRequest("POST", INFER, BODY));
    const request = await waitFor(() => scene.model.requests[0], "the request");
    const closing = scene.http.close({ graceMs: 50 });
    await idle.closed;
    await closing;
    await expect(busy.answer()).rejects.toThrow(/closed after 0 bytes/);
    await waitFor(() => request.signal?.aborted, "the abort");
    release();
    await expect(scene.http.close({ graceMs: 0 })).resolves.toBeUndefined();
  });
});
