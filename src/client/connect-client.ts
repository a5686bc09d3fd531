/**
 * A client of one served model.
 *
 * Contract: a call has one deadline, repetitions included; the server is told what is left of it. A call is repeated only
 * where that is safe (retry-pause.ts). Inference has no effects, so `isRetrying` is on by default.
 */
import { setMaxListeners } from "node:events";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { KnowledgeNetError } from "../errors/index.ts";
import { decodeAnswer, type Inference, OUTPUTS, type OutputName } from "./decode-answer.ts";
import { encodeInput, encodeRequest, type InferenceInput } from "./encode-request.ts";
import { exchange, type HttpCall } from "./exchange.ts";
import { decodeIndex, decodeMetadata, type ModelMetadata } from "./metadata.ts";
import { retryPause } from "./retry-pause.ts";
import { errorOfAnswer } from "./server-error.ts";
import { type ClientPorts, systemPorts } from "./system-ports.ts";

export interface ClientOptions {
  /** Of the server: "http://127.0.0.1:8080". */
  readonly url: string;
  /** @default the server's only model */
  readonly model?: string;
  /** Whose share of the server's capacity the requests take. @default the address of this machine */
  readonly client?: string;
  /** Of one call, repetitions included, ms. @default 5000 */
  readonly timeoutMs?: number;
  /** Also repeat a request whose connection broke after it was sent: it may be computed twice. @default true */
  readonly isRetrying?: boolean;
  /** Repetitions of one call. @default 4 */
  readonly maxRetries?: number;
  /** Connections at once; further calls wait. @default 64 */
  readonly maxConnections?: number;
}

export interface InferOptions<Wanted extends OutputName = OutputName> {
  /** Shape of a tensor, [n, ...input]. @default that of the model's metadata, asked for once */
  readonly shape?: readonly number[];
  /** Outputs to return. @default all */
  readonly outputs?: readonly Wanted[];
  /** Release to compute with. @default the live one */
  readonly release?: number;
  /** @default the client's */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Interactive requests go first. @default "interactive" */
  readonly priority?: "interactive" | "bulk";
  /**
   * true: the model may learn from the input, where the server allows it; false: it must not. @default as the server was
   * started
   */
  readonly observe?: boolean;
}

export interface Client extends AsyncDisposable {
  readonly model: string;
  /**
   * Rejects with KN_CONFIG: no such model or release; KN_DECODE, KN_SHAPE, KN_NUMERIC: the input; KN_OVERLOADED: refused
   * under load; KN_UNAVAILABLE: no server, or none is ready; KN_STALE: the deadline; with `signal.reason` on abort.
   */
  infer<Wanted extends OutputName = OutputName>(
    input: InferenceInput,
    options?: InferOptions<Wanted>,
  ): Promise<Inference<Wanted>>;
  /**
   * `infer` with the live release, and the model may learn from the input: its observers get it, and may choose it. Rejects
   * as `infer`; with KN_CONFIG when the server does not allow it.
   */
  observe<Wanted extends OutputName = OutputName>(
    input: InferenceInput,
    options?: Omit<InferOptions<Wanted>, "release" | "observe">,
  ): Promise<Inference<Wanted>>;
  /** Rejects as `infer`. */
  metadata(): Promise<ModelMetadata>;
  /** Whether the model answers now. Rejects when the client is closed. */
  ready(): Promise<boolean>;
  /** Ends the calls in progress with KN_UNAVAILABLE. */
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_RETRIES = 4;
const DEFAULT_CONNECTIONS = 64;
const HEADER_LENGTH = "inference-header-content-length";
/** Carries `client`. */
const CLIENT_HEADER = "x-kn-client";
const ALL_OUTPUTS = Object.keys(OUTPUTS) as OutputName[];

/**
 * Opens no connection when `model` is named. Otherwise the server is asked: rejects with KN_CONFIG when it has not
 * exactly one model, and as `infer`.
 */
export async function connectClient(options: ClientOptions, ports: ClientPorts = systemPorts): Promise<Client> {
  const base = serverUrl(options.url);
  const {
    client: name = "",
    timeoutMs: usualTimeoutMs = DEFAULT_TIMEOUT_MS,
    isRetrying = true,
    maxRetries = DEFAULT_RETRIES,
    maxConnections = DEFAULT_CONNECTIONS,
  } = options;
  const agentOptions = { keepAlive: true, maxSockets: maxConnections };
  const agent = base.protocol === "https:" ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // one for each call in progress

  async function call(
    attempt: string,
    httpCall: (remainingMs: number) => HttpCall,
    { timeoutMs = usualTimeoutMs, signal }: Pick<InferOptions, "timeoutMs" | "signal">,
  ) {
    const deadlineMs = ports.now() + timeoutMs;
    const { ended, unlink } = eitherSignal(closing.signal, signal);
    try {
      for (let retries = 0; ; retries += 1) {
        ended.throwIfAborted();
        const remainingMs = deadlineMs - ports.now();
        if (remainingMs <= 0) throw late(attempt, timeoutMs);
        const result = await exchange(httpCall(remainingMs), { agent, timeoutMs: remainingMs, signal: ended }, ports);
        const pauseMs = retryPause(result, retries, { isRetrying, maxRetries }, ports.random());
        if (pauseMs === undefined || ports.now() + pauseMs >= deadlineMs) {
          if (result.kind === "late") throw late(attempt, timeoutMs);
          if (result.kind === "answer") return result;
          throw unreachable(attempt, base, result.cause);
        }
        await pause(pauseMs, ended, ports);
      }
    } finally {
      unlink();
    }
  }

  async function get(attempt: string, path: string): Promise<{ readonly status: number; readonly body: Buffer }> {
    return call(attempt, () => ({ method: "GET", url: urlOf(base, path), headers: {}, body: [] }), {});
  }

  async function onlyModel(): Promise<string> {
    const attempt = "list the models of the server";
    const url = urlOf(base, "v2/repository/index");
    const { status, body } = await call(attempt, () => ({ method: "POST", url, headers: {}, body: [] }), {});
    if (status !== 200) throw errorOfAnswer(attempt, status, body);
    const names = decodeIndex(body);
    if (names.length === 1 && names[0] !== undefined) return names[0];
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "connect to a model",
      rule: "`model` must be named where a server has not exactly one",
      value: names.length === 0 ? "none" : names.join(", "),
    });
  }

  let model: string;
  try {
    model = options.model ?? (await onlyModel());
  } catch (error) {
    agent.destroy();
    throw error;
  }
  const path = `v2/models/${encodeURIComponent(model)}`;
  let inputShape: Promise<readonly number[]> | undefined;

  async function metadata(): Promise<ModelMetadata> {
    const attempt = `read the metadata of ${model}`;
    const { status, body } = await get(attempt, path);
    if (status !== 200) throw errorOfAnswer(attempt, status, body);
    return decodeMetadata(body);
  }

  /** [n, ...input] for a tensor of that many elements. */
  async function usualShape(elements: number): Promise<readonly number[]> {
    inputShape ??= metadata().then(({ inputs }) => (inputs[0]?.shape ?? []).slice(1));
    const sample = await inputShape.catch((error: unknown) => {
      inputShape = undefined;
      throw error;
    });
    return [elements / sample.reduce((product, extent) => product * extent, 1), ...sample];
  }

  const client: Client = {
    model,
    async infer<Wanted extends OutputName = OutputName>(input: InferenceInput, asked: InferOptions<Wanted> = {}) {
      const { outputs = ALL_OUTPUTS, release, priority, shape, observe } = asked;
      const attempt = `infer with ${model}`;
      const isTensor = input instanceof Float32Array || input instanceof Uint8Array;
      const known = shape ?? (isTensor ? await usualShape(input.length) : []);
      const encoded = encodeInput(input, () => known);
      const url = urlOf(base, `${path}${release === undefined ? "" : `/versions/${release}`}/infer`);
      const httpCall = (remainingMs: number): HttpCall => {
        const { parts, headerBytes } = encodeRequest(encoded, { outputs, remainingMs, priority, observe });
        const headers = {
          "content-type": "application/octet-stream",
          [HEADER_LENGTH]: String(headerBytes),
          ...(name === "" ? {} : { [CLIENT_HEADER]: name }),
        };
        return { method: "POST", url, headers, body: parts };
      };
      const { status, headers, body } = await call(attempt, httpCall, asked);
      if (status !== 200) throw errorOfAnswer(attempt, status, body);
      const length = headers[HEADER_LENGTH];
      return decodeAnswer(body, length === undefined ? undefined : Number(length), outputs);
    },
    observe: (input, asked) => client.infer(input, { ...asked, observe: true }),
    metadata,
    async ready() {
      closing.signal.throwIfAborted();
      try {
        return (await get(`look whether ${model} is ready`, `${path}/ready`)).status === 200;
      } catch (error) {
        if (closing.signal.aborted) throw error;
        return false;
      }
    },
    async close() {
      closing.abort(
        new KnowledgeNetError("KN_UNAVAILABLE", { attempt: `call ${model}`, rule: "the client must not be closed" }),
      );
      agent.destroy();
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
  return client;
}

/** @throws KN_CONFIG */
function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === "http:" || url.protocol === "https:")) {
    if (!url.pathname.endsWith("/")) url.pathname += "/";
    return url;
  }
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "connect to a server",
    rule: "`url` must be http://HOST:PORT or https://HOST:PORT",
    value: text,
  });
}

/** `path` below the server's URL, which may have a path of its own (a gateway in front). */
function urlOf(base: URL, path: string): URL {
  return new URL(path, base);
}

/** Aborts with the first of the two. (AbortSignal.any of Node 20 keeps what it made for as long as its longest source.) */
function eitherSignal(
  closing: AbortSignal,
  asked: AbortSignal | undefined,
): { readonly ended: AbortSignal; readonly unlink: () => void } {
  const either = new AbortController();
  const sources = asked === undefined ? [closing] : [asked, closing];
  const abort = (): void => {
    either.abort(sources.find(({ aborted }) => aborted)?.reason);
  };
  for (const source of sources) {
    if (source.aborted) abort();
    source.addEventListener("abort", abort);
  }
  return {
    ended: either.signal,
    unlink() {
      for (const source of sources) source.removeEventListener("abort", abort);
    },
  };
}

function pause(ms: number, signal: AbortSignal, ports: ClientPorts): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = ports.after(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    const onAbort = (): void => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function late(attempt: string, timeoutMs: number): KnowledgeNetError {
  return new KnowledgeNetError("KN_STALE", {
    attempt,
    rule: "the answer must arrive before the deadline",
    value: `none after ${timeoutMs} ms`,
    remedy: "allow more time (`timeoutMs`), or give the server more capacity",
  });
}

function unreachable(attempt: string, { origin }: URL, cause: Error): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt,
    rule: `${origin} must answer`,
    value: cause.message === "" ? ((cause as NodeJS.ErrnoException).code ?? "no reason") : cause.message,
    remedy: "check the address, and that `kn serve` runs",
    cause,
  });
}
