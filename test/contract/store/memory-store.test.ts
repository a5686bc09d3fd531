import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { describeStoreContract } from "./store-contract.ts";

describeStoreContract("MemoryStore", async () => {
  const clock = simulatedClock();
  const content = new Map<string, Uint8Array>();
  let store = await memoryStore({ clock, content });
  return {
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await memoryStore({ clock, content });
    },
    passTime: (delayMs) => clock.advance(delayMs),
    async damageBlob(bucket, name) {
      const file = content.get(`memory/blobs/${bucket}/${name}`);
      if (file !== undefined) file[1_000] = (file[1_000] ?? 0) ^ 1;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
    },
  };
});
