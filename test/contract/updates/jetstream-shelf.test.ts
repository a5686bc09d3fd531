import { connectJetStreamStore, type Store } from "../../../src/runtime/store/index.ts";
import { describeWithNats, startTestNats } from "../../support/nats-server.ts";
import { describeUpdateShelfContract } from "./update-shelf-contract.ts";

describeUpdateShelfContract(
  "openUpdateShelf in JetStream",
  async () => {
    const server = await startTestNats({ jetstream: true });
    const stores: Store[] = [];
    return {
      async open() {
        const store = await connectJetStreamStore({ servers: server.url, name: "contract" });
        stores.push(store);
        return store;
      },
      async [Symbol.asyncDispose]() {
        for (const store of stores) await store.close();
        await server[Symbol.asyncDispose]();
      },
    };
  },
  describeWithNats,
);
