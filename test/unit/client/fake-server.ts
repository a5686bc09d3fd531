/** A server of the Open Inference Protocol for the client's tests: each test says what is answered. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  /** The JSON, and the bytes after it. */
  readonly json: {
    readonly parameters?: Readonly<Record<string, unknown>>;
    readonly inputs?: readonly Readonly<Record<string, unknown>>[];
    readonly outputs?: readonly Readonly<Record<string, unknown>>[];
  };
  readonly binary: Buffer;
}

export type Answer = (received: Received, response: ServerResponse, request: IncomingMessage) => void;

export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  readonly connections: number;
}

export async function fakeServer(answer: Answer, port = 0): Promise<FakeServer> {
  const received: Received[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      const length = Number(request.headers["inference-header-content-length"] ?? body.byteLength);
      const { method = "", url = "", headers } = request;
      const json = (length === 0 ? {} : JSON.parse(body.toString("utf8", 0, length))) as Received["json"];
      const each = { method, url, headers, json, binary: body.subarray(length) };
      received.push(each);
      answer(each, response, request);
    });
  });
  server.on("connection", () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]() {
      return new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
    },
  };
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
}

export const METADATA = {
  name: "digits",
  versions: ["7", "6"],
  platform: "knowledgenet",
  inputs: [{ name: "input", datatype: "FP32", shape: [-1, 2, 2, 1] }],
  outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 2] }],
};

/** Answer of release 7: n samples of two classes; logits are the sample's number, and half of it. */
export function sendInference({ json }: Received, response: ServerResponse): void {
  const samples = (json.inputs?.[0]?.["shape"] as number[])[0] ?? 0;
  const logits = Float32Array.from({ length: 2 * samples }, (_, index) => Math.floor(index / 2) / (1 + (index % 2)));
  const text = Buffer.concat(Array.from({ length: samples }, () => Buffer.from([3, 0, 0, 0, ...Buffer.from("one")])));
  const bytes = { class: text, probabilities: Buffer.from(logits.buffer), logits: Buffer.from(logits.buffer) };
  const wanted = (json.outputs ?? []).map(({ name }) => name as keyof typeof bytes);
  const header = Buffer.from(
    JSON.stringify({
      model_name: "digits",
      model_version: "7",
      parameters: { batch: 12 },
      outputs: wanted.map((name) => ({
        name,
        datatype: name === "class" ? "BYTES" : "FP32",
        shape: name === "class" ? [samples] : [samples, 2],
        parameters: { binary_data_size: bytes[name].byteLength },
      })),
    }),
  );
  response.writeHead(200, { "inference-header-content-length": String(header.byteLength) });
  response.end(Buffer.concat([header, ...wanted.map((name) => bytes[name])]));
}
