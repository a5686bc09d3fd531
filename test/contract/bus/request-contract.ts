/** Requests and replies. */
import { expect, it } from "vitest";
import { waitFor } from "../../support/wait-for.ts";
import { type BusFactory, bytes, collect, ignore, NOTHING, settle, text, withBus } from "./bus-harness.ts";

export function describeRequests(factory: BusFactory): void {
  it("request gives the first answer", () =>
    withBus(factory, async (bus, harness) => {
      await using server = await harness.connect();
      server.subscribe(
        "double.*",
        ({ subject, data, respond }) => void respond(bytes(`${subject}=${text(data).repeat(2)}`)),
      );
      await server.flush();
      const { data, reply } = await bus.request("double.x", bytes("ab"));
      expect(text(data)).toBe("double.x=abab");
      expect(reply).toBeUndefined();
    }));

  it("request keeps the answers of concurrent requests apart", () =>
    withBus(factory, async (bus) => {
      const waiting: (() => void)[] = [];
      bus.subscribe("echo", (message) => {
        const data = message.data.slice();
        waiting.push(() => message.respond(data));
        if (waiting.length === 20) for (const answer of waiting.reverse()) answer();
      });
      await bus.flush();
      const asked = Array.from({ length: 20 }, (_, i) => String(i));
      const answers = await Promise.all(asked.map((each) => bus.request("echo", bytes(each))));
      expect(answers.map(({ data }) => text(data))).toEqual(asked);
    }));

  it("request takes an empty answer for an answer", () =>
    withBus(factory, async (bus) => {
      bus.subscribe("ack", ({ respond }) => void respond(NOTHING));
      await bus.flush();
      const { data } = await bus.request("ack", NOTHING);
      expect(data.byteLength).toBe(0);
    }));

  it("request rejects at once with KN_UNAVAILABLE when nobody subscribes", () =>
    withBus(factory, async (bus) => {
      const asking = bus.request("nobody.here", NOTHING, { timeoutMs: 60_000 });
      await expect(asking).rejects.toMatchObject({ code: "KN_UNAVAILABLE", value: "no responders" });
    }));

  it("request rejects with KN_UNAVAILABLE when no answer comes in time", () =>
    withBus(factory, async (bus) => {
      bus.subscribe("silent", ignore);
      await bus.flush();
      const asking = bus.request("silent", NOTHING, { timeoutMs: 20 });
      await expect(asking).rejects.toMatchObject({ code: "KN_UNAVAILABLE", rule: "an answer must come within 20 ms" });
    }));

  it("request rejects with the signal's reason on abort, before and after it was sent", () =>
    withBus(factory, async (bus) => {
      bus.subscribe("silent", ignore);
      await bus.flush();
      const reason = new Error("enough");
      const controller = new AbortController();
      const asking = bus.request("silent", NOTHING, { signal: controller.signal });
      controller.abort(reason);
      await expect(asking).rejects.toBe(reason);
      await expect(bus.request("silent", NOTHING, { signal: controller.signal })).rejects.toBe(reason);
    }));

  it("request rejects with KN_UNAVAILABLE when the bus closes meanwhile", () =>
    withBus(factory, async (bus) => {
      bus.subscribe("silent", ignore);
      await bus.flush();
      const asking = bus.request("silent", NOTHING, { timeoutMs: 60_000 });
      const [outcome] = await Promise.allSettled([asking, bus.close()]);
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "KN_UNAVAILABLE" } });
    }));

  it("request rejects with what publish would throw: KN_CONFIG, KN_OVERLOADED", () =>
    withBus(factory, async (bus) => {
      await expect(bus.request("a.*", NOTHING)).rejects.toMatchObject({ code: "KN_CONFIG" });
      const tooLarge = new Uint8Array(bus.maxPayloadBytes + 1);
      await expect(bus.request("a", tooLarge)).rejects.toMatchObject({ code: "KN_OVERLOADED" });
    }));

  it("respond returns false when nobody waits for an answer", () =>
    withBus(factory, async (bus) => {
      const outcomes: unknown[] = [];
      bus.subscribe("a", ({ reply, respond }) => void outcomes.push([reply, respond(NOTHING)]));
      await bus.flush();
      bus.publish("a", NOTHING);
      await settle(bus);
      expect(outcomes).toEqual([[undefined, false]]);
    }));

  it("publish with a reply subject lets several receivers answer to it", () =>
    withBus(factory, async (bus) => {
      const { seen } = await collect(bus, "answers");
      for (const name of ["one", "two"])
        bus.subscribe("who", ({ reply, respond }) => void respond(bytes(`${name} to ${reply}`)));
      await bus.flush();
      bus.publish("who", NOTHING, { reply: "answers" });
      await waitFor(() => seen.length === 2, "both answers");
      expect(seen.sort()).toEqual(["one to answers", "two to answers"]);
    }));

  it("publish with a reply subject delivers nothing there when nobody subscribes", () =>
    withBus(factory, async (bus) => {
      const { seen } = await collect(bus, "answers");
      bus.publish("nobody.here", NOTHING, { reply: "answers" });
      await settle(bus);
      expect(seen).toEqual([]);
    }));
}
