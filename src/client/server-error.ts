/**
 * The error of an answer that is not 200: the server's own, where its text begins with a code; else by its status. Pure.
 */
import { ERROR_CODES, type ErrorCode, KnowledgeNetError, parseErrorMessage } from "../errors/index.ts";

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "KN_DECODE",
  404: "KN_CONFIG",
  405: "KN_CONFIG",
  408: "KN_STALE",
  413: "KN_SHAPE",
  415: "KN_DECODE",
  422: "KN_NUMERIC",
  429: "KN_OVERLOADED",
  503: "KN_UNAVAILABLE",
  504: "KN_STALE",
};

/** Of a text that is no message of the protocol, in an error. */
const SHOWN_CHARACTERS = 200;

export function errorOfAnswer(attempt: string, status: number, body: Buffer): KnowledgeNetError {
  const text = errorText(body);
  const code = ERROR_CODES.find((each) => text.startsWith(`${each}:`));
  const theirs = code === undefined ? undefined : parseErrorMessage(code, text);
  if (theirs !== undefined) return theirs;
  return new KnowledgeNetError(code ?? CODES[status] ?? (status >= 500 ? "KN_UNAVAILABLE" : "KN_DECODE"), {
    attempt,
    rule: "the server must accept it",
    value: `status ${status}, ${text === "" ? "no reason" : text}`,
  });
}

function errorText(body: Buffer): string {
  const text = body.toString("utf8");
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // a proxy's page
  }
  return text.slice(0, SHOWN_CHARACTERS);
}
