/** Services: discovery by `$SRV` (ADR-32), statistics, delivery. */
import { expect, it } from "vitest";
import type { Bus, BusHandler } from "../../../src/runtime/bus/index.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type BusFactory, bytes, collect, definition, ignore, NOTHING, settle, text, withBus } from "./bus-harness.ts";

export function describeServices(factory: BusFactory): void {
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
    withBus(factory, async (bus, harness) => {
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
    }),
  );

  it("service describes its endpoints in INFO", () =>
    withBus(factory, async (bus) => {
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
    await bus.service(
      definition({ endpoints: [{ name: "work", subject: "work", handler }], stats: () => ({ steps }) }),
    );
    await bus.request("work", bytes("good"));
    await bus.request("work", bytes("good"));
    bus.publish("work", bytes("bad"));
    const stats = await waitFor(async () => {
      const [each] = await discover(bus, "$SRV.STATS.kn-block", 1);
      const [work] = (each?.["endpoints"] ?? []) as Record<string, unknown>[];
      return work?.["num_requests"] === 3 ? work : undefined;
    }, "three requests");
    expect(stats).toMatchObject({
      name: "work",
      subject: "work",
      queue_group: "",
      num_errors: 1,
      last_error: "no such step",
      data: { steps: 3 },
    });
    const { processing_time: total, average_processing_time: average } = stats as Record<string, number>;
    expect(total).toBeGreaterThan(0);
    expect(average).toBe(Math.round((total ?? 0) / 3));
  });

  it("service gives a message to every instance, and with a queue group to one", () =>
    withBus(factory, async (bus, harness) => {
      await using other = await harness.connect();
      const seen: string[] = [];
      const endpoints = (name: string) => [
        { name: "all", subject: "to.all", handler: () => void seen.push(`${name} all`) },
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
    withBus(factory, async (bus) => {
      const service = await bus.service(
        definition({ endpoints: [{ name: "work", subject: "work", handler: ignore }] }),
      );
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
    [
      "pair of endpoints of one name",
      { endpoints: ["x", "y"].map((subject) => ({ name: "a", subject, handler: ignore })) },
    ],
  ])("service rejects a malformed %s with KN_CONFIG and registers nothing", (_, parts) =>
    withBus(factory, async (bus) => {
      await expect(bus.service(definition(parts))).rejects.toMatchObject({ code: "KN_CONFIG" });
      await expect(bus.request("$SRV.PING", NOTHING)).rejects.toMatchObject({ value: "no responders" });
    }),
  );
}
