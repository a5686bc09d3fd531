/** Answers of HTTP/1.1 out of the bytes of a connection: with Content-Length or in chunks, one after another. */

export interface HttpAnswer {
  readonly status: number;
  /** Of the Open Inference Protocol: length of the JSON. */
  readonly headerBytes: number | undefined;
  /** Borrowed until the callback returns. */
  readonly body: Buffer;
  /** The server closes the connection after it. */
  readonly isLast: boolean;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const MAX_HEAD_BYTES = 64 * 1024;

interface Head {
  readonly status: number;
  readonly headerBytes: number | undefined;
  readonly isLast: boolean;
  /** Undefined: in chunks. */
  readonly bodyBytes: number | undefined;
  /** Where the body begins. */
  readonly end: number;
}

/** `push` throws on bytes that are no answer. */
export function createHttpReader(onAnswer: (answer: HttpAnswer) => void): { push(data: Buffer): void } {
  let buffered: Buffer = Buffer.alloc(0);
  let head: Head | undefined;
  return {
    push(data) {
      buffered = buffered.byteLength === 0 ? data : Buffer.concat([buffered, data]);
      while (buffered.byteLength > 0) {
        head ??= readHead(buffered);
        if (head === undefined) return;
        const { status, headerBytes, isLast, bodyBytes, end } = head;
        const read =
          bodyBytes === undefined
            ? readChunks(buffered, end)
            : buffered.byteLength >= end + bodyBytes
              ? { body: buffered.subarray(end, end + bodyBytes), end: end + bodyBytes }
              : undefined;
        if (read === undefined) return;
        buffered = buffered.subarray(read.end);
        head = undefined;
        if (status < 200) continue; // 100 Continue
        onAnswer({ status, headerBytes, body: read.body, isLast });
      }
    },
  };
}

function readHead(bytes: Buffer): Head | undefined {
  const at = bytes.indexOf(HEAD_END);
  if (at < 0) {
    if (bytes.byteLength > MAX_HEAD_BYTES) throw new RangeError(`headers beyond ${MAX_HEAD_BYTES} bytes`);
    return undefined;
  }
  const text = bytes.toString("latin1", 0, at).toLowerCase();
  const status = /^http\/1\.[01] (\d{3})/.exec(text)?.[1];
  if (status === undefined) throw new SyntaxError(`no status line: ${text.slice(0, 40)}`);
  const isChunked = text.includes("\r\ntransfer-encoding: chunked");
  const length = numberOf(text, "content-length");
  const hasBody = Number(status) >= 200 && status !== "204";
  if (!isChunked && length === undefined && hasBody) throw new SyntaxError("neither Content-Length nor chunks");
  return {
    status: Number(status),
    headerBytes: numberOf(text, "inference-header-content-length"),
    isLast: text.includes("\r\nconnection: close"),
    bodyBytes: isChunked ? undefined : (length ?? 0),
    end: at + HEAD_END.byteLength,
  };
}

function numberOf(headers: string, name: string): number | undefined {
  const at = headers.indexOf(`\r\n${name}:`);
  if (at < 0) return undefined;
  const begin = at + name.length + 3;
  const end = headers.indexOf("\r\n", begin);
  return Number(headers.slice(begin, end < 0 ? undefined : end));
}

/** The whole body, or undefined while a part of it is missing. */
function readChunks(bytes: Buffer, from: number): { readonly body: Buffer; readonly end: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (!Number.isInteger(size)) throw new SyntaxError("a chunk without a size");
    const begin = lineEnd + 2;
    if (bytes.byteLength < begin + size + 2) return undefined;
    if (size === 0) return { body: Buffer.concat(parts), end: begin + 2 };
    parts.push(bytes.subarray(begin, begin + size));
    at = begin + size + 2;
  }
}
