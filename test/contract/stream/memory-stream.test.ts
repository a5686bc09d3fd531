import { createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { describeStreamContract } from "./stream-contract.ts";
import { STREAM_MAX_PAYLOAD_BYTES } from "./stream-harness.ts";

describeStreamContract("MemoryBus", Number(process.env["KN_STREAM_RUNS"] ?? 150), async () => {
  const broker = createMemoryBroker({ maxPayloadBytes: STREAM_MAX_PAYLOAD_BYTES });
  return {
    connect: async () => broker.connect(),
    interrupt: async () => {
      broker.interrupt();
    },
    restore: async () => {
      broker.restore();
    },
    async settle(buses) {
      for (let hop = 0; hop < 2; hop += 1) for (const bus of buses) await bus.flush();
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
});
