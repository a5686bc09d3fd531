/** A server of fake models on a free port, and its client. */
import { type HttpLimits, type InferenceHttp, serveInference } from "../../../../src/apps/http/index.ts";
import { type Clock, systemClock } from "../../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { type FakeServedModel, fakeServedModel } from "../../../support/fake-served-model.ts";

export interface HttpScene extends AsyncDisposable {
  readonly http: InferenceHttp;
  readonly model: FakeServedModel;
  /** http://host:port */
  readonly url: string;
  unready: string[];
  get(path: string, init?: RequestInit): Promise<HttpAnswer>;
  infer(body: object | Uint8Array, init?: RequestInit & { readonly path?: string }): Promise<HttpAnswer>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** undefined where the body is none. */
  readonly json: unknown;
}

export const SAMPLE = Array.from({ length: 16 }, (_, index) => index * 10);
export const REQUEST = { inputs: [{ name: "input", shape: [1, 4, 4, 1], datatype: "FP32", data: SAMPLE }] };

/** A request with a binary tensor, and its header. */
export function binaryRequest(extra: object = {}): { readonly body: Buffer; readonly headerLength: string } {
  const parameters = { binary_data_size: 64 };
  const inputs = [{ name: "input", shape: [1, 4, 4, 1], datatype: "FP32", parameters }];
  const json = Buffer.from(JSON.stringify({ inputs, ...extra }));
  const body = Buffer.concat([json, Buffer.from(Float32Array.from(SAMPLE).buffer)]);
  return { body, headerLength: String(json.length) };
}

export async function httpScene({
  limits = {},
  model = fakeServedModel(),
  others = [],
  metrics = true,
  clock = systemClock(),
}: {
  readonly limits?: Partial<HttpLimits>;
  readonly model?: FakeServedModel;
  readonly others?: readonly FakeServedModel[];
  readonly metrics?: boolean;
  readonly clock?: Clock;
} = {}): Promise<HttpScene> {
  let unready: string[] = [];
  const http = await serveInference(
    { address: "127.0.0.1:0", limits },
    {
      models: () => [model, ...others],
      unready: () => unready,
      ...(metrics ? { metrics: { contentType: "text/plain", text: async () => "kn_up 1\n" } } : {}),
      clock,
      log: silentLogger,
      version: "0.1.0",
    },
  );
  const url = `http://${http.address}`;
  const get = async (path: string, init: RequestInit = {}): Promise<HttpAnswer> => {
    const response = await fetch(`${url}${path}`, init);
    const bytes = Buffer.from(await response.arrayBuffer());
    const isJson = response.headers.get("content-type") === "application/json" && bytes.length > 0;
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      json: isJson ? (JSON.parse(bytes.toString()) as unknown) : undefined,
    };
  };
  return {
    http,
    model,
    url,
    get unready() {
      return unready;
    },
    set unready(reasons) {
      unready = reasons;
    },
    get,
    infer(body, { path = "/v2/models/digits/infer", ...init } = {}) {
      const bytes = body instanceof Uint8Array ? body : JSON.stringify(body);
      return get(path, { method: "POST", ...init, body: bytes as NonNullable<RequestInit["body"]> });
    },
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]();
    },
  };
}
