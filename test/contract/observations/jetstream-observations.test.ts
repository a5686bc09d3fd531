import { connectJetStreamStore } from "../../../src/runtime/store/index.ts";
import { describeWithNats, startTestNats } from "../../support/nats-server.ts";
import { describeObservationLog } from "./observation-log-contract.ts";

describeObservationLog(
  "JetStream",
  async () => {
    const server = await startTestNats({ jetstream: true });
    const store = await connectJetStreamStore({ servers: server.url, name: "contract" });
    return {
      store,
      async [Symbol.asyncDispose]() {
        await store.close();
        await server[Symbol.asyncDispose]();
      },
    };
  },
  describeWithNats,
);
