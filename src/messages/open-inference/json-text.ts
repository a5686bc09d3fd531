/**
 * Bytes to a JSON value, with the bounds that JSON.parse does not have. The depth is counted before anything is built:
 * a megabyte of brackets becomes a million arrays otherwise.
 */
import { refusal } from "../wire/refusal.ts";

/** Deepest nesting of a request; a tensor of rank 8 needs 13. */
export const MAX_JSON_DEPTH = 100;

const [QUOTE, BACKSLASH, OPEN_ARRAY, OPEN_OBJECT, CLOSE_ARRAY, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x7b, 0x5d, 0x7d];

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws KnowledgeNetError KN_DECODE */
export function parseJsonText(bytes: Uint8Array, attempt: string): unknown {
  checkDepth(bytes, attempt);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    throw refusal(attempt, "JSON must be UTF-8", `${bytes.length} bytes that are not`, error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const rule = /\b(NaN|-?Infinity)\b/.test(text)
      ? "it must be JSON, which has no NaN and no Infinity"
      : "it must be JSON, or binary data announced by Inference-Header-Content-Length";
    throw refusal(attempt, rule, error instanceof Error ? error.message : text, error);
  }
}

function checkDepth(bytes: Uint8Array, attempt: string): void {
  let depth = 0;
  let isString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (isString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isString = false;
    } else if (byte === QUOTE) isString = true;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) {
        throw refusal(attempt, `JSON must not be nested deeper than ${MAX_JSON_DEPTH}`, `${depth} at byte ${at}`);
      }
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth -= 1;
  }
}
