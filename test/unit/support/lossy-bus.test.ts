import { expect, it } from "vitest";
import { createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { lossyBus } from "../../support/lossy-bus.ts";
import { randomFrom } from "../../support/random.ts";

const SENT = 200;

async function received(options: {
  dropRate?: number;
  duplicateRate?: number;
  delayRate?: number;
  affects?: () => boolean;
}) {
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const here = lossyBus(broker, { draw: randomFrom(3), ...options }, { clock });
  const seen: number[] = [];
  broker.connect({ clock }).subscribe("n", ({ data }) => void seen.push(data[0] ?? -1));
  for (let i = 0; i < SENT; i += 1) here.bus.publish("n", new Uint8Array([i]));
  await clock.advance(1_000);
  return { seen, counts: here.counts };
}
const ALL = Array.from({ length: SENT }, (_, i) => i);

it("lossyBus drops messages and keeps the order of the others", async () => {
  const { seen, counts } = await received({ dropRate: 0.2 });
  expect(counts.dropped).toBeGreaterThan(0);
  expect(seen).toHaveLength(SENT - counts.dropped);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

it("lossyBus duplicates messages", async () => {
  const { seen, counts } = await received({ duplicateRate: 0.2 });
  expect(counts.duplicated).toBeGreaterThan(0);
  expect(seen).toHaveLength(SENT + counts.duplicated);
  expect([...new Set(seen)]).toEqual(ALL);
});

it("lossyBus delivers delayed messages after later ones", async () => {
  const { seen, counts } = await received({ delayRate: 0.2 });
  expect(counts.delayed).toBeGreaterThan(0);
  expect(seen).not.toEqual(ALL);
  expect([...seen].sort((a, b) => a - b)).toEqual(ALL);
});

it("lossyBus leaves subjects alone that it does not affect", async () => {
  const { seen } = await received({ dropRate: 1, affects: () => false });
  expect(seen).toEqual(ALL);
});

it("lossyBus.disconnect cuts one connection and leaves the others", async () => {
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const here = lossyBus(broker, { draw: () => 1 }, { clock });
  const other = broker.connect({ clock });
  const seen: string[] = [];
  for (const [name, bus] of [
    ["here", here.bus],
    ["other", other],
  ] as const) {
    bus.subscribe("n", () => void seen.push(name));
  }
  here.disconnect();
  other.publish("n", new Uint8Array(0));
  here.bus.publish("n", new Uint8Array(0));
  await clock.advance(1);
  expect(seen).toEqual(["other"]);
  here.reconnect();
  here.bus.publish("n", new Uint8Array(0));
  await clock.advance(1);
  expect(seen.sort()).toEqual(["here", "other", "other"]);
  expect(here.bus.stats.reconnects).toBe(1);
});
