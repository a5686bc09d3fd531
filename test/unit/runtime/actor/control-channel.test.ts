import { describe, expect, it } from "vitest";
import { encodeEvent, type Header } from "../../../../src/messages/index.ts";
import { createControlChannel } from "../../../../src/runtime/actor/index.ts";
import { createMemoryBroker } from "../../../../src/runtime/bus/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";

async function scene() {
  const bus = createMemoryBroker().connect();
  const received: { readonly sender: string; readonly fence: number }[] = [];
  const channel = createControlChannel({ run: "test", actor: "block-1", fence: 3 }, { bus, log: silentLogger });
  channel.watch("*", ({ header: { sender, fence } }) => void received.push({ sender, fence }));
  const publish = async (subject: string, changes: Partial<Header>): Promise<void> => {
    const header = { run: "test", sender: "block-0", sequence: 0, step: 0, version: 0, fence: 1, ...changes };
    bus.publish(`kn.v1.test.evt.${subject}`, encodeEvent({ header, fact: { kind: "StateEntered", state: "running" } }));
    await bus.flush();
  };
  return { received, publish };
}

describe("createControlChannel.watch", () => {
  it("drops a fact whose sender is not the actor of its subject, or that names another run", async () => {
    const { received, publish } = await scene();
    await publish("block-2", {});
    await publish("block-0", { run: "other" });
    await publish("block-0", {});
    expect(received).toEqual([{ sender: "block-0", fence: 1 }]);
  });

  it("keeps receiving the facts of an actor after one with a token that no lease can have granted", async () => {
    const { received, publish } = await scene();
    await publish("block-0", { fence: Number.MAX_SAFE_INTEGER });
    await publish("block-0", { fence: 2 });
    expect(received).toEqual([{ sender: "block-0", fence: 2 }]);
  });
});
