/**
 * One HTTP request and its answer on a kept connection, with how far it came when it failed: a caller may send again only
 * what was never sent, or what may be computed twice.
 */
import type { Agent, ClientRequest, IncomingHttpHeaders } from "node:http";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { ClientPorts } from "./system-ports.ts";

/** Of one answer: 64 MiB are 1.6 million rows of ten logits. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface HttpCall {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Written one after another. */
  readonly body: readonly Uint8Array[];
}

export type Exchange =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      /** Owned by the caller. */
      readonly body: Buffer;
    }
  /** The connection could not be made: nothing was sent. */
  | { readonly kind: "unsent"; readonly cause: Error }
  /** The connection ended before the whole answer: the server may have computed it. */
  | { readonly kind: "broken"; readonly cause: Error }
  /** The time was over. */
  | { readonly kind: "late" };

export interface ExchangeOptions {
  readonly agent: Agent;
  /** More than 0. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Rejects only with `signal.reason`. */
export function exchange(call: HttpCall, options: ExchangeOptions, ports: ClientPorts): Promise<Exchange> {
  const { agent, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    let isConnected = false;
    const request = open(call, agent);
    const cancelTimer = ports.after(timeoutMs, () => {
      finish({ kind: "late" });
    });
    const onAbort = (): void => {
      cleanUp();
      request.destroy();
      reject(signal?.reason);
    };
    const cleanUp = (): void => {
      cancelTimer();
      signal?.removeEventListener("abort", onAbort);
    };
    const finish = (result: Exchange): void => {
      cleanUp();
      if (result.kind !== "answer") request.destroy();
      resolve(result); // the first call counts
    };
    const fail = (cause: Error): void => {
      finish({ kind: isConnected ? "broken" : "unsent", cause });
    };

    request.on("error", fail);
    request.on("socket", (socket: Socket) => {
      if (!socket.connecting) isConnected = true;
      else socket.once("connect", () => (isConnected = true));
    });
    request.on("response", (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        parts.push(part);
        bytes += part.byteLength;
        if (bytes > MAX_ANSWER_BYTES) fail(new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`));
      });
      response.on("error", fail);
      response.on("end", () => {
        const [status, body] = [response.statusCode ?? 0, Buffer.concat(parts, bytes)];
        finish({ kind: "answer", status, headers: response.headers, body });
      });
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) {
      onAbort();
      return;
    }
    for (const part of call.body) request.write(part);
    request.end();
  });
}

function open({ method, url, headers, body }: HttpCall, agent: Agent): ClientRequest {
  const length = body.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const request = send(url, {
    method,
    agent,
    headers: method === "GET" ? headers : { ...headers, "content-length": String(length) },
  });
  request.setNoDelay(true);
  return request;
}
