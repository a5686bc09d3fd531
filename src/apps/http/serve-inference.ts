/**
 * Models over HTTP by the Open Inference Protocol, version 2 (src/messages/open-inference), on node:http, with probes and
 * metrics beside it.
 *
 * - The media type is not looked at: what a body is, follows from `Inference-Header-Content-Length` and its first bytes.
 * - Errors are `{"error": string}`: 400, 404, 405, 408 (a slow request), 413, 415, 417, 429 and 503 with Retry-After,
 *   431, 504 (its time was over).
 * - A client that goes takes its request out of the queue.
 * - Drain: `ready` fails first and every answer closes its connection; then idle connections and the listener are
 *   closed, and requests that are under way are answered.
 *
 * @example
 * await using http = await serveInference({ address: "127.0.0.1:8080" }, { models, unready, clock, log, version });
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { performance } from "node:perf_hooks";
import { deflate, gzip } from "node:zlib";
import {
  answerInference,
  DEFAULT_IMAGE_PIXELS,
  DEFAULT_JSON_BYTES,
  type InferenceBody,
  refusalBody,
  type ServedModel,
} from "../../actors/gateway/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { encodeOpenInferenceError } from "../../messages/open-inference/index.ts";
import { LINGER_MS, trackConnections } from "./connections.ts";
import { createDescription, findModel } from "./description.ts";
import { createInferenceStatistics } from "./inference-statistics.ts";
import { boundAddress, listen } from "./listen.ts";
import { type BodyRefusal, createBodyReader } from "./read-body.ts";
import { type InferRoute, methodOf, routeOf } from "./route.ts";
import { acceptedEncoding, JSON_TYPE, send, sendError } from "./send.ts";
import { createTurnBudget } from "./turn-budget.ts";

export interface HttpLimits {
  /** Of a body, before and after it is decompressed. @default 16 MiB: 1,300 images of CIFAR in binary */
  readonly bodyBytes: number;
  /** Of all bodies that are being read. @default 256 MiB */
  readonly bufferedBytes: number;
  /** Of a body's JSON. @default 2 MiB: 25 ms of the thread */
  readonly jsonBytes: number;
  /** Of the images of a request. @default 1,048,576: up to 100 ms of the thread */
  readonly imagePixels: number;
  /** Of request line and headers. @default 16 KiB, as node:http */
  readonly headerBytes: number;
  /** From the first byte to the end of the headers, ms. @default 20,000 */
  readonly headersTimeoutMs: number;
  /** From the first byte to the end of the body, ms. @default 60,000 */
  readonly requestTimeoutMs: number;
  /** Silence on a connection between two requests, ms. @default 75,000: beyond balancers' 60 s, so that they close first */
  readonly keepAliveMs: number;
  /** Open connections. @default 4,096 */
  readonly connections: number;
  /** Latency that requests ought to have, ms: a saturated thread refuses those that it has no time for. @default 100 */
  readonly goalMs: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  bodyBytes: 16 * 1024 * 1024,
  bufferedBytes: 256 * 1024 * 1024,
  jsonBytes: DEFAULT_JSON_BYTES,
  imagePixels: DEFAULT_IMAGE_PIXELS,
  headerBytes: 16 * 1024,
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 60_000,
  keepAliveMs: 75_000,
  connections: 4096,
  goalMs: 100,
};

export interface ServeInferenceOptions {
  /** host:port; port 0 selects a free one. 0.0.0.0, [::] and * bind every address of the machine. */
  readonly address: string;
  readonly limits?: Partial<HttpLimits>;
}

export interface ServeInferenceDeps {
  /** Models that are served now. */
  readonly models: () => readonly ServedModel[];
  /** Why the server as a whole is not ready; none: it is, where every model is. */
  readonly unready: () => readonly string[];
  /** Prometheus' text format, and its media type. */
  readonly metrics?: { readonly contentType: string; readonly text: () => Promise<string> };
  readonly clock: Clock;
  readonly log: Logger;
  /** Of the software, for the metadata. */
  readonly version: string;
}

export interface CloseOptions {
  /** How long `ready` fails before the listener is closed, ms: what a balancer needs to send requests elsewhere. @default 0 */
  readonly noticeMs?: number;
  /** How long requests that are under way may take then, ms; the rest is cut off. */
  readonly graceMs: number;
}

export interface InferenceHttp extends AsyncDisposable {
  /** The bound host:port. */
  readonly address: string;
  /** Requests that are not answered yet. */
  readonly underWay: number;
  /** Drains; resolves when the last connection is closed. A second call waits for the first. */
  close(options: CloseOptions): Promise<void>;
}

/** Smaller answers are sent as they are: compressing them costs more than it saves. */
const MIN_COMPRESSED_BYTES = 1024;
/** A body of a request that is refused unread arrives with its headers, or soon, and is dropped. */
const MAX_DROPPED_BYTES = 64 * 1024;
/** How much of a refused body is read, so that the client reads the refusal instead of a reset, in bodies of full size. */
const READ_OUT_BODIES = 4;

/** Rejects with KN_CONFIG for a malformed address or one that is taken. */
export async function serveInference(
  { address, limits: given = {} }: ServeInferenceOptions,
  { models, unready, metrics, clock, log, version }: ServeInferenceDeps,
): Promise<InferenceHttp> {
  const limits = { ...DEFAULT_HTTP_LIMITS, ...given };
  const bodies = createBodyReader(limits);
  let isDraining = false;
  let closing: Promise<void> | undefined;

  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.max(50, Math.min(limits.headersTimeoutMs, 4000) / 4),
      noDelay: true,
    },
    serve,
  );
  server.maxConnections = limits.connections;
  const connections = trackConnections(server);
  const turns = createTurnBudget(limits, {
    now: () => clock.now(),
    idleMs: () => performance.eventLoopUtilization().idle,
    afterTurn: setImmediate,
  });
  const statistics = createInferenceStatistics();
  const reasons = (): readonly string[] => [...(isDraining ? ["the server drains"] : []), ...unready()];
  const description = createDescription({ models, unready: reasons, statistics, version });
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    // A body that is too long is refused before it is sent.
    if (Number(request.headers["content-length"] ?? 0) <= limits.bodyBytes) response.writeContinue();
    serve(request, response);
  });
  server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) => {
    sendError(response, 417, "expect must be 100-continue");
  });

  function serve(request: IncomingMessage, response: ServerResponse): void {
    connections.add(response);
    if (isDraining) response.shouldKeepAlive = false;
    try {
      dispatch(request, response);
    } catch (error) {
      fail(response, error);
    }
  }

  function dispatch(request: IncomingMessage, response: ServerResponse): void {
    const route = routeOf(request.url ?? "");
    if (route === undefined) {
      sendError(response, 404, `no such path: ${(request.url ?? "").slice(0, 120)}; see GET /v2`);
      return;
    }
    const allowed = methodOf(route);
    const method = request.method === "HEAD" ? "GET" : request.method;
    if (method !== allowed) {
      sendError(response, 405, `${request.method} is not a method of this path`, ["allow", allowed]);
      return;
    }
    if (route.kind === "infer") infer(route, request, response);
    else if (route.kind === "metrics") sendMetrics(response);
    else description.answer(route, response);
  }

  function infer(
    { model: name, version: asked }: InferRoute,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const startedMs = clock.now();
    const model = findModel(models(), name);
    const { headers } = request;
    const key = headers["x-kn-client"];
    const client = typeof key === "string" ? key : (request.socket.remoteAddress ?? "");
    if (!turns.admits(client)) {
      refuseUnread(model, request, response);
      return;
    }
    bodies.read(request, (body) => {
      if ("status" in body) {
        refuseBody(request, response, body);
        return;
      }
      const headerLength = headers["inference-header-content-length"];
      answerInference(model, body, {
        ...(typeof headerLength === "string" ? { headerLength } : {}),
        ...(asked === undefined ? {} : { version: asked }),
        client,
        signal: connections.goneOf(request.socket),
        jsonBytes: limits.jsonBytes,
        imagePixels: limits.imagePixels,
      }).then(
        (outcome) => {
          const release = Number(asked ?? model.live?.release ?? 0);
          const times = { tookMs: clock.now() - startedMs, wallTimeMs: clock.wallTimeMs() };
          if (outcome.status !== 404) statistics.record(model.name, release, outcome, times);
          sendInference(request, response, outcome);
        },
        (error: unknown) => {
          fail(response, error);
        },
      );
    });
  }

  /** This thread is late already: neither the body nor its answer is worth its time. */
  function refuseUnread(model: ServedModel, request: IncomingMessage, response: ServerResponse): void {
    const { error, retryAfterMs } = model.refuseUnread();
    const { status, body, retryAfterMs: waitMs = 0 } = refusalBody(error, retryAfterMs);
    if (Number(request.headers["content-length"] ?? Number.NaN) <= MAX_DROPPED_BYTES) {
      send(response, status, ["content-type", JSON_TYPE, "retry-after", secondsOf(waitMs)], body);
    } else refuseBody(request, response, { status: 429, message: error.message, isUnread: true });
  }

  function sendInference(request: IncomingMessage, response: ServerResponse, outcome: InferenceBody): void {
    const { status, body, headerLength, retryAfterMs } = outcome;
    if (status === 500) log.error({ status, error: Buffer.from(body).toString() }, "request failed");
    const headers = [
      "content-type",
      headerLength === undefined ? JSON_TYPE : "application/octet-stream",
      ...(headerLength === undefined ? [] : ["inference-header-content-length", String(headerLength)]),
      ...(retryAfterMs === undefined ? [] : ["retry-after", secondsOf(retryAfterMs)]),
    ];
    const encoding = body.length < MIN_COMPRESSED_BYTES ? undefined : acceptedEncoding(request);
    if (encoding === undefined) {
      send(response, status, headers, body);
      return;
    }
    (encoding === "gzip" ? gzip : deflate)(body, { level: 1 }, (error, compressed) => {
      if (error === null) send(response, status, [...headers, "content-encoding", encoding], compressed);
      else fail(response, error);
    });
  }

  /**
   * The rest of the body is read and dropped, so that the client reads the refusal instead of a reset: all of it where it
   * is short or of unknown length, and the connection survives; else for a moment, before the connection is closed.
   */
  function refuseBody(
    request: IncomingMessage,
    response: ServerResponse,
    { status, message, isUnread }: BodyRefusal,
  ): void {
    const isBusy = status === 503 || status === 429;
    const headers = isBusy ? ["retry-after", "1"] : status === 415 ? ["accept-encoding", "gzip, deflate"] : [];
    const largest = READ_OUT_BODIES * limits.bodyBytes;
    const isLong = Number(request.headers["content-length"] ?? 0) > largest;
    if (!isUnread || request.headers.expect !== undefined || !isLong) {
      if (isUnread && request.headers.expect !== undefined) response.shouldKeepAlive = false; // it may never send it
      sendError(response, status, message, headers);
    } else {
      response.shouldKeepAlive = false;
      const body = encodeOpenInferenceError(message);
      const fields = ["content-type", JSON_TYPE, ...headers, "content-length", String(body.length)];
      response.writeHead(status, fields).write(body);
      const timer = clock.setTimeout(() => response.end(), LINGER_MS);
      response.once("close", () => {
        clock.clearTimeout(timer);
      });
    }
    let dropped = 0;
    request.on("data", (chunk: Buffer) => {
      dropped += chunk.length;
      if (dropped > largest && !isLong) request.socket.destroy();
    });
    request.resume();
  }

  function sendMetrics(response: ServerResponse): void {
    if (metrics === undefined) {
      sendError(response, 404, "this server has no metrics");
      return;
    }
    const { contentType } = metrics;
    metrics.text().then(
      (text) => {
        send(response, 200, ["content-type", contentType, "cache-control", "no-store"], Buffer.from(text));
      },
      (error: unknown) => {
        fail(response, error);
      },
    );
  }

  function fail(response: ServerResponse, error: unknown): void {
    const { status, body, retryAfterMs } = refusalBody(error);
    if (status === 500 && !response.destroyed) log.error({ error: String(error) }, "request failed");
    const headers = retryAfterMs === undefined ? [] : ["retry-after", secondsOf(retryAfterMs)];
    send(response, status, ["content-type", JSON_TYPE, ...headers], body);
  }

  await listen(server, address, "serve models");
  server.timeout = 2 * limits.requestTimeoutMs; // a client that does not read its answer
  server.on("error", (error) => {
    log.warn({ error: error.message }, "http cannot accept a connection");
  });
  const bound = boundAddress(server);

  async function drain({ noticeMs = 0, graceMs }: CloseOptions): Promise<void> {
    isDraining = true;
    connections.endAfterAnswers();
    log.info({ noticeMs, graceMs, connections: connections.open, underWay: connections.underWay }, "http drains");
    if (noticeMs > 0) await clock.sleep(noticeMs);
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    connections.closeIdle();
    const timer = clock.setTimeout(() => {
      log.warn({ underWay: connections.underWay }, "http cuts off requests that are under way");
      server.closeAllConnections();
    }, graceMs);
    await closed;
    clock.clearTimeout(timer);
  }

  return {
    address: bound,
    get underWay() {
      return connections.underWay;
    },
    close(options) {
      return (closing ??= drain(options));
    },
    async [Symbol.asyncDispose]() {
      const closed = (closing ??= drain({ graceMs: 0 }));
      server.closeAllConnections();
      await closed;
    },
  };
}

function secondsOf(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1_000)));
}
