/**
 * The connections of a server and the answers that each still owes: what a drain must wait for, and what must be answered
 * before a request that cannot be parsed is.
 */
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { encodeOpenInferenceError } from "../../messages/open-inference/index.ts";
import { JSON_TYPE } from "./send.ts";

/** How long a client has to close after the last answer. */
export const LINGER_MS = 1000;

export interface Connections {
  readonly open: number;
  /** Requests that are not answered yet. */
  readonly underWay: number;
  /** Counts a request until its answer is complete or its client has gone. */
  add(response: ServerResponse): void;
  /** Aborts when the connection closes: one for all of its requests, since a request ends early only with it. */
  goneOf(socket: Socket): AbortSignal;
  /** Answers that are not begun end their connections. */
  endAfterAnswers(): void;
  /** Closes connections that owe no answer. */
  closeIdle(): void;
}

export function trackConnections(server: Server): Connections {
  const connections = new Map<Socket, Set<ServerResponse>>();
  const gone = new WeakMap<Socket, AbortController>();
  /** Raw answers to requests that cannot be parsed, once those before them are answered. */
  const faults = new Map<Socket, string>();
  let underWay = 0;

  server.on("connection", (socket: Socket) => {
    connections.set(socket, new Set());
    socket.once("close", () => {
      connections.delete(socket);
      faults.delete(socket);
      gone.get(socket)?.abort(new Error("the client has gone"));
    });
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || error.code === "ECONNRESET") {
      socket.destroy();
      return;
    }
    faults.set(socket, rawAnswerOf(error));
    answerFault(socket);
  });

  /** The request whose body broke off may be among those that are owed an answer; it gets none but this one. */
  function answerFault(socket: Socket): void {
    const fault = faults.get(socket);
    const owed = [...(connections.get(socket) ?? [])];
    if (fault === undefined || owed.some(({ req }) => req.complete)) return;
    faults.delete(socket);
    if (owed.some(({ headersSent }) => headersSent)) socket.destroy();
    else {
      socket.end(fault);
      socket.resume(); // what it still sends is dropped: closing over unread bytes resets, and the client loses the answer
      socket.setTimeout(LINGER_MS, () => socket.destroy());
    }
  }

  return {
    get open() {
      return connections.size;
    },
    get underWay() {
      return underWay;
    },
    add(response) {
      const { socket } = response.req;
      const owed = connections.get(socket);
      owed?.add(response);
      underWay += 1;
      response.once("close", () => {
        underWay -= 1;
        owed?.delete(response);
        answerFault(socket);
      });
    },
    goneOf(socket) {
      let controller = gone.get(socket);
      if (controller === undefined) {
        controller = new AbortController();
        gone.set(socket, controller);
        if (socket.destroyed) controller.abort(new Error("the client has gone"));
      }
      return controller.signal;
    },
    endAfterAnswers() {
      for (const owed of connections.values()) {
        for (const response of owed) if (!response.headersSent) response.shouldKeepAlive = false;
      }
    },
    closeIdle() {
      for (const [socket, owed] of connections) if (owed.size === 0) socket.destroySoon();
    },
  };
}

/** An answer to a request that node:http could not parse, or that took too long. */
function rawAnswerOf({ code, message }: NodeJS.ErrnoException): string {
  const [status, rule] =
    code === "HPE_HEADER_OVERFLOW"
      ? ["431 Request Header Fields Too Large", "request line and headers are too long"]
      : code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ["408 Request Timeout", "the request took too long to arrive"]
        : ["400 Bad Request", `a request must be HTTP/1.1 (${message})`];
  const body = Buffer.from(encodeOpenInferenceError(rule)).toString();
  const headers = `content-type: ${JSON_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  return `HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`;
}
