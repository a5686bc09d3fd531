/** Control of a run by a fleet while its store, its bus and its nodes fail, in simulated time. */
import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { ARTIFACT_RECORDS } from "../../../src/runtime/artifacts/index.ts";
import { failAlways, failTimes, type StoreFaults } from "../../support/failing-store.ts";
import { withHistory } from "../../../src/fleet/run-history.ts";
import type { Logger } from "../../../src/runtime/telemetry/index.ts";
import { createWorld, RUN, type World } from "./fleet-world.ts";

const error = (code: KnowledgeNetError["code"]): KnowledgeNetError =>
  new KnowledgeNetError(code, { attempt: "test", rule: "the test wants it to fail" });

const FULL = { kind: "refused", code: "KN_CHECKPOINT" } as const;
/** Nothing is written, and no bucket is made. */
const FULL_SERVER: StoreFaults = ({ kind, operation, isChange }) =>
  isChange || (kind === "store" && ["kv", "blobs", "log"].includes(operation)) ? FULL : undefined;

/** Lines as "level {fields} message", errors by their message. */
function loggerTo(lines: string[]): Logger {
  const at =
    (level: string): Logger["info"] =>
    (fields, message) => {
      const texts = Object.entries(fields).map(
        ([key, value]) => `${key}=${value instanceof Error ? value.message : String(value)}`,
      );
      lines.push(`${level} ${texts.join(" ")} ${message}`);
    };
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  return logger;
}

describe("run control", () => {
  it("trains a run to its end, releases everything and publishes its state", async () => {
    await using world = await createWorld({ nodes: ["a", "b"], workMs: 500 });
    await world.launch();
    await world.until(async () => (await world.status())?.control === "coordinating.running", "running");
    await world.until(
      async () =>
        (await world.fleet.nodes.all()).every(
          ({ state, slots = {} }) => state === "member" && Object.keys(slots).length >= 1,
        ),
      "members with slots",
    );
    const status = await world.end();
    expect(status).toMatchObject({ outcome: "completed", phase: "training", record: { generation: 24, epochs: 2 } });
    expect(status.problem).toBeUndefined();
    expect(await world.fleet.leases.keys()).toEqual([]);
    expect((await world.record()).desired).toBe("ended");
  });

  it("H2: continues when the successor's first reads fail: no lease outlives its term", async () => {
    await using world = await createWorld({ nodes: ["a", "b", "c"], workMs: 1_000 });
    const { actors } = await world.launch();
    await world.until(async () => ((await world.status())?.record.generation ?? 0) > 0, "a checkpoint");
    const lost = actors.coordinator ?? "";
    world.node(lost).kill();
    for (const [name, { faults }] of world.nodes) {
      if (name === lost) continue;
      const [status, open] = [failTimes(1, { bucket: "kn-status", operation: "get" }), failTimes(1, { kind: "store" })];
      faults.now = (call) => status(call) ?? open(call);
    }
    const status = await world.end(2_000_000);
    expect(status.outcome).toBe("completed");
    expect(status.coordinator).not.toBe(lost);
  });

  it("H3: a store that fails while actors are placed delays the run, and does not end it", async () => {
    await using world = await createWorld({ nodes: ["a", "b"] });
    for (const { faults } of world.nodes.values()) faults.now = failTimes(3, { kind: "store" });
    await world.launch();
    expect((await world.end()).outcome).toBe("completed");
  });

  it("goes on when the report of a failed restoration fails too", async () => {
    await using world = await createWorld({ nodes: ["a", "b"] });
    for (const { faults } of world.nodes.values()) faults.now = failTimes(3, { bucket: "kn-status", operation: "get" });
    await world.launch();
    expect((await world.end()).outcome).toBe("completed");
  });

  it.each(["KN_UNAVAILABLE", "KN_INVARIANT", "unknown"] as const)(
    "H3: the first start of an actor that fails with %s is tried again",
    async (code) => {
      let failures = 2;
      await using world = await createWorld({
        nodes: ["a", "b"],
        onCompose(_, actor) {
          if (actor !== "block-1" || failures === 0) return;
          failures -= 1;
          throw code === "unknown" ? new TypeError("oops") : error(code);
        },
      });
      await world.launch();
      expect((await world.end()).outcome).toBe("completed");
      expect(failures).toBe(0);
    },
  );

  it.each([
    ["KN_CONFIG", "block-0"],
    ["KN_CHECKPOINT", "feeder"],
  ] as const)("M8, B15: %s of %s ends the run with its code and its message", async (code, at) => {
    await using world = await createWorld({
      nodes: ["a", "b"],
      onCompose(_, actor) {
        if (actor === at) throw error(code);
      },
    });
    await world.launch();
    expect(await world.end()).toMatchObject({ outcome: "failed", code, error: error(code).message });
  });

  it("B15: what keeps an actor from starting stands in the status while it is tried again", async () => {
    let isAway = true;
    await using world = await createWorld({
      nodes: ["a", "b"],
      onCompose(_, actor) {
        if (actor === "block-1" && isAway) throw error("KN_UNAVAILABLE");
      },
    });
    await world.launch();
    await world.until(async () => (await world.status())?.problem === error("KN_UNAVAILABLE").message, "the problem");
    isAway = false;
    const status = await world.end();
    expect(status).toMatchObject({ outcome: "completed" });
    expect(status.problem).toBeUndefined();
  });

  it("B15: a store that refuses the run's buckets for good ends the run with the cause", async () => {
    await using world = await createWorld({ nodes: ["a", "b"] });
    for (const { faults } of world.nodes.values())
      faults.now = failAlways({ operation: "blobs" }, { kind: "refused", code: "KN_CONFIG" });
    await world.launch();
    expect(await world.end()).toMatchObject({ outcome: "failed", code: "KN_CONFIG" });
  });

  it("B19: no failure to list, read or write for half a minute ends a run", async () => {
    await using world = await createWorld({ nodes: ["a", "b"], workMs: 2_000 });
    await world.launch();
    await world.until(async () => ((await world.status())?.record.generation ?? 0) > 0, "a checkpoint");
    for (const { faults } of world.nodes.values()) faults.now = failAlways({ bucket: ARTIFACT_RECORDS });
    await world.clock.advance(30_000);
    for (const { faults } of world.nodes.values()) faults.now = undefined;
    expect((await world.end()).outcome).toBe("completed");
  });

  describe("a full disk of the server", () => {
    const fillFor = (world: World, forMs: number, full: StoreFaults): void => {
      const untilMs = world.clock.now() + forMs;
      for (const { faults } of world.nodes.values()) {
        faults.now = (call) => (world.clock.now() < untilMs ? full(call) : undefined);
      }
    };

    it("that has no room for a bucket delays the run while it is restored, and stands in status and log", async () => {
      const lines: string[] = [];
      await using world = await createWorld({ nodes: ["a", "b"], log: loggerTo(lines) });
      fillFor(world, 30_000, failAlways({ operation: "blobs" }, FULL));
      await world.launch();
      await world.until(async () => (await world.status())?.problem?.includes("KN_CHECKPOINT") === true, "the problem");
      expect(await world.status()).toMatchObject({ control: "restoring" });
      expect(await world.end()).toMatchObject({ outcome: "completed" });
      expect(lines.filter((line) => line.startsWith("warn") && line.includes("KN_CHECKPOINT"))).not.toEqual([]);
    });

    it("in which an actor cannot be claimed delays its start; its problem stands in the status meanwhile", async () => {
      await using world = await createWorld({ nodes: ["a", "b"] });
      fillFor(world, 50_000, failAlways({ bucket: ARTIFACT_RECORDS, isChange: true }, FULL));
      await world.launch();
      await world.until(async () => (await world.status())?.problem?.includes("KN_CHECKPOINT") === true, "the problem");
      const status = await world.end();
      expect(status).toMatchObject({ outcome: "completed" });
      expect(status.problem).toBeUndefined();
    });

    it("in mid-run, for half a minute, does not end it", async () => {
      await using world = await createWorld({ nodes: ["a", "b"], workMs: 2_000 });
      await world.launch();
      await world.until(async () => ((await world.status())?.record.generation ?? 0) > 0, "a checkpoint");
      fillFor(world, 30_000, FULL_SERVER);
      expect(await world.end()).toMatchObject({ outcome: "completed", record: { generation: 24 } });
    });

    it("while the outcome is written is tried again, and stands in the log", async () => {
      const lines: string[] = [];
      await using world = await createWorld({ nodes: ["a", "b"], log: loggerTo(lines) });
      await world.launch();
      await world.until(async () => ((await world.status())?.record.step ?? 0) > 18, "the last steps");
      fillFor(world, 60_000, failAlways({ bucket: "kn-status", isChange: true }, FULL));
      const isConcluding = () =>
        [...world.nodes.values()].some(({ agent }) => agent.controls.some(({ state }) => state === "concluding"));
      await world.until(isConcluding, "the conclusion");
      lines.length = 0;
      await world.clock.advance(5_000);
      expect(lines.filter((line) => line.startsWith("warn") && line.includes("concluding"))).not.toEqual([]);
      expect(await world.end()).toMatchObject({ outcome: "completed", record: { generation: 24 } });
    });
  });

  it("M1: a dead node that is pinned by name holds up no other actor's move", async () => {
    await using world = await createWorld({ nodes: ["a", "b", "c", "d"], workMs: 2_000 });
    const before = await world.launch("placement.block-0=a", "placement.block-1=b", "placement.block-2=c");
    const free = Object.entries(before.actors).filter(([actor]) => !actor.startsWith("block"));
    expect(free.map(([actor]) => actor).sort()).toEqual(["coordinator", "feeder"]);
    await world.until(async () => ((await world.status())?.record.generation ?? 0) > 0, "a checkpoint");
    world.node("a").kill(); // block-0 is pinned there, the feeder beside it is not
    await world.until(async () => (await world.record()).actors.feeder !== "a", "the feeder's move", 60_000);
    expect((await world.record()).actors["block-0"]).toBe("a");
    expect((await world.status())?.control).toBe("coordinating.moving");
  });

  it("a node that is assigned the coordinator asks once a second for a lease that another holds", async () => {
    let reads = 0;
    await using world = await createWorld({
      nodes: ["a", "b"],
      workMs: 2_000,
      onCall(_, { bucket, operation, name }) {
        if (bucket === "kn-leases" && operation === "get" && name === `${RUN}.coordinator`) reads += 1;
      },
    });
    const { actors } = await world.launch();
    const first = actors.coordinator ?? "";
    await world.until(async () => ((await world.status())?.record.generation ?? 0) > 0, "a checkpoint");
    await world.fleet.runs.change(RUN, (value) => ({
      ...value,
      actors: { ...value.actors, coordinator: first === "a" ? "b" : "a" },
    }));
    const [before, beforeMs] = [reads, world.clock.now()];
    await world.clock.advance(20_000);
    const perSecond = (reads - before) / ((world.clock.now() - beforeMs) / 1_000);
    expect(perSecond).toBeLessThanOrEqual(2 * world.nodes.size + 1);
  });

  it("M9: the status keeps its size however many evaluations there are, and the history has them all", async () => {
    await using world = await createWorld({ nodes: ["a", "b"], workMs: 0 });
    await world.launch("training.epochs=12", "evaluation.everySteps=1");
    const status = await world.end();
    expect(status.outcome).toBe("completed");
    expect(status.record.evaluations).toHaveLength(16);
    expect(status.record.counts.evaluations).toBe(144);
    expect(new TextEncoder().encode(JSON.stringify(status)).byteLength).toBeLessThan(16_384);
    const { record } = await withHistory(status, world.store);
    expect(record.evaluations.map(({ evaluation }) => evaluation)).toEqual(
      Array.from({ length: 144 }, (_, index) => index + 1),
    );
  });

  it("stops with a checkpoint when it is asked to, and continues from there", async () => {
    await using world = await createWorld({ nodes: ["a", "b"] });
    await world.launch("training.epochs=50");
    await world.until(async () => ((await world.status())?.record.generation ?? 0) > 0, "a checkpoint");
    await world.fleet.runs.change(RUN, (value) => ({ ...value, desired: "stopping" }));
    const status = await world.end();
    expect(status.outcome).toBe("stopped");
    expect(status.record.generation).toBeGreaterThan(0);
  });
});
