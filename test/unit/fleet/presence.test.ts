import { expect, it } from "vitest";
import { PRESENCE_TTL_MS } from "../../../src/fleet/records.ts";
import { failAlways } from "../../support/failing-store.ts";
import { createWorld, nodeRecord, type World, type WorldNode } from "./fleet-world.ts";

/** Longer than a node waits for the answer of another one of its name, ms. */
const JOIN_MS = 5_000;

/** Another process under the name of node a. */
function beginAs(world: World, instance: string): Promise<WorldNode> {
  const joining = world.join(nodeRecord("a", { instance }));
  joining.catch(() => undefined); // awaited later
  return joining;
}

async function joinAs(world: World, instance: string): Promise<WorldNode> {
  const joining = beginAs(world, instance);
  await world.clock.advance(JOIN_MS);
  return joining;
}

it("announceNode joins once the bus is back when that is interrupted while the node joins; its name is free after it leaves", async () => {
  const world = await createWorld({ nodes: ["a"] });
  world.broker.interrupt();
  const joining = world.join("b");
  joining.catch(() => undefined); // awaited below
  await world.clock.advance(20_000);
  world.broker.restore();
  await world.clock.advance(5_000);
  expect((await joining).agent.state).toBe("member");
  await world[Symbol.asyncDispose]();
  expect(await world.leftOvers()).toEqual([]);
});

it("announceNode releases the name when the node is stopped before it is registered on the bus", async () => {
  const world = await createWorld({ nodes: ["a"] });
  world.broker.interrupt();
  const joining = world.join("b");
  joining.catch(() => undefined); // the node ends before it is a member
  await world.clock.advance(5_000);
  const stopping = world.node("b").agent.stop();
  stopping.catch(() => undefined); // looked at by its record
  await world.clock.advance(5_000);
  expect(await world.fleet.nodes.get("b")).toBeUndefined();
  world.broker.restore();
  await world[Symbol.asyncDispose]();
});

it("announceNode releases the name when the node is stopped while the store answers slowly", async () => {
  await using world = await createWorld({
    nodes: ["a"],
    onCall(name) {
      const joining = name === "b" ? world.nodes.get("b") : undefined;
      if (joining !== undefined) joining.faults.now = failAlways({ isChange: true }, { kind: "slow", delayMs: 1_000 });
    },
  });
  const joining = world.join("b");
  await world.clock.advance(1_500);
  const stopping = world.node("b").agent.stop();
  await world.clock.advance(5_000);
  await stopping;
  expect((await joining).agent.state).toBe("gone");
  expect(await world.fleet.nodes.get("b")).toBeUndefined();
  expect(world.node("b").link.bus.services).toEqual([]);
});

it("announceNode refuses a name whose holder answers, and grants it as soon as that has left", async () => {
  await using world = await createWorld({ nodes: ["a"] });
  const holder = world.node("a");
  await expect(joinAs(world, "a-2")).rejects.toMatchObject({ code: "KN_CONFIG", value: "taken by instance a-1" });
  const leaving = holder.agent.stop();
  await world.clock.advance(1_000);
  await leaving;
  expect((await joinAs(world, "a-3")).agent.state).toBe("member");
});

it("announceNode grants the name once the record of its holder has expired, and at once after that of a dead one: a former holder that still answers holds nothing", async () => {
  await using world = await createWorld({ nodes: ["a"] });
  const former = world.node("a");
  former.faults.now = failAlways();
  await world.clock.advance(PRESENCE_TTL_MS);
  const second = await joinAs(world, "a-2");
  expect(second.agent.state).toBe("member");
  second.kill();
  expect((await joinAs(world, "a-3")).agent.state).toBe("member");
  former.faults.now = undefined;
  await world.clock.advance(PRESENCE_TTL_MS);
  expect(former.agent.state).toBe("expelled");
});

it("announceNode asks each instance that it would replace: one that was cut off while it joined does not take the name from its successor", async () => {
  await using world = await createWorld({ nodes: ["a"] });
  world.node("a").kill();
  const second = beginAs(world, "a-2");
  await world.clock.advance(0);
  const cutOff = world.node("a");
  cutOff.cutOff();
  await world.clock.advance(PRESENCE_TTL_MS);
  expect([cutOff.record.instance, cutOff.agent.state]).toEqual(["a-2", "joining"]);
  const third = await joinAs(world, "a-3");
  cutOff.comeBack();
  await world.clock.advance(2 * PRESENCE_TTL_MS);
  await expect(second).rejects.toMatchObject({ code: "KN_CONFIG", value: "taken by instance a-3" });
  expect(third.agent.state).toBe("member");
});

it("announceNode takes no silence for an answer while its own connection is interrupted", async () => {
  await using world = await createWorld({ nodes: ["a"] });
  const holder = world.node("a");
  world.broker.interrupt();
  const second = beginAs(world, "a-2");
  await world.clock.advance(PRESENCE_TTL_MS);
  expect([holder.agent.state, world.node("a").agent.state]).toEqual(["member", "joining"]);
  world.broker.restore();
  await world.clock.advance(PRESENCE_TTL_MS);
  await expect(second).rejects.toMatchObject({ code: "KN_CONFIG" });
  expect(holder.agent.state).toBe("member");
});
