/**
 * The Open Inference Protocol over sockets of our own: kept connections, one request in flight on each. `node:http` costs
 * several times the processor time, and the generator shares the machine with what it measures.
 */
import { connect, type Socket } from "node:net";
import { DEFAULT_TIMEOUT_MS, type LoadImages, type LoadStream } from "./load-options.ts";
import type { Outcome } from "./outcome.ts";
import { createHttpReader, type HttpAnswer } from "./http-reader.ts";
import type { Wire, WireAnswer } from "./wire.ts";

const OUTCOME_OF_STATUS: Readonly<Record<number, Outcome>> = {
  408: "stale",
  429: "overloaded",
  503: "unavailable",
  504: "stale",
};
/** Of a refusal's text. */
const SHOWN_CHARACTERS = 200;
const MICROSECONDS = 1_000;

export interface HttpWireOptions {
  readonly url: string;
  readonly model: string;
  readonly images: LoadImages;
  /** The most samples that one request takes. */
  readonly maxSamples: number;
  /** Of tensors, both ways. @default "binary" */
  readonly encoding?: "binary" | "json";
}

export function httpWire({ url, model, images, maxSamples, encoding = "binary" }: HttpWireOptions): Wire {
  const { hostname, port } = new URL(url);
  const at = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port === "" ? 80 : port) };
  const requestOf = encoding === "binary" ? binaryRequests : jsonRequests;
  const request = requestOf({ host: `${hostname}:${port}`, model, images, maxSamples });
  /** The last one used is the next one used: few connections are kept busy. */
  const idle: Connection[] = [];
  const all = new Set<Connection>();

  const open = (): Connection => {
    const connection = createConnection(at, {
      onIdle: () => idle.push(connection),
      onEnd() {
        all.delete(connection);
        const index = idle.indexOf(connection);
        if (index >= 0) idle.splice(index, 1);
      },
    });
    all.add(connection);
    return connection;
  };

  return {
    send({ stream, image }, then) {
      const connection = idle.pop() ?? open();
      const [head, body] = request(stream, image);
      connection.ask(head, body, then);
      return () => {
        connection.end();
      };
    },
    async close() {
      for (const connection of all) connection.end();
    },
  };
}

interface Connection {
  ask(head: Buffer, body: Buffer, then: (answer: WireAnswer) => void): void;
  /** At once; the answer to the last request is not waited for. */
  end(): void;
}

function createConnection(
  at: { readonly host: string; readonly port: number },
  { onIdle, onEnd }: { readonly onIdle: () => void; readonly onEnd: () => void },
): Connection {
  const socket: Socket = connect({ ...at, noDelay: true });
  let waiting: ((answer: WireAnswer) => void) | undefined;
  let isConnected = false;
  let isEnded = false;
  let lastError: Error | undefined;

  const end = (): void => {
    waiting = undefined;
    isEnded = true;
    socket.destroy();
    onEnd();
  };
  const fail = (outcome: Outcome, text: string): void => {
    const then = waiting;
    end();
    then?.({ kind: "failure", outcome, text });
  };
  const reader = createHttpReader((answer) => {
    const then = waiting;
    if (then === undefined) {
      fail("malformed", "an answer to no request");
      return;
    }
    waiting = undefined;
    if (answer.isLast) end();
    else onIdle();
    then(readAnswer(answer));
  });

  socket.on("connect", () => (isConnected = true));
  socket.on("data", (data: Buffer) => {
    try {
      reader.push(data);
    } catch (error) {
      fail("malformed", error instanceof Error ? error.message : String(error));
    }
  });
  socket.on("error", (error) => (lastError = error));
  socket.on("close", () => {
    if (isEnded) return;
    const cause =
      (lastError as NodeJS.ErrnoException | undefined)?.code ?? lastError?.message ?? "the server closed it";
    fail(isConnected ? "broken" : "unreachable", cause);
  });
  return {
    ask(head, body, then) {
      waiting = then;
      socket.cork();
      socket.write(head);
      socket.write(body);
      socket.uncork();
    },
    end,
  };
}

interface RequestsOptions {
  readonly host: string;
  readonly model: string;
  readonly images: LoadImages;
  readonly maxSamples: number;
}

type Requests = (stream: LoadStream, image: number) => readonly [head: Buffer, body: Buffer];

/** Request line, headers and JSON are the same for every request of a stream; samples follow without a copy. */
function binaryRequests({ host, model, images, maxSamples }: RequestsOptions): Requests {
  const bodies = imageBodies(images, maxSamples);
  const heads = new Map<LoadStream, Buffer>();
  return (stream, image) => {
    const { samples = 1 } = stream;
    let head = heads.get(stream);
    if (head === undefined) {
      const size = samples * elementsOf(images) * images.values.BYTES_PER_ELEMENT;
      const json = requestJson(stream, images, { parameters: { binary_data_size: size } }, { binary_data: true });
      head = Buffer.concat([
        requestHead(stream, { host, model, bytes: json.byteLength + size, headerBytes: json.byteLength }),
        json,
      ]);
      heads.set(stream, head);
    }
    return [head, bodies.of(image, samples)];
  };
}

/** Printed once for each stream and first sample. */
function jsonRequests({ host, model, images }: RequestsOptions): Requests {
  const printed = new Map<LoadStream, Map<number, readonly [Buffer, Buffer]>>();
  const elements = elementsOf(images);
  return (stream, image) => {
    const known = printed.get(stream) ?? new Map<number, readonly [Buffer, Buffer]>();
    printed.set(stream, known);
    let request = known.get(image);
    if (request === undefined) {
      const { samples = 1 } = stream;
      const from = image * elements;
      const data = Array.from(
        { length: samples * elements },
        (_, index) => images.values[(from + index) % images.values.length] ?? 0,
      );
      const json = requestJson(stream, images, { data }, { binary_data: false });
      request = [requestHead(stream, { host, model, bytes: json.byteLength }), json];
      known.set(image, request);
    }
    return request;
  };
}

function elementsOf({ shape }: LoadImages): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function requestJson(
  { samples = 1, timeoutMs = DEFAULT_TIMEOUT_MS, priority }: LoadStream,
  { shape, values }: LoadImages,
  content: object,
  outputParameters: object,
): Buffer {
  return Buffer.from(
    JSON.stringify({
      parameters: { timeout: timeoutMs * MICROSECONDS, priority: priority === "bulk" ? 2 : 1 },
      inputs: [
        {
          name: "input",
          datatype: values instanceof Uint8Array ? "UINT8" : "FP32",
          shape: [samples, ...shape],
          ...content,
        },
      ],
      outputs: [{ name: "logits", parameters: outputParameters }],
    }),
  );
}

function requestHead(
  { name, release }: LoadStream,
  {
    host,
    model,
    bytes,
    headerBytes,
  }: { readonly host: string; readonly model: string; readonly bytes: number; readonly headerBytes?: number },
): Buffer {
  const version = release === undefined ? "" : `/versions/${release}`;
  const headers = [
    `POST /v2/models/${encodeURIComponent(model)}${version}/infer HTTP/1.1`,
    `Host: ${host}`,
    `X-KN-Client: ${name}`,
    `Content-Type: application/${headerBytes === undefined ? "json" : "octet-stream"}`,
    ...(headerBytes === undefined ? [] : [`Inference-Header-Content-Length: ${headerBytes}`]),
    `Content-Length: ${bytes}`,
  ];
  return Buffer.from(`${headers.join("\r\n")}\r\n\r\n`);
}

/** Bytes of consecutive samples, without a copy for each request. */
export function imageBodies(
  { shape, values }: LoadImages,
  maxSamples: number,
): { readonly of: (image: number, samples: number) => Buffer } {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const sample = shape.reduce((product, extent) => product * extent, values.BYTES_PER_ELEMENT);
  // The pool's start once more at its end: as many samples as one request can go beyond it.
  const parts = [bytes];
  for (let more = (maxSamples - 1) * sample; more > 0; more -= bytes.byteLength) {
    parts.push(bytes.subarray(0, Math.min(more, bytes.byteLength)));
  }
  const wrapped = Buffer.concat(parts);
  return { of: (image, samples) => wrapped.subarray(image * sample, (image + samples) * sample) };
}

function readAnswer({ status, headerBytes, body }: HttpAnswer): WireAnswer {
  if (status !== 200) {
    const outcome = OUTCOME_OF_STATUS[status] ?? (status >= 500 ? "error" : "rejected");
    return { kind: "failure", outcome, text: `${status} ${errorText(body)}` };
  }
  try {
    const json = JSON.parse(body.toString("utf8", 0, headerBytes ?? body.byteLength)) as {
      model_version?: string;
      parameters?: { batch?: number };
      outputs?: { name: string; shape: number[]; data?: number[]; parameters?: { binary_data_size?: number } }[];
    };
    let at = headerBytes ?? 0;
    for (const { name, shape, data, parameters } of json.outputs ?? []) {
      const size = parameters?.binary_data_size ?? 0;
      if (name === "logits") {
        const logits = data === undefined ? floatsAt(body, at, size) : Float32Array.from(data.flat(shape.length));
        const { batch = shape[0] ?? 0 } = json.parameters ?? {};
        return { kind: "logits", release: Number(json.model_version ?? 0), batch, logits };
      }
      at += size;
    }
    return { kind: "failure", outcome: "malformed", text: "no logits" };
  } catch (error) {
    return { kind: "failure", outcome: "malformed", text: error instanceof Error ? error.message : String(error) };
  }
}

function floatsAt(body: Buffer, at: number, size: number): Float32Array {
  if (size % 4 !== 0 || at + size > body.byteLength)
    throw new RangeError(`${size} bytes of logits are not in the body`);
  return new Float32Array(new Uint8Array(body.subarray(at, at + size)).buffer);
}

function errorText(body: Buffer): string {
  const text = body.toString("utf8", 0, Math.min(body.byteLength, 4_096));
  try {
    return String((JSON.parse(text) as { error?: unknown }).error).slice(0, SHOWN_CHARACTERS);
  } catch {
    return text.slice(0, SHOWN_CHARACTERS);
  }
}
