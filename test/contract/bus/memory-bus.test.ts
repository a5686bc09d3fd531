import { createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { describeBusContract } from "./bus-contract.ts";
import { CONTRACT_MAX_PAYLOAD_BYTES } from "./bus-harness.ts";

describeBusContract("MemoryBus", async () => {
  const broker = createMemoryBroker({ maxPayloadBytes: CONTRACT_MAX_PAYLOAD_BYTES });
  return {
    connect: async (onHandlerError) => broker.connect(onHandlerError === undefined ? {} : { onHandlerError }),
    interrupt: async () => {
      broker.interrupt();
    },
    restore: async () => {
      broker.restore();
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
});
