import { expect, it } from "vitest";
import { createWorld } from "./fleet-world.ts";

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
