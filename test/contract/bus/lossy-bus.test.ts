import { createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { type LossyBus, lossyBus } from "../../support/lossy-bus.ts";
import { describeBusContract } from "./bus-contract.ts";
import { CONTRACT_MAX_PAYLOAD_BYTES } from "./bus-harness.ts";

describeBusContract("lossyBus without losses", async () => {
  const broker = createMemoryBroker({ maxPayloadBytes: CONTRACT_MAX_PAYLOAD_BYTES });
  const connections: LossyBus[] = [];
  return {
    async connect(onHandlerError) {
      const deps = { clock: systemClock(), ...(onHandlerError === undefined ? {} : { onHandlerError }) };
      const connection = lossyBus(broker, { draw: () => 0 }, deps);
      connections.push(connection);
      return connection.bus;
    },
    interrupt: async () => {
      for (const { disconnect } of connections) disconnect();
    },
    restore: async () => {
      for (const { reconnect } of connections) reconnect();
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
});
