import { connectNatsBus } from "../../../src/runtime/bus/index.ts";
import { describeWithNats, startTestNats } from "../../support/nats-server.ts";
import { describeStreamContract } from "./stream-contract.ts";
import { STREAM_MAX_PAYLOAD_BYTES } from "./stream-harness.ts";

describeStreamContract(
  "NatsBus",
  6,
  async () => {
    const server = await startTestNats({ maxPayloadBytes: STREAM_MAX_PAYLOAD_BYTES });
    const options = { servers: server.url, name: "contract", reconnectWaitMs: 20, reconnectJitterMs: 0 };
    return {
      connect: () => connectNatsBus(options),
      interrupt: () => server.crash(),
      restore: () => server.restart(),
      async settle(buses) {
        for (let hop = 0; hop < 2; hop += 1) for (const bus of buses) await bus.flush();
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
  describeWithNats,
);
