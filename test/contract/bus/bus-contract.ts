/**
 * What every `Bus` does. The factory gives connections to one broker, which can be interrupted and restored, so that the
 * same tests run on the memory bus and on a NATS server.
 */
import { expect, it } from "vitest";
import type { Bus, BusHandler, HandlerErrorListener, ServiceDefinition } from "../../../src/runtime/bus/index.ts";
import { waitFor } from "../../support/wait-for.ts";

export interface BusHarness extends AsyncDisposable {
  connect(onHandlerError?: HandlerErrorListener): Promise<Bus>;
  /** Takes the broker away; resolves when it is gone. */
  interrupt(): Promise<void>;
  /** Brings it back. */
  restore(): Promise<void>;
}

/** Of the broker that the factory starts: far below the default, so that the limit is cheap to reach. */
export const CONTRACT_MAX_PAYLOAD_BYTES = 64 * 1024;

const NOTHING = new Uint8Array(0);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const ignore: BusHandler = () => undefined;

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

const NOT_LITERAL = ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\nb", "a\0b", "*", "a.*", ">", "a.>", "*.a", "a.*.b", "x".repeat(513)];
const NOT_PATTERN = ["", ".", "a.", ".a", "a..b", "a b", "a\nb", "a\0b", ">.a", "a.>.b", "a.>.>", "x".repeat(513)];

export function describeBusContract(factory: () => Promise<BusHarness>): void {
  /** Runs `body` with a broker of its own and a connection to it. */
  const withBus = async (body: (bus: Bus, harness: BusHarness) => Promise<void>): Promise<void> => {
    await using harness = await factory();
    await using bus = await harness.connect();
    await body(bus, harness);
  };

  /** Subscribes and collects texts. */
  const collect = async (bus: Bus, subject: string, queue?: string) => {
    const seen: string[] = [];
    const options = queue === undefined ? {} : { queue };
    const subscription = bus.subscribe(subject, ({ data }) => void seen.push(text(data)), options);
    await bus.flush();
    return { seen, subscription };
  };

  /** Resolves when everything that `bus` published so far has been handled by `receiver`, `bus` itself when omitted. */
  const settle = async (bus: Bus, receiver: Bus = bus): Promise<void> => {
    const subject = `settle.${crypto.randomUUID()}`;
    let isHere = false;
    receiver.subscribe(subject, () => {
      isHere = true;
    });
    await receiver.flush();
    bus.publish(subject, NOTHING);
    await waitFor(() => isHere, "the marker");
  };

  it("publish reaches every subscription with the subject and the bytes", () =>
    withBus(async (bus, harness) => {
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
    withBus(async (bus) => {
      const { seen } = await collect(bus, "n.*");
      const sent = Array.from({ length: 500 }, (_, i) => String(i));
      for (const each of sent) bus.publish(`n.${Number(each) % 7}`, bytes(each));
      await settle(bus);
      expect(seen).toEqual(sent);
    }));

  it("publish delivers after it has returned, never inside the call", () =>
    withBus(async (bus) => {
      const { seen } = await collect(bus, "a");
      bus.publish("a", bytes("one"));
      expect(seen).toEqual([]);
      await settle(bus);
      expect(seen).toEqual(["one"]);
    }));

  it("publish takes the bytes over: the caller may write to the buffer at once", () =>
    withBus(async (bus) => {
      const { seen } = await collect(bus, "a");
      const buffer = Buffer.from("before");
      bus.publish("a", buffer);
      buffer.fill("x");
      await settle(bus);
      expect(seen).toEqual(["before"]);
    }));

  it("publish delivers a plain Uint8Array, empty ones too", () =>
    withBus(async (bus) => {
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
    withBus(async (bus) => {
      expect(bus.maxPayloadBytes).toBe(CONTRACT_MAX_PAYLOAD_BYTES);
      const sizes: number[] = [];
      bus.subscribe("a", ({ data }) => void sizes.push(data.byteLength));
      await bus.flush();
      bus.publish("a", new Uint8Array(bus.maxPayloadBytes));
      const tooLarge = new Uint8Array(bus.maxPayloadBytes + 1);
      expect(() => { bus.publish("a", tooLarge); }).toThrow(expect.objectContaining({ code: "KN_OVERLOADED" }));
      await settle(bus);
      expect(sizes).toEqual([CONTRACT_MAX_PAYLOAD_BYTES]);
    }));

  it.each(NOT_LITERAL)("publish rejects the subject %j with KN_CONFIG", (subject) =>
    withBus(async (bus) => {
      expect(() => { bus.publish(subject, NOTHING); }).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
      expect(() => { bus.publish("a", NOTHING, { reply: subject }); }).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    }));

  it.each(NOT_PATTERN)("subscribe rejects the subject %j with KN_CONFIG", (subject) =>
    withBus(async (bus) => {
      expect(() => bus.subscribe(subject, ignore)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    }));

  it("subscribe rejects a queue group of white space or wildcards with KN_CONFIG", () =>
    withBus(async (bus) => {
      for (const queue of ["", "a b", "*", ">"]) {
        expect(() => bus.subscribe("a", ignore, { queue })).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
      }
    }));

  it("subscribe matches subjects by the rules of NATS", () =>
    withBus(async (bus) => {
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
    withBus(async (bus) => {
      const started: string[] = [];
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => { release = resolve; });
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
    withBus(async (bus, harness) => {
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
    withBus(async (bus) => {
      const wide = await collect(bus, "job.*", "workers");
      const narrow = await collect(bus, "job.x", "workers");
      for (let i = 0; i < 20; i += 1) bus.publish("job.x", bytes(String(i)));
      await settle(bus);
      expect(wide.seen.length + narrow.seen.length).toBe(20);
    }));

  it("subscribe carries what a handler throws or rejects with to onHandlerError and goes on", async () => {
    await using harness = await factory();
    const errors: string[] = [];
    await using bus = await harness.connect((error, subject) => void errors.push(`${subject}: ${(error as Error).message}`));
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
    withBus(async (bus) => {
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
    withBus(async (bus) => {
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

  it("request gives the first answer", () =>
    withBus(async (bus, harness) => {
      await using server = await harness.connect();
      server.subscribe("double.*", ({ subject, data, respond }) => void respond(bytes(`${subject}=${text(data).repeat(2)}`)));
      await server.flush();
      const { data, reply } = await bus.request("double.x", bytes("ab"));
      expect(text(data)).toBe("double.x=abab");
      expect(reply).toBeUndefined();
    }));

  it("request keeps the answers of concurrent requests apart", () =>
    withBus(async (bus) => {
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
    withBus(async (bus) => {
      bus.subscribe("ack", ({ respond }) => void respond(NOTHING));
      await bus.flush();
      const { data } = await bus.request("ack", NOTHING);
      expect(data.byteLength).toBe(0);
    }));

  it("request rejects at once with KN_UNAVAILABLE when nobody subscribes", () =>
    withBus(async (bus) => {
      const asking = bus.request("nobody.here", NOTHING, { timeoutMs: 60_000 });
      await expect(asking).rejects.toMatchObject({ code: "KN_UNAVAILABLE", value: "no responders" });
    }));

  it("request rejects with KN_UNAVAILABLE when no answer comes in time", () =>
    withBus(async (bus) => {
      bus.subscribe("silent", ignore);
      await bus.flush();
      const asking = bus.request("silent", NOTHING, { timeoutMs: 20 });
      await expect(asking).rejects.toMatchObject({ code: "KN_UNAVAILABLE", rule: "an answer must come within 20 ms" });
    }));

  it("request rejects with the signal's reason on abort, before and after it was sent", () =>
    withBus(async (bus) => {
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
    withBus(async (bus) => {
      bus.subscribe("silent", ignore);
      await bus.flush();
      const asking = bus.request("silent", NOTHING, { timeoutMs: 60_000 });
      const [outcome] = await Promise.allSettled([asking, bus.close()]);
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "KN_UNAVAILABLE" } });
    }));

  it("request rejects with what publish would throw: KN_CONFIG, KN_OVERLOADED", () =>
    withBus(async (bus) => {
      await expect(bus.request("a.*", NOTHING)).rejects.toMatchObject({ code: "KN_CONFIG" });
      const tooLarge = new Uint8Array(bus.maxPayloadBytes + 1);
      await expect(bus.request("a", tooLarge)).rejects.toMatchObject({ code: "KN_OVERLOADED" });
    }));

  it("respond returns false when nobody waits for an answer", () =>
    withBus(async (bus) => {
      const outcomes: unknown[] = [];
      bus.subscribe("a", ({ reply, respond }) => void outcomes.push([reply, respond(NOTHING)]));
      await bus.flush();
      bus.publish("a", NOTHING);
      await settle(bus);
      expect(outcomes).toEqual([[undefined, false]]);
    }));

  it("publish with a reply subject lets several receivers answer to it", () =>
    withBus(async (bus) => {
      const { seen } = await collect(bus, "answers");
      for (const name of ["one", "two"]) bus.subscribe("who", ({ reply, respond }) => void respond(bytes(`${name} to ${reply}`)));
      await bus.flush();
      bus.publish("who", NOTHING, { reply: "answers" });
      await waitFor(() => seen.length === 2, "both answers");
      expect(seen.sort()).toEqual(["one to answers", "two to answers"]);
    }));

  it("publish with a reply subject delivers nothing there when nobody subscribes", () =>
    withBus(async (bus) => {
      const { seen } = await collect(bus, "answers");
      bus.publish("nobody.here", NOTHING, { reply: "answers" });
      await settle(bus);
      expect(seen).toEqual([]);
    }));

  it("stats counts messages and bytes in both directions", () =>
    withBus(async (bus) => {
      expect(bus.stats).toEqual({ publishedMessages: 0, publishedBytes: 0, receivedMessages: 0, receivedBytes: 0, reconnects: 0 });
      const { subscription } = await collect(bus, "a");
      bus.publish("a", bytes("12345"));
      bus.publish("b", bytes("123"));
      await waitFor(() => subscription.received === 1, "the message");
      expect(bus.stats).toEqual({ publishedMessages: 2, publishedBytes: 8, receivedMessages: 1, receivedBytes: 5, reconnects: 0 });
    }));

  it("close ends the bus: everything else then fails with KN_UNAVAILABLE", () =>
    withBus(async (bus) => {
      const { seen } = await collect(bus, "a");
      await bus.close();
      expect(await bus.closed).toBeUndefined();
      const closed = expect.objectContaining({ code: "KN_UNAVAILABLE" });
      expect(() => { bus.publish("a", NOTHING); }).toThrow(closed);
      expect(() => bus.subscribe("a", ignore)).toThrow(closed);
      await expect(bus.request("a", NOTHING)).rejects.toEqual(closed);
      await expect(bus.flush()).rejects.toEqual(closed);
      await expect(bus.service(definition())).rejects.toEqual(closed);
      expect(seen).toEqual([]);
      await bus.close();
      await bus.drain();
    }));

  it("close leaves the other connections alone", () =>
    withBus(async (bus, harness) => {
      const other = await harness.connect();
      const { seen } = await collect(bus, "a");
      await other.close();
      bus.publish("a", bytes("still here"));
      await settle(bus);
      expect(seen).toEqual(["still here"]);
    }));

  it("drain handles what has arrived, finishes handlers, sends what they publish, then closes", () =>
    withBus(async (bus, harness) => {
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
      expect(() => { bus.publish("a", NOTHING); }).toThrow(expect.objectContaining({ code: "KN_UNAVAILABLE" }));
      await waitFor(() => answers.seen.length === 2, "the answers");
      expect(answers.seen).toEqual(["one!", "two!"]);
    }));

  it("on tells of an interruption and its end, after which subscriptions and requests work again", () =>
    withBus(async (bus, harness) => {
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
    withBus(async (bus, harness) => {
      const heard: string[] = [];
      const listener = (): void => void heard.push("twice added, once removed");
      const remove = bus.on("reconnected", listener);
      bus.on("reconnected", listener);
      remove();
      await harness.interrupt();
      await harness.restore();
      await waitFor(() => heard.length > 0, "reconnected");
      expect(heard).toHaveLength(1);
    }));

  it("flush rejects with KN_UNAVAILABLE while the broker is away", () =>
    withBus(async (bus, harness) => {
      let isGone = false;
      bus.on("disconnected", () => {
        isGone = true;
      });
      await harness.interrupt();
      await waitFor(() => isGone, "disconnected");
      await expect(bus.flush()).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    }));

  const definition = (parts: Partial<ServiceDefinition> = {}): ServiceDefinition => ({
    name: "kn-block",
    version: "1.2.3",
    description: "A block",
    metadata: { run: "demo" },
    endpoints: [],
    stats: () => ({ steps: 7 }),
    ...parts,
  });

  /** All answers to a discovery subject, as parsed JSON. */
  const discover = async (bus: Bus, subject: string, count: number): Promise<Record<string, unknown>[]> => {
    const inbox = `discovery.${crypto.randomUUID()}`;
    const { seen } = await collect(bus, inbox);
    bus.publish(subject, NOTHING, { reply: inbox });
    await waitFor(() => seen.length >= count, `${count} answers on ${subject}`);
    await settle(bus);
    return seen.map((each) => JSON.parse(each) as Record<string, unknown>);
  };

  it.each(["PING", "INFO", "STATS"])("service answers $SRV.%s to all, by name and by id", (verb) =>
    withBus(async (bus, harness) => {
      await using caller = await harness.connect();
      const one = await bus.service(definition());
      const two = await bus.service(definition());
      await bus.service(definition({ name: "kn-feeder" }));
      const type = `io.nats.micro.v1.${verb.toLowerCase()}_response`;
      const all = await discover(caller, `$SRV.${verb}`, 3);
      expect(all.map((each) => each["name"]).sort()).toEqual(["kn-block", "kn-block", "kn-feeder"]);
      expect(new Set(all.map((each) => each["type"]))).toEqual(new Set([type]));
      const named = await discover(caller, `$SRV.${verb}.kn-block`, 2);
      expect(named.map((each) => each["id"]).sort()).toEqual([one.id, two.id].sort());
      const [single, ...others] = await discover(caller, `$SRV.${verb}.kn-block.${one.id}`, 1);
      expect(others).toEqual([]);
      expect(single).toMatchObject({ type, id: one.id, name: "kn-block", version: "1.2.3", metadata: { run: "demo" } });
    }));

  it("service describes its endpoints in INFO", () =>
    withBus(async (bus) => {
      const endpoints = [
        { name: "activations", subject: "kn.v1.demo.act.0", handler: ignore, metadata: { unit: "frame" } },
        { name: "jobs", subject: "kn.v1.demo.job.*", queue: "workers", handler: ignore },
      ];
      await bus.service(definition({ endpoints }));
      const [info] = await discover(bus, "$SRV.INFO.kn-block", 1);
      expect(info).toMatchObject({
        description: "A block",
        endpoints: [
          { name: "activations", subject: "kn.v1.demo.act.0", queue_group: "", metadata: { unit: "frame" } },
          { name: "jobs", subject: "kn.v1.demo.job.*", queue_group: "workers", metadata: {} },
        ],
      });
    }));

  it("service counts requests, errors and time of each endpoint, and shows live figures", async () => {
    await using harness = await factory();
    await using bus = await harness.connect(() => undefined);
    let steps = 0;
    const handler: BusHandler = async ({ data, respond }) => {
      steps += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (text(data) === "bad") throw new Error("no such step");
      respond(bytes("ok"));
    };
    await bus.service(definition({ endpoints: [{ name: "work", subject: "work", handler }], stats: () => ({ steps }) }));
    await bus.request("work", bytes("good"));
    await bus.request("work", bytes("good"));
    bus.publish("work", bytes("bad"));
    const stats = await waitFor(async () => {
      const [each] = await discover(bus, "$SRV.STATS.kn-block", 1);
      const [work] = (each?.["endpoints"] ?? []) as Record<string, unknown>[];
      return work?.["num_requests"] === 3 ? work : undefined;
    }, "three requests");
    expect(stats).toMatchObject({ name: "work", subject: "work", queue_group: "", num_errors: 1, last_error: "no such step", data: { steps: 3 } });
    const { processing_time: total, average_processing_time: average } = stats as Record<string, number>;
    expect(total).toBeGreaterThan(0);
    expect(average).toBe(Math.round((total ?? 0) / 3));
  });

  it("service gives a message to every instance, and with a queue group to one", () =>
    withBus(async (bus, harness) => {
      await using other = await harness.connect();
      const seen: string[] = [];
      const endpoints = (who: string) => [
        { name: "all", subject: "to.all", handler: () => void seen.push(`${who} all`) },
        { name: "one", subject: "to.one", queue: "group", handler: () => void seen.push("one") },
      ];
      await bus.service(definition({ endpoints: endpoints("first") }));
      await other.service(definition({ endpoints: endpoints("second") }));
      bus.publish("to.all", NOTHING);
      bus.publish("to.one", NOTHING);
      await settle(bus);
      await settle(bus, other);
      expect(seen.sort()).toEqual(["first all", "one", "second all"]);
    }));

  it("Service.stop ends its endpoints and makes it invisible", () =>
    withBus(async (bus) => {
      const service = await bus.service(definition({ endpoints: [{ name: "work", subject: "work", handler: ignore }] }));
      await service.stop();
      await expect(bus.request("work", NOTHING)).rejects.toMatchObject({ value: "no responders" });
      await expect(bus.request("$SRV.PING", NOTHING)).rejects.toMatchObject({ value: "no responders" });
      await service.stop(); // twice is no error
    }));

  it.each([
    ["name", { name: "kn block" }],
    ["name with a dot", { name: "kn.block" }],
    ["version", { version: "1.2" }],
    ["endpoint's name", { endpoints: [{ name: "a.b", subject: "a", handler: ignore }] }],
    ["endpoint's subject", { endpoints: [{ name: "a", subject: "a..b", handler: ignore }] }],
    ["pair of endpoints of one name", { endpoints: ["x", "y"].map((subject) => ({ name: "a", subject, handler: ignore })) }],
  ])("service rejects a malformed %s with KN_CONFIG and registers nothing", (_, parts) =>
    withBus(async (bus) => {
      await expect(bus.service(definition(parts))).rejects.toMatchObject({ code: "KN_CONFIG" });
      await expect(bus.request("$SRV.PING", NOTHING)).rejects.toMatchObject({ value: "no responders" });
    }));
}
