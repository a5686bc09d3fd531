import { describe, expect, it } from "vitest";
import { connectClient } from "../../../src/client/index.ts";
import { type ClientPorts, systemPorts } from "../../../src/client/system-ports.ts";
import { fakeServer, METADATA, sendInference, sendJson } from "./fake-server.ts";

/** Pauses between repetitions take no time; deadlines of exchanges never fire. */
function hastyPorts(): ClientPorts & { readonly pausesMs: number[] } {
  let nowMs = 0;
  const pausesMs: number[] = [];
  return {
    pausesMs,
    now: () => nowMs,
    after(ms, then) {
      if (ms > 2_000) return () => undefined; // an exchange's
      pausesMs.push(ms);
      nowMs += ms;
      setImmediate(then);
      return () => undefined;
    },
    random: () => 0,
  };
}

const SAMPLES = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

describe("connectClient", () => {
  it("sends binary tensors with what is left of the deadline, and reads those of the answer", async () => {
    await using server = await fakeServer(sendInference);
    await using client = await connectClient({ url: server.url, model: "digits", client: "shop", timeoutMs: 5_000 });
    const inference = await client.infer(SAMPLES, { shape: [2, 2, 2, 1], priority: "bulk" });
    expect(inference).toEqual({
      classes: ["one", "one"],
      probabilities: Float32Array.from([0, 0, 1, 0.5]),
      logits: Float32Array.from([0, 0, 1, 0.5]),
      samples: 2,
      release: 7,
      batch: 12,
    });
    const [received] = server.received;
    expect(received).toMatchObject({
      method: "POST",
      url: "/v2/models/digits/infer",
      headers: { "x-kn-client": "shop" },
      json: {
        parameters: { priority: 2 },
        inputs: [{ name: "input", datatype: "FP32", shape: [2, 2, 2, 1], parameters: { binary_data_size: 32 } }],
      },
    });
    expect(received?.binary).toEqual(Buffer.from(SAMPLES.buffer));
    const timeout = Number(received?.json.parameters?.["timeout"]);
    expect(timeout).toBeGreaterThan(1_000_000); // microseconds
    expect(timeout).toBeLessThanOrEqual(5_000_000);
  });

  it("says whether the model may learn from an input: observe, and infer with or without it", async () => {
    await using server = await fakeServer(sendInference);
    await using client = await connectClient({ url: server.url, model: "digits" });
    const options = { shape: [2, 2, 2, 1] } as const;
    const { release, classes } = await client.observe(SAMPLES, { ...options, outputs: ["classes"] });
    expect([release, classes]).toEqual([7, ["one", "one"]]);
    await client.infer(SAMPLES, { ...options, observe: false });
    await client.infer(SAMPLES, options);
    const sent = server.received.map(({ json }) => json.parameters?.["observe"]);
    expect(sent).toEqual([true, false, undefined]);
  });

  it("asks for the wanted outputs and the release only", async () => {
    await using server = await fakeServer(sendInference);
    await using client = await connectClient({ url: server.url, model: "a/b" });
    const inference = await client.infer(new Uint8Array(4), { shape: [1, 2, 2, 1], outputs: ["classes"], release: 3 });
    expect(inference).toEqual({ classes: ["one"], samples: 1, release: 7, batch: 12 });
    expect(server.received[0]).toMatchObject({
      url: "/v2/models/a%2Fb/versions/3/infer",
      json: { inputs: [{ datatype: "UINT8" }], outputs: [{ name: "class" }] },
    });
  });

  it("sends image files as BYTES", async () => {
    await using server = await fakeServer(sendInference);
    await using client = await connectClient({ url: server.url, model: "digits" });
    await client.infer({ images: [Uint8Array.from([1, 2, 3]), Uint8Array.from([4])] });
    expect(server.received[0]?.json.inputs).toMatchObject([{ datatype: "BYTES", shape: [2] }]);
    expect([...(server.received[0]?.binary ?? [])]).toEqual([3, 0, 0, 0, 1, 2, 3, 1, 0, 0, 0, 4]);
  });

  it("takes the model from the server's index and the shape from its metadata, once", async () => {
    await using server = await fakeServer((received, response) => {
      if (received.url === "/v2/repository/index") sendJson(response, 200, [{ name: "digits" }]);
      else if (received.method === "GET") sendJson(response, 200, METADATA);
      else sendInference(received, response);
    });
    await using client = await connectClient({ url: server.url });
    await client.infer(SAMPLES);
    await client.infer(SAMPLES.slice(4));
    expect(client.model).toBe("digits");
    expect(server.received.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /v2/repository/index",
      "GET /v2/models/digits",
      "POST /v2/models/digits/infer",
      "POST /v2/models/digits/infer",
    ]);
    expect(server.connections).toBe(1);
  });

  it("refuses a server with several models unless one is named", async () => {
    await using server = await fakeServer((_, response) => {
      sendJson(response, 200, [{ name: "digits" }, { name: "cats" }]);
    });
    await expect(connectClient({ url: server.url })).rejects.toMatchObject({ code: "KN_CONFIG" });
    await expect(connectClient({ url: "digits:8080", model: "digits" })).rejects.toMatchObject({ code: "KN_CONFIG" });
  });

  it.each([
    [400, "bad", "KN_DECODE"],
    [404, "no such model", "KN_CONFIG"],
    [429, "busy", "KN_OVERLOADED"],
    [503, "draining", "KN_UNAVAILABLE"],
    [504, "too late", "KN_STALE"],
    [500, "a page", "KN_UNAVAILABLE"],
    [400, "KN_SHAPE: Cannot infer as the input must be [n, 2, 2, 1]: current value is [3]", "KN_SHAPE"],
  ])("answers status %i, %s with %s", async (status, error, code) => {
    await using server = await fakeServer((_, response) => {
      sendJson(response, status, { error });
    });
    await using client = await connectClient({ url: server.url, model: "digits" });
    await expect(client.infer(SAMPLES, { shape: [2, 4] })).rejects.toMatchObject({ code });
    expect(server.received).toHaveLength(1);
  });

  it("waits for Retry-After and asks again", async () => {
    await using server = await fakeServer((received, response) => {
      if (server.received.length < 3) sendJson(response, 429, { error: "busy" }, { "retry-after": "1" });
      else sendInference(received, response);
    });
    const ports = hastyPorts();
    await using client = await connectClient({ url: server.url, model: "digits" }, ports);
    await expect(client.infer(SAMPLES, { shape: [2, 4] })).resolves.toMatchObject({ release: 7 });
    expect(ports.pausesMs).toEqual([1_000, 1_000]);
  });

  it("does not wait for a Retry-After beyond the deadline", async () => {
    await using server = await fakeServer((_, response) => {
      sendJson(response, 503, { error: "not ready" }, { "retry-after": "60" });
    });
    await using client = await connectClient({ url: server.url, model: "digits" });
    await expect(client.infer(SAMPLES, { shape: [2, 4] })).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(server.received).toHaveLength(1);
  });

  it("repeats a request that met no server, with growing pauses", async () => {
    const { url } = await closedServer();
    const ports = hastyPorts();
    await using client = await connectClient({ url, model: "digits", maxRetries: 3 }, ports);
    await expect(client.infer(SAMPLES, { shape: [2, 4] })).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(ports.pausesMs).toEqual([25, 50, 100]);
  });

  it("repeats a request whose connection broke, unless told not to", async () => {
    await using server = await fakeServer((received, response, request) => {
      if (server.received.length % 2 === 1) request.socket.resetAndDestroy();
      else sendInference(received, response);
    });
    await using client = await connectClient({ url: server.url, model: "digits" });
    await expect(client.infer(SAMPLES, { shape: [2, 4] })).resolves.toMatchObject({ release: 7 });
    await using careful = await connectClient({ url: server.url, model: "digits", isRetrying: false });
    await expect(careful.infer(SAMPLES, { shape: [2, 4] })).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(server.received).toHaveLength(3);
  });

  it("ends a call at its deadline", async () => {
    await using server = await fakeServer(() => undefined);
    await using client = await connectClient({ url: server.url, model: "digits" });
    const call = client.infer(SAMPLES, { shape: [2, 4], timeoutMs: 30 });
    await expect(call).rejects.toMatchObject({ code: "KN_STALE" });
  });

  it("ends a call with the reason of its signal, and disconnects", async () => {
    let disconnected: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => (disconnected = resolve));
    const controller = new AbortController();
    await using server = await fakeServer((_, _response, request) => {
      request.socket.on("close", () => disconnected?.());
      controller.abort("enough");
    });
    await using client = await connectClient({ url: server.url, model: "digits" });
    const call = client.infer(SAMPLES, { shape: [2, 4], signal: controller.signal });
    await expect(call).rejects.toBe("enough");
    await gone;
  });

  it("ends calls in progress, and refuses more, once it is closed", async () => {
    let arrived: (() => void) | undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    await using server = await fakeServer(() => arrived?.());
    const client = await connectClient({ url: server.url, model: "digits" });
    const call = expect(client.infer(SAMPLES, { shape: [2, 4] })).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    await arrival;
    await client.close();
    await call;
    await expect(client.ready()).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  });

  it("has many calls in progress without a warning of the platform", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    await using server = await fakeServer(sendInference);
    await using client = await connectClient({ url: server.url, model: "digits" });
    await Promise.all(Array.from({ length: 20 }, () => client.infer(SAMPLES, { shape: [2, 2, 2, 1] })));
    await new Promise((resolve) => setImmediate(resolve)); // warnings are emitted on the next turn
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  it("answers whether the model is ready, and its metadata", async () => {
    let status = 200;
    await using server = await fakeServer(({ url }, response) => {
      sendJson(response, status, url.endsWith("/ready") ? { name: "digits", ready: true } : METADATA);
    });
    await using client = await connectClient({ url: server.url, model: "digits" });
    expect(await client.ready()).toBe(true);
    expect(await client.metadata()).toEqual(METADATA);
    status = 503;
    expect(await client.ready()).toBe(false);
    const { url } = await closedServer();
    await using nowhere = await connectClient({ url, model: "digits", maxRetries: 0 }, systemPorts);
    expect(await nowhere.ready()).toBe(false);
  });

  it("refuses a shape without the input's elements before it sends", async () => {
    await using server = await fakeServer(sendInference);
    await using client = await connectClient({ url: server.url, model: "digits" });
    await expect(client.infer(SAMPLES, { shape: [3, 4] })).rejects.toMatchObject({ code: "KN_SHAPE" });
    expect(server.received).toHaveLength(0);
  });
});

/** An address where nothing listens. */
async function closedServer(): Promise<{ readonly url: string }> {
  await using server = await fakeServer(() => undefined);
  return { url: server.url };
}
