/**
 * The body of a request, bounded: as it is sent, after it is decompressed, and over all requests together. Callbacks, since
 * a promise for each chunk would cost more than the rest of a small request.
 */
import type { IncomingMessage } from "node:http";
import { gunzip, inflate } from "node:zlib";

export interface BodyLimits {
  /** Of one body, compressed and decompressed. */
  readonly bodyBytes: number;
  /** Of all bodies that are being read at one time. */
  readonly bufferedBytes: number;
}

export interface BodyRefusal {
  readonly status: 400 | 413 | 415 | 429 | 503;
  readonly message: string;
  /** The rest of the body is still on its way. */
  readonly isUnread: boolean;
}

export interface BodyReader {
  /** Calls back once: with the body, or why there is none; not at all when the client goes before it is complete. */
  read(request: IncomingMessage, done: (body: Uint8Array | BodyRefusal) => void): void;
}

export function createBodyReader({ bodyBytes, bufferedBytes }: BodyLimits): BodyReader {
  let buffered = 0;
  return {
    read(request, done) {
      const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
      const decompress = DECOMPRESS[encoding];
      const declared = Number(request.headers["content-length"] ?? 0);
      const refuse = (status: BodyRefusal["status"], message: string): void => {
        done({ status, message, isUnread: !request.complete });
      };
      if (encoding !== "identity" && decompress === undefined) {
        refuse(415, `content-encoding must be gzip, deflate or identity (got ${encoding.slice(0, 40)})`);
        return;
      }
      if (declared > bodyBytes) {
        refuse(413, `a body must have at most ${bodyBytes} bytes (got ${declared})`);
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      let isOpen = true;
      request.once("close", () => {
        buffered -= size;
        size = 0;
      });
      request.on("data", (chunk: Buffer) => {
        if (!isOpen) return;
        size += chunk.length;
        buffered += chunk.length;
        if (size <= bodyBytes && buffered <= bufferedBytes) {
          chunks.push(chunk);
          return;
        }
        isOpen = false;
        chunks.length = 0;
        if (size > bodyBytes) refuse(413, `a body must have at most ${bodyBytes} bytes (got more)`);
        else refuse(503, `bodies of all requests must have at most ${bufferedBytes} bytes together`);
      });
      request.once("end", () => {
        if (!isOpen) return;
        const [first] = chunks;
        const body = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
        if (decompress === undefined) {
          done(body);
          return;
        }
        decompress(body, { maxOutputLength: bodyBytes }, (error, result) => {
          if (error === null) done(result);
          else if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
            refuse(413, `a decompressed body must have at most ${bodyBytes} bytes (got more)`);
          } else refuse(400, `a body must be what its content-encoding says (${encoding}: ${error.message})`);
        });
      });
    },
  };
}

const DECOMPRESS: Readonly<Record<string, typeof gunzip | undefined>> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: inflate,
};
