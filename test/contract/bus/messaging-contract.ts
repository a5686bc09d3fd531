/** Publish and subscribe: subjects, order, ownership of bytes, queue groups, the end of a subscription. */
import { expect, it } from "vitest";
import { waitFor } from "../../support/wait-for.ts";
import {
  type BusFactory,
  bytes,
  collect,
  CONTRACT_MAX_PAYLOAD_BYTES,
  ignore,
  NOTHING,
  settle,
  text,
  withBus,
} from "./bus-harness.ts";

/** [pattern, subject, whether a message on the subject is delivered] */
const MATCHES: readonly (readonly [string, string, boolean])[] = [
  ["a.b", "a.b", true],
  ["a.b", "a.c", false],
  ["a.b", "a.b.c", false],
  ["a.b", "A.b", false],
  ["*", "a", true],
  ["*", "a.b", false],
  ["a.*", "a.b", true],
  ["a.*", "a", false],
  ["a.*", "a.b.c", false],
  ["*.b", "a.b", true],
  ["foo.*.bar", "foo.x.bar", true],
  ["foo.*.bar", "foo.x.y.bar", false],
  ["foo.*.bar", "foo.bar", false],
  ["foo.*.*", "foo.x.bar", true],
  [">", "a", true],
  [">", "a.b.c", true],
  ["a.>", "a.b", true],
  ["a.>", "a.b.c.d", true],
  ["a.>", "a", false],
  ["a.>", "ab.c", false],
  ["a.*.>", "a.b.c", true],
  ["a.*.>", "a.b", false],
  ["*.*.>", "a.b.c", true],
  ["a.b>c", "a.b>c", true],
  ["a.b>c", "a.bxc", false],
  ["a.b*", "a.b*", true],
  ["a.b*", "a.bc", false],
  ["a.**", "a.**", true],
  ["a.**", "a.b", false],
  ["a.>>", "a.>>", true],
  ["a.>>", "a.b", false],
  ["grün.*", "grün.é", true],
];

const NOT_LITERAL = [
  "",
  ".",
  "a.",
  ".a",
  "a..b",
  "a b",
  "a\tb",
  "a\r\nb",
  "a\0b",
  "*",
  "a.*",
  ">",
  "a.>",
  "*.a",
  "a.*.b",
  "x".repeat(513),
];
const NOT_PATTERN = ["", ".", "a.", ".a", "a..b", "a b", "a\nb", "a\0b", ">.a", "a.>.b", "a.>.>", "x".repeat(513)];

export function describeMessaging(factory: BusFactory): void {
  it("publish reaches every subscription with the subject and the bytes", () =>
    withBus(factory, async (bus, harness) => {
      await using other = await harness.connect();
      const here = await collect(bus, "a.b");
      const there = await collect(other, "a.*");
      bus.publish("a.b", bytes("one"));
      await settle(bus);
      await settle(bus, other);
      expect(here.seen).toEqual(["one"]);
      expect(there.seen).toEqual(["one"]);
      expect(there.subscription.received).toBe(1);
    }));

  it("publish keeps the order of messages on a subscription", () =>
    withBus(factory, async (bus) => {
      const { seen } = await collect(bus, "n.*");
      const sent = Array.from({ length: 500 }, (_, i) => String(i));
      for (const each of sent) bus.publish(`n.${Number(each) % 7}`, bytes(each));
      await settle(bus);
      expect(seen).toEqual(sent);
    }));

  it("publish delivers after it has returned, never inside the call", () =>
    withBus(factory, async (bus) => {
      const { seen } = await collect(bus, "a");
      bus.publish("a", bytes("one"));
      expect(seen).toEqual([]);
      await settle(bus);
      expect(seen).toEqual(["one"]);
    }));

  it("publish takes the bytes over: the caller may write to the buffer at once", () =>
    withBus(factory, async (bus) => {
      const { seen } = await collect(bus, "a");
      const buffer = Buffer.from("before");
      bus.publish("a", buffer);
      buffer.fill("x");
      await settle(bus);
      expect(seen).toEqual(["before"]);
    }));

  it("publish delivers a plain Uint8Array, empty ones too", () =>
    withBus(factory, async (bus) => {
      const seen: unknown[] = [];
      bus.subscribe("a", ({ data }) => void seen.push([data.constructor, data.byteLength]));
      await bus.flush();
      bus.publish("a", Buffer.from("xyz"));
      bus.publish("a", NOTHING);
      await settle(bus);
      expect(seen).toEqual([
        [Uint8Array, 3],
        [Uint8Array, 0],
      ]);
    }));

  it("publish takes a message of exactly maxPayloadBytes and rejects a larger one with KN_OVERLOADED", () =>
    withBus(factory, async (bus) => {
      expect(bus.maxPayloadBytes).toBe(CONTRACT_MAX_PAYLOAD_BYTES);
      const sizes: number[] = [];
      bus.subscribe("a", ({ data }) => void sizes.push(data.byteLength));
      await bus.flush();
      bus.publish("a", new Uint8Array(bus.maxPayloadBytes));
      const tooLarge = new Uint8Array(bus.maxPayloadBytes + 1);
      expect(() => {
        bus.publish("a", tooLarge);
      }).toThrow(expect.objectContaining({ code: "KN_OVERLOADED" }));
      await settle(bus);
      expect(sizes).toEqual([CONTRACT_MAX_PAYLOAD_BYTES]);
    }));

  it.each(NOT_LITERAL)("publish rejects the subject %j with KN_CONFIG", (subject) =>
    withBus(factory, async (bus) => {
      expect(() => {
        bus.publish(subject, NOTHING);
      }).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
      expect(() => {
        bus.publish("a", NOTHING, { reply: subject });
      }).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    }),
  );

  it.each(NOT_PATTERN)("subscribe rejects the subject %j with KN_CONFIG", (subject) =>
    withBus(factory, async (bus) => {
      expect(() => bus.subscribe(subject, ignore)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    }),
  );

  it("subscribe rejects a queue group of white space or wildcards with KN_CONFIG", () =>
    withBus(factory, async (bus) => {
      for (const queue of ["", "a b", "*", ">"]) {
        expect(() => bus.subscribe("a", ignore, { queue })).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
      }
    }));

  it("subscribe matches subjects by the rules of NATS", () =>
    withBus(factory, async (bus) => {
      const delivered = new Set<string>();
      for (const pattern of new Set(MATCHES.map(([pattern]) => pattern))) {
        bus.subscribe(pattern, ({ subject }) => void delivered.add(`${pattern} <- ${subject}`));
      }
      await bus.flush();
      for (const subject of new Set(MATCHES.map(([, subject]) => subject))) bus.publish(subject, NOTHING);
      await settle(bus);
      const actual = MATCHES.map(([pattern, subject]) => [pattern, subject, delivered.has(`${pattern} <- ${subject}`)]);
      expect(actual).toEqual(MATCHES);
    }));

  it("subscribe hands over each message without awaiting the handler of the one before", () =>
    withBus(factory, async (bus) => {
      const started: string[] = [];
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      bus.subscribe("a", async ({ data }) => {
        started.push(text(data));
        await held;
      });
      await bus.flush();
      bus.publish("a", bytes("one"));
      bus.publish("a", bytes("two"));
      await waitFor(() => started.length === 2, "both");
      release();
      expect(started).toEqual(["one", "two"]);
    }));

  it("subscribe in a queue group gives each message to one member", () =>
    withBus(factory, async (bus, harness) => {
      await using other = await harness.connect();
      const first = await collect(bus, "job.*", "workers");
      const second = await collect(other, "job.*", "workers");
      const outside = await collect(other, "job.*");
      const otherGroup = await collect(bus, "job.>", "auditors");
      for (let i = 0; i < 100; i += 1) bus.publish("job.x", bytes(String(i)));
      await settle(bus);
      await settle(bus, other);
      const together = [...first.seen, ...second.seen].map(Number).sort((a, b) => a - b);
      expect(together).toEqual(Array.from({ length: 100 }, (_, i) => i));
      expect(first.seen.length).toBeGreaterThan(0);
      expect(second.seen.length).toBeGreaterThan(0);
      expect(outside.seen.length).toBe(100);
      expect(otherGroup.seen.length).toBe(100);
    }));

  it("subscribe treats one queue group on two patterns as one group", () =>
    withBus(factory, async (bus) => {
      const wide = await collect(bus, "job.*", "workers");
      const narrow = await collect(bus, "job.x", "workers");
      for (let i = 0; i < 20; i += 1) bus.publish("job.x", bytes(String(i)));
      await settle(bus);
      expect(wide.seen.length + narrow.seen.length).toBe(20);
    }));

  it("subscribe carries what a handler throws or rejects with to onHandlerError and goes on", async () => {
    await using harness = await factory();
    const errors: string[] = [];
    await using bus = await harness.connect(
      (error, subject) => void errors.push(`${subject}: ${(error as Error).message}`),
    );
    const seen: string[] = [];
    bus.subscribe("bad.sync", ({ data }) => {
      seen.push(text(data));
      throw new Error("thrown");
    });
    bus.subscribe("bad.async", ({ data }) => {
      seen.push(text(data));
      return Promise.reject(new Error("rejected"));
    });
    await bus.flush();
    for (const subject of ["bad.sync", "bad.async", "bad.sync"]) bus.publish(subject, bytes(subject));
    await settle(bus);
    await waitFor(() => errors.length === 3, "the errors");
    expect(seen).toEqual(["bad.sync", "bad.async", "bad.sync"]);
    expect(errors.sort()).toEqual(["bad.async: rejected", "bad.sync: thrown", "bad.sync: thrown"]);
  });

  it("unsubscribe ends delivery at once", () =>
    withBus(factory, async (bus) => {
      const seen: string[] = [];
      const subscription = bus.subscribe("a", ({ data }) => {
        seen.push(text(data));
        subscription.unsubscribe();
      });
      await bus.flush();
      for (const each of ["one", "two", "three"]) bus.publish("a", bytes(each));
      await settle(bus);
      expect(seen).toEqual(["one"]);
      subscription.unsubscribe(); // twice is no error
    }));

  it("Subscription.drain lets what was published before be handled, then ends", () =>
    withBus(factory, async (bus) => {
      const { seen, subscription } = await collect(bus, "a");
      bus.publish("a", bytes("one"));
      bus.publish("a", bytes("two"));
      await subscription.drain();
      expect(seen).toEqual(["one", "two"]);
      bus.publish("a", bytes("three"));
      await settle(bus);
      expect(seen).toEqual(["one", "two"]);
      await subscription.drain(); // twice is no error
    }));
}
