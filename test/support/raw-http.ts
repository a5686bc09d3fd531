/** HTTP as bytes over a socket, for what no client sends. */
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface RawConnection extends AsyncDisposable {
  readonly socket: Socket;
  /** Resolves when the server has closed it. */
  readonly closed: Promise<void>;
  send(bytes: string | Uint8Array): void;
  /** The next answer; one with a length or in chunks. Rejects when the connection closes before it is complete. */
  answer(): Promise<RawAnswer>;
}

export async function rawConnection(address: string): Promise<RawConnection> {
  const at = address.lastIndexOf(":");
  const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
  let received: Buffer = Buffer.alloc(0);
  let isClosed = false;
  let wake = (): void => undefined;
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      isClosed = true;
      wake();
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return {
    socket,
    closed,
    send(bytes) {
      socket.write(bytes);
    },
    async answer() {
      for (;;) {
        const found = parseAnswer(received);
        if (found !== undefined) {
          received = received.subarray(found.bytes);
          return found.answer;
        }
        if (isClosed) throw new Error(`the connection closed after ${received.length} bytes`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await closed;
    },
  };
}

/** The first whole answer of `bytes`, interim ones left out, and how many bytes it took. */
export function parseAnswer(bytes: Buffer): { readonly answer: RawAnswer; readonly bytes: number } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(first.split(" ")[1]);
  const start = end + 4;
  if (status === 100) return { answer: { status, headers, body: Buffer.alloc(0) }, bytes: start };
  const length = Number(headers["content-length"] ?? 0);
  if (bytes.length < start + length) return undefined;
  return { answer: { status, headers, body: bytes.subarray(start, start + length) }, bytes: start + length };
}

/** A request with its length; `headers` may repeat and contradict. */
export function rawRequest(
  method: string,
  path: string,
  body: string | Uint8Array = "",
  headers: readonly string[] = [],
): Buffer {
  const bytes = Buffer.from(body);
  const lines = [`${method} ${path} HTTP/1.1`, "host: x", ...headers];
  if (bytes.length > 0) lines.push(`content-length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), bytes]);
}
