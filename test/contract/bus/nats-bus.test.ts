import { connectNatsBus } from "../../../src/runtime/bus/index.ts";
import { describeWithNats, startTestNats } from "../../support/nats-server.ts";
import { CONTRACT_MAX_PAYLOAD_BYTES, describeBusContract } from "./bus-contract.ts";

describeWithNats("NatsBus", () => {
  describeBusContract(async () => {
    const server = await startTestNats({ maxPayloadBytes: CONTRACT_MAX_PAYLOAD_BYTES });
    return {
      connect: (onHandlerError) =>
        connectNatsBus(
          { servers: server.url, name: "contract", reconnectWaitMs: 20, reconnectJitterMs: 0 },
          onHandlerError === undefined ? {} : { onHandlerError },
        ),
      interrupt: () => server.crash(),
      restore: () => server.restart(),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
});
