/**
 * Seeded mutations of valid requests against the front end of the Open Inference Protocol: each must be answered with a
 * status that is no bug, or its connection closed, and memory must stay flat. A tenth goes over sockets, whole requests
 * with line and headers; the rest to `answerInference` itself, which is where bodies end.
 *
 *     node dist/tools/faults/mutate-http.js [--count 1000000] [--seed 1] [--url http://127.0.0.1:8080]
 *
 * With --url all of them go over sockets to that server, which may be any.
 */
import { connect } from "node:net";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { encode } from "fast-png";
import { answerInference } from "../../src/actors/gateway/answer-inference.ts";
import { serveInference } from "../../src/apps/http/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { fakeServedModel } from "../../test/support/fake-served-model.ts";
import { randomFrom } from "../../test/support/random.ts";

export interface MutateHttpOptions {
  readonly count: number;
  readonly seed: number;
  /** Server to send all of them to. @default a server of this process, for `wireShare` of them */
  readonly url?: string;
  /** @default 0.1 */
  readonly wireShare?: number;
  readonly onProgress?: (done: number) => void;
}

export interface MutateHttpReport {
  readonly seed: number;
  readonly mutations: number;
  /** How many answers had each status; `closed`: connections without an answer. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Mutations that broke a rule, the first hundred: what happened, and the bytes in base64. */
  readonly failures: readonly { readonly what: string; readonly bytes: string }[];
  /** Resident memory after the first tenth and at the end, bytes. */
  readonly memory: { readonly warm: number; readonly end: number };
  readonly seconds: number;
}

/** What the protocol has for a client's fault; 503 and 504 are a server's state. 500 is a bug. */
const GOOD_STATUSES = new Set([200, 400, 404, 405, 408, 413, 415, 417, 429, 431, 503, 504]);
const PATIENCE_MS = 10_000;
const CONNECTIONS = 16;
const MAX_FAILURES = 100;
/** Texts at the borders of numbers and of JSON. */
const ODD = [
  "-1", "0", "1e999", "-0", "NaN", "Infinity", "null", "true", "[]", "{}", '""', "0.5", "255", "256", "65536",
  "2147483648", "4294967296", "9007199254740993", "18446744073709551616", "[[[[", "\\u0000", "\\ud800", "__proto__",
  "BYTES", "FP16", "INT64", "UINT8", "%00", "..", "chunked", "gzip", "deflate", "100-continue", "close", "\r\n", "\0",
]; // biome-ignore format: one table

interface Template {
  readonly path: string;
  readonly method: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** How often it is chosen. A refused JPEG costs the decoder's instance: 10 ms. */
  readonly weight: number;
}

export async function mutateHttp(options: MutateHttpOptions): Promise<MutateHttpReport> {
  const { count, seed, url, wireShare = 0.1, onProgress } = options;
  const startedMs = performance.now();
  const random = randomFrom(seed);
  const model = fakeServedModel({ input: [4, 4, 1] });
  const forgetful = { ...model, infer: forget(model), live: model.live, unready: [] };
  const http =
    url === undefined
      ? await serveInference(
          { address: "127.0.0.1:0" },
          { models: () => [forgetful], unready: () => [], clock: systemClock(), log: silentLogger, version: "0.1.0" },
        )
      : undefined;
  const target = new URL(url ?? `http://${http?.address}`);
  const templates = templatesOf("digits");
  const mutate = createMutator(templates, random);
  const outcomes: Record<string, number> = {};
  const failures: { what: string; bytes: string }[] = [];
  const tell = (outcome: string, bytes: Uint8Array, isGood: boolean): void => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (!isGood && failures.length < MAX_FAILURES) {
      failures.push({ what: outcome, bytes: Buffer.from(bytes).toString("base64") });
    }
  };
  let warm = 0;
  let done = 0;
  const step = (): void => {
    done += 1;
    if (done === Math.ceil(count / 10)) warm = process.memoryUsage().rss;
    if (done % 10_000 === 0) onProgress?.(done);
  };

  const overWire = url === undefined ? Math.round(count * wireShare) : count;
  let sent = 0;
  const client = async (): Promise<void> => {
    while (sent < overWire) {
      sent += 1;
      const bytes = mutate(wireOf(pick(templates, random)), 4);
      const { statuses, isClosed } = await exchange(target, bytes);
      if (!isClosed) tell("neither answered nor closed", bytes, false);
      else if (statuses.length === 0) tell("closed", bytes, true);
      for (const status of statuses) tell(String(status), bytes, GOOD_STATUSES.has(status));
      step();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  for (let index = overWire; index < count; index += 1) {
    const { body: whole, headers } = pick(templates, random);
    const header = /^inference-header-content-length: (.*)$/.exec(headers.at(-1) ?? "")?.[1];
    const body = mutate(whole, 3);
    const length = random() < 0.1 ? ODD[Math.floor(random() * ODD.length)] : header;
    try {
      const { status } = await answerInference(forgetful, body, length === undefined ? {} : { headerLength: length });
      tell(String(status), body, GOOD_STATUSES.has(status));
    } catch (error) {
      tell(`rejected: ${String(error)}`, body, false);
    }
    step();
  }
  const end = process.memoryUsage().rss;
  await http?.close({ graceMs: 1000 });
  const seconds = (performance.now() - startedMs) / 1000;
  return { seed, mutations: done, outcomes, failures, memory: { warm, end }, seconds };
}

/** The fake keeps every request. */
function forget(model: ReturnType<typeof fakeServedModel>): (typeof model)["infer"] {
  return async (request) => {
    const outcome = await model.infer(request);
    (model.requests as unknown[]).length = 0;
    return outcome;
  };
}

function templatesOf(model: string): Template[] {
  const sample = Array.from({ length: 16 }, (_, index) => index / 16);
  const png = Buffer.from(encode({ width: 4, height: 4, channels: 1, depth: 8, data: new Uint8Array(16).fill(9) }));
  const nested = [0, 4, 8, 12].map((at) => sample.slice(at, at + 4).map((value) => [value]));
  const input = (changes: object): object => ({ name: "input", shape: [1, 4, 4, 1], datatype: "FP32", ...changes });
  const infer = (body: Buffer, headers: readonly string[] = [], weight = 10): Template => ({
    path: `/v2/models/${model}/infer`,
    method: "POST",
    headers,
    body,
    weight,
  });
  const json = (value: object, headers: readonly string[] = []): Template =>
    infer(Buffer.from(JSON.stringify(value)), headers);
  const binary = (value: object, ...tensors: readonly Uint8Array[]): Template => {
    const head = Buffer.from(JSON.stringify(value));
    return infer(Buffer.concat([head, ...tensors]), [`inference-header-content-length: ${head.length}`]);
  };
  const file = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([bytes.length, 0, 0, 0]), bytes]);
  const get = (path: string, method = "GET"): Template => ({
    path,
    method,
    headers: [],
    body: Buffer.alloc(0),
    weight: 1,
  });
  const whole = {
    id: "a",
    parameters: { timeout: 1_000_000, priority: 1, client: "c", binary_data_output: false },
    inputs: [input({ data: sample })],
    outputs: [{ name: "class" }, { name: "logits", parameters: { binary_data: true, classification: 2 } }],
  };
  return [
    json({ inputs: [input({ data: sample })] }),
    json({ inputs: [input({ data: [nested] })] }),
    json(whole),
    json({ inputs: [input({ datatype: "UINT8", data: sample.map((value) => Math.round(value * 255)) })] }),
    json({ inputs: [input({ datatype: "BYTES", shape: [1], data: [png.toString("base64")] })] }),
    binary({ inputs: [input({ parameters: { binary_data_size: 64 } })] }, new Uint8Array(64)),
    binary(
      { inputs: [input({ datatype: "BYTES", shape: [2], parameters: { binary_data_size: 2 * (png.length + 4) } })] },
      file(png),
      file(png),
    ),
    infer(png),
    infer(Buffer.alloc(64), ["inference-header-content-length: 0"]),
    infer(gzipSync(JSON.stringify(whole)), ["content-encoding: gzip"]),
    infer(Buffer.from(JPEG, "base64"), [], 0.1),
    get("/v2"),
    get("/v2/health/ready"),
    get(`/v2/models/${model}/versions/1/config`),
    get(`/v2/models/${model}/stats`),
    get("/v2/repository/index", "POST"),
  ];
}

/** 8 x 8, grey. */
const JPEG =
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT" +
  "gyPC4zNDL/wAALCAAIAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIh" +
  "MUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhI" +
  "WGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/ACv/" +
  "2Q==";

/** The request as bytes; every fourth in chunks. */
function wireOf({ path, method, headers, body }: Template): Buffer {
  const isChunked = body.length % 4 === 1;
  const framing = isChunked ? "transfer-encoding: chunked" : `content-length: ${body.length}`;
  const head = [`${method} ${path} HTTP/1.1`, "host: x", framing, ...headers, "", ""].join("\r\n");
  const chunks = [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")];
  return Buffer.concat([Buffer.from(head), ...(isChunked ? chunks : [body])]);
}

function pick(templates: readonly Template[], random: () => number): Template {
  let at = random() * templates.reduce((sum, { weight }) => sum + weight, 0);
  for (const template of templates) {
    at -= template.weight;
    if (at < 0) return template;
  }
  throw new RangeError("weights must be positive");
}

/** 1 to `most` changes: bits, bytes, ranges that go, come twice or come from elsewhere, numbers, odd texts, an early end. */
function createMutator(templates: readonly Template[], random: () => number) {
  const below = (limit: number): number => Math.floor(random() * limit);
  const splice = (bytes: Buffer, at: number, removed: number, added: Uint8Array): Buffer =>
    Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
  const odd = (): Buffer => Buffer.from(ODD[below(ODD.length)] ?? "", "latin1");
  const change = (bytes: Buffer): Buffer => {
    if (bytes.length === 0) return odd();
    const at = below(bytes.length);
    const range = Math.min(bytes.length - at, 1 + below(16));
    switch (below(9)) {
      case 0:
        return splice(bytes, at, 1, Uint8Array.of((bytes[at] ?? 0) ^ (1 << below(8))));
      case 1:
        return splice(bytes, at, 1, Uint8Array.of(below(256)));
      case 2:
        return splice(bytes, at, range, Buffer.alloc(0));
      case 3:
        return splice(bytes, at, 0, bytes.subarray(at, at + range));
      case 4: {
        const other = wireOf(pick(templates, random));
        const from = below(other.length);
        return splice(bytes, at, range, other.subarray(from, from + 1 + below(64)));
      }
      case 5:
        return splice(bytes, at, below(2) * range, odd());
      case 6:
        return bytes.subarray(0, below(4) === 0 ? at : bytes.length);
      default: {
        const digit = bytes.subarray(at).findIndex((byte) => byte >= 0x30 && byte <= 0x39);
        if (digit < 0) return splice(bytes, at, 0, odd());
        const end = bytes.subarray(at + digit).findIndex((byte) => byte < 0x30 || byte > 0x39);
        return splice(bytes, at + digit, end < 0 ? 1 : end, odd());
      }
    }
  };
  return (bytes: Buffer, most: number): Buffer => {
    let changed = bytes;
    for (let left = 1 + below(most); left > 0; left -= 1) changed = change(changed);
    return changed;
  };
}

/** Sends bytes and the end of them. */
function exchange(
  { hostname, port }: URL,
  bytes: Uint8Array,
): Promise<{ readonly statuses: readonly number[]; readonly isClosed: boolean }> {
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    let text = "";
    const settle = (isClosed: boolean): void => {
      clearTimeout(timer);
      const statuses = [...text.matchAll(/(?:^|\n|\})HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ statuses: statuses.filter((status) => status !== 100), isClosed });
      socket.destroy();
    };
    const timer = setTimeout(() => {
      settle(false);
    }, PATIENCE_MS);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.once("end", () => {
      settle(true);
    });
    socket.once("close", () => {
      settle(true);
    });
    socket.end(bytes);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "1000000" },
      seed: { type: "string", default: "1" },
      url: { type: "string" },
    },
  });
  const report = await mutateHttp({
    count: Number(values.count),
    seed: Number(values.seed),
    ...(values.url === undefined ? {} : { url: values.url }),
    onProgress: (done) => {
      if (done % 100_000 === 0) console.error(`${done} mutations`);
    },
  });
  console.log(JSON.stringify(report, undefined, 2));
  process.exitCode = report.failures.length === 0 ? 0 : 1;
}
