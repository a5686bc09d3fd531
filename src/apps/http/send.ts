/** Whole answers with a length: JSON, text, errors. Nothing is sent twice, nor to a client that has gone. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { encodeOpenInferenceError } from "../../messages/open-inference/index.ts";

export const JSON_TYPE = "application/json";

export function send(response: ServerResponse, status: number, headers: readonly string[], body: Uint8Array): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, [...headers, "content-length", String(body.length)]).end(body);
}

export function sendJson(response: ServerResponse, value: object, status = 200): void {
  send(response, status, ["content-type", JSON_TYPE], Buffer.from(`${JSON.stringify(value)}\n`));
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, ["content-type", "text/plain", "cache-control", "no-store"], Buffer.from(text));
}

export function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  headers: readonly string[] = [],
): void {
  send(response, status, ["content-type", JSON_TYPE, ...headers], encodeOpenInferenceError(message));
}

export function sendUnready(response: ServerResponse, reasons: readonly string[], fields: object = {}): void {
  sendJson(response, { ...fields, ready: false, error: `not ready: ${reasons.join("; ")}` }, 503);
}

/** gzip or deflate where the client accepts it with a weight above 0; in doubt none. */
export function acceptedEncoding({ headers }: IncomingMessage): "gzip" | "deflate" | undefined {
  const accepted = headers["accept-encoding"];
  if (typeof accepted !== "string") return undefined;
  const names = accepted
    .toLowerCase()
    .split(",")
    .map((each) => each.split(";").map((part) => part.trim()))
    .filter(([, weight = "q=1"]) => !/^q=0(\.0*)?$/.test(weight))
    .map(([name]) => name);
  return names.includes("gzip") ? "gzip" : names.includes("deflate") ? "deflate" : undefined;
}
