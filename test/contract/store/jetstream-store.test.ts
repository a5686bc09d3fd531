import { connectJetStreamStore } from "../../../src/runtime/store/index.ts";
import { connectNats } from "../../../src/runtime/nats/index.ts";
import { describeWithNats, startTestNats } from "../../support/nats-server.ts";
import { describeStoreContract } from "./store-contract.ts";

describeStoreContract(
  "JetStreamStore",
  async () => {
    const server = await startTestNats({ jetstream: true });
    const options = { servers: server.url, name: "contract", reconnectWaitMs: 20, reconnectJitterMs: 0 };
    let store = await connectJetStreamStore(options);
    return {
      get store() {
        return store;
      },
      async reopen() {
        await store.close();
        await server.restart();
        store = await connectJetStreamStore(options);
      },
      passTime: async () => undefined, // the server's own clock goes on
      async damageBlob(bucket, name) {
        // One chunk is put in the place of another: the stream is whole, the content is not.
        const { connection } = await connectNats(options);
        const manager = await connection.jetstreamManager();
        const subject = `$O.${bucket}.M.${name}`;
        const record = await manager.streams.getMessage(`OBJ_${bucket}`, { last_by_subj: subject });
        const { nuid } = record.json<{ nuid: string }>();
        const first = await manager.streams.getMessage(`OBJ_${bucket}`, { last_by_subj: `$O.${bucket}.C.${nuid}` });
        await manager.streams.deleteMessage(`OBJ_${bucket}`, first.seq);
        const data = first.data.slice();
        data[0] = (data[0] ?? 0) ^ 1;
        await connection.jetstream().publish(`$O.${bucket}.C.${nuid}`, data);
        await connection.close();
      },
      async [Symbol.asyncDispose]() {
        await store.close();
        await server[Symbol.asyncDispose]();
      },
    };
  },
  describeWithNats,
);
