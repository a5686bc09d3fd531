import { describe, expect, it } from "vitest";
import { claimRun } from "../../../../src/apps/connect/run-claim.ts";
import { type Bus, type BusEvent, memoryBus } from "../../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

/** The time that others have to object, and more. */
const WINDOW_MS = 1_000;

function scene() {
  const bus = memoryBus();
  const clock = simulatedClock();
  return {
    bus,
    clock,
    /** Claims and lets the window pass. */
    async claim(run: string, options: Parameters<typeof claimRun>[1] = {}) {
      const claiming = claimRun(run, options, { bus, clock });
      claiming.catch(() => undefined);
      await clock.advance(WINDOW_MS);
      return claiming;
    },
  };
}

describe("claimRun", () => {
  it("refuses a name that another process uses, and leaves that one in peace", async () => {
    const { claim, clock } = scene();
    await using first = await claim("same");
    let isLost = false;
    void first.lost.then(() => {
      isLost = true;
    });
    await expect(claim("same")).rejects.toMatchObject({ code: "KN_CONFIG", value: "in use by another process" });
    await clock.advance(WINDOW_MS);
    expect(isLost).toBe(false);
  });

  it("admits other names, and the same one after its release", async () => {
    const { claim } = scene();
    const first = await claim("same");
    await using _other = await claim("other");
    await first[Symbol.asyncDispose]();
    await using _again = await claim("same");
  });

  it("lets exactly one of two that claim at the same time through", async () => {
    const { bus, clock } = scene();
    const claims = [1, 2, 3].map(() => claimRun("same", {}, { bus, clock }));
    const outcomes = Promise.allSettled(claims);
    await clock.advance(WINDOW_MS);
    expect((await outcomes).filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("refuses the name of a run whose actors are on the bus, unless they are the run's own", async () => {
    const { bus, claim } = scene();
    const service = { version: "0.1.0", description: "", endpoints: [], stats: () => ({}) };
    await bus.service({ ...service, name: "kn-block", metadata: { run: "same", actor: "block-0" } });
    await bus.service({ ...service, name: "elsewhere", metadata: { run: "other" } });
    await expect(claim("same")).rejects.toMatchObject({ code: "KN_CONFIG", value: "in use by actors on the bus" });
    await using _resumed = await claim("same", { isActorRefused: false });
    await using _other = await claim("other");
  });

  it.each(["older", "younger"] as const)(
    "fences the younger of two holders after the reconnection of the %s one",
    async (which) => {
      const clock = simulatedClock();
      const [here, there] = [reconnecting(), reconnecting()];
      const claimOn = async ({ bus }: typeof here) => {
        const claiming = claimRun("same", {}, { bus, clock });
        await clock.advance(WINDOW_MS);
        return claiming;
      };
      await using older = await claimOn(here);
      await using younger = await claimOn(there); // the two servers do not see each other
      let isOlderLost = false;
      void older.lost.then(() => {
        isOlderLost = true;
      });
      const [from, to] = which === "older" ? [here, there] : [there, here];
      forward("kn.v1.same.ctl.claim", from.bus, to.bus);
      forward("_INBOX.>", to.bus, from.bus);
      from.reconnect();
      await expect(younger.lost).resolves.toMatchObject({ code: "KN_FENCED" });
      await clock.advance(WINDOW_MS);
      expect(isOlderLost).toBe(false);
    },
  );

  it("ends with its subscriptions when the claim is refused or released", async () => {
    const { bus, claim } = scene();
    const held = await claim("same");
    await claim("same").catch(() => undefined);
    await held[Symbol.asyncDispose]();
    await expect(bus.request("kn.v1.same.ctl.claim", new Uint8Array(0))).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
    });
  });
});

/** A bus whose connection comes back when told to. */
function reconnecting(): { readonly bus: Bus; readonly reconnect: () => void } {
  const memory = memoryBus();
  const listeners: (() => void)[] = [];
  const bus: Bus = Object.assign(Object.create(memory) as Bus, {
    on: (event: BusEvent, listener: () => void) => {
      if (event === "reconnected") listeners.push(listener);
      return () => undefined;
    },
  });
  return {
    bus,
    reconnect() {
      for (const listener of listeners) listener();
    },
  };
}

/** What a cluster does once its servers see each other. */
function forward(subject: string, from: Bus, to: Bus): void {
  from.subscribe(subject, ({ subject: at, data, reply }) => {
    to.publish(at, data, reply === undefined ? {} : { reply });
  });
}
