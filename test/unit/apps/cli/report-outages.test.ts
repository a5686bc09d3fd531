import { expect, it } from "vitest";
import { reportOutages } from "../../../../src/apps/cli/execute-run.ts";
import type { Bus, BusEvent } from "../../../../src/runtime/bus/index.ts";
import { type Logger, silentLogger } from "../../../../src/runtime/telemetry/index.ts";

it("reportOutages reports loss and return of the server to terminal and log, until it is ended", () => {
  const listeners = new Map<BusEvent, () => void>();
  const bus: Pick<Bus, "description" | "on"> = {
    description: "nats://host:4222",
    on(event, listener) {
      listeners.set(event, listener);
      return () => listeners.delete(event);
    },
  };
  const notes: string[] = [];
  const logged: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_facts, text) => logged.push(`warn ${text}`),
    info: (_facts, text) => logged.push(`info ${text}`),
  };
  const end = reportOutages(bus, log, (line) => notes.push(line));
  listeners.get("disconnected")?.();
  listeners.get("reconnected")?.();
  expect(notes).toEqual([
    "the server at nats://host:4222 is unreachable: no step is made until it is back; trying to reconnect",
    "the server at nats://host:4222 is back",
  ]);
  expect(logged).toEqual(["warn server unreachable", "info server back"]);
  end();
  expect(listeners.size).toBe(0);
});
