/** The life of a connection: counters, closing, draining, interruption. */
import { expect, it } from "vitest";
import { waitFor } from "../../support/wait-for.ts";
import { type BusFactory, bytes, collect, definition, ignore, NOTHING, settle, text, withBus } from "./bus-harness.ts";

export function describeConnection(factory: BusFactory): void {
  it("stats counts messages and bytes in both directions", () =>
    withBus(factory, async (bus) => {
      expect(bus.stats).toEqual({
        publishedMessages: 0,
        publishedBytes: 0,
        receivedMessages: 0,
        receivedBytes: 0,
        reconnects: 0,
      });
      const { subscription } = await collect(bus, "a");
      bus.publish("a", bytes("12345"));
      bus.publish("b", bytes("123"));
      await waitFor(() => subscription.received === 1, "the message");
      expect(bus.stats).toEqual({
        publishedMessages: 2,
        publishedBytes: 8,
        receivedMessages: 1,
        receivedBytes: 5,
        reconnects: 0,
      });
    }));

  it("close ends the bus: everything else then fails with KN_UNAVAILABLE", () =>
    withBus(factory, async (bus) => {
      const { seen } = await collect(bus, "a");
      await bus.close();
      expect(await bus.closed).toBeUndefined();
      const closed = expect.objectContaining({ code: "KN_UNAVAILABLE" });
      expect(() => {
        bus.publish("a", NOTHING);
      }).toThrow(closed);
      expect(() => bus.subscribe("a", ignore)).toThrow(closed);
      await expect(bus.request("a", NOTHING)).rejects.toEqual(closed);
      await expect(bus.flush()).rejects.toEqual(closed);
      await expect(bus.service(definition())).rejects.toEqual(closed);
      expect(seen).toEqual([]);
      await bus.close();
      await bus.drain();
    }));

  it("close leaves the other connections alone", () =>
    withBus(factory, async (bus, harness) => {
      const other = await harness.connect();
      const { seen } = await collect(bus, "a");
      await other.close();
      bus.publish("a", bytes("still here"));
      await settle(bus);
      expect(seen).toEqual(["still here"]);
    }));

  it("drain handles what has arrived, finishes handlers, sends what they publish, then closes", () =>
    withBus(factory, async (bus, harness) => {
      await using other = await harness.connect();
      const answers = await collect(other, "answer");
      bus.subscribe("question", async ({ data }) => {
        const question = text(data);
        await new Promise((resolve) => setImmediate(resolve));
        bus.publish("answer", bytes(`${question}!`));
      });
      await bus.flush();
      bus.publish("question", bytes("one"));
      bus.publish("question", bytes("two"));
      await bus.drain();
      expect(await bus.closed).toBeUndefined();
      expect(() => {
        bus.publish("a", NOTHING);
      }).toThrow(expect.objectContaining({ code: "KN_UNAVAILABLE" }));
      await waitFor(() => answers.seen.length === 2, "the answers");
      expect(answers.seen).toEqual(["one!", "two!"]);
    }));

  it("on reports an interruption and its end, after which subscriptions and requests work again", () =>
    withBus(factory, async (bus, harness) => {
      const events: string[] = [];
      bus.on("disconnected", () => void events.push("disconnected"));
      bus.on("reconnected", () => void events.push("reconnected"));
      const { seen } = await collect(bus, "a");
      bus.subscribe("echo", ({ data, respond }) => void respond(data));
      await bus.flush();
      await harness.interrupt();
      await waitFor(() => events.length === 1, "disconnected");
      bus.publish("elsewhere", bytes("lost")); // no error
      await harness.restore();
      await waitFor(() => events.length === 2, "reconnected");
      bus.publish("a", bytes("after"));
      await settle(bus);
      expect(seen).toEqual(["after"]);
      expect(text((await bus.request("echo", bytes("hello"))).data)).toBe("hello");
      expect(events).toEqual(["disconnected", "reconnected"]);
      expect(bus.stats.reconnects).toBe(1);
    }));

  it("on returns the function that removes the listener", () =>
    withBus(factory, async (bus, harness) => {
      const called: string[] = [];
      const listener = (): void => void called.push("twice added, once removed");
      const remove = bus.on("reconnected", listener);
      bus.on("reconnected", listener);
      remove();
      await harness.interrupt();
      await harness.restore();
      await waitFor(() => called.length > 0, "reconnected");
      expect(called).toHaveLength(1);
    }));

  it("flush rejects with KN_UNAVAILABLE while the broker is away", () =>
    withBus(factory, async (bus, harness) => {
      let isGone = false;
      bus.on("disconnected", () => {
        isGone = true;
      });
      await harness.interrupt();
      await waitFor(() => isGone, "disconnected");
      await expect(bus.flush()).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    }));
}
