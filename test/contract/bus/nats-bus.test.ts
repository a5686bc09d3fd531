import { connectNatsBus } from "../../../src/runtime/bus/index.ts";
import { describeWithNats, startTestNats } from "../../support/nats-server.ts";
import { describeBusContract } from "./bus-contract.ts";
import { CONTRACT_MAX_PAYLOAD_BYTES } from "./bus-harness.ts";

describeBusContract(
  "NatsBus",
  async () => {
    const server = await startTestNats({ maxPayloadBytes: CONTRACT_MAX_PAYLOAD_BYTES });
    const options = { servers: server.url, name: "contract", reconnectWaitMs: 20, reconnectJitterMs: 0 };
    return {
      connect: (onHandlerError) => connectNatsBus(options, onHandlerError === undefined ? {} : { onHandlerError }),
      interrupt: () => server.crash(),
      restore: () => server.restart(),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
  describeWithNats,
);
