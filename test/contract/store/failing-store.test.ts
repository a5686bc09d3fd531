import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { failingStore } from "../../support/failing-store.ts";
import { describeStoreContract } from "./store-contract.ts";

describeStoreContract("failingStore without faults", async () => {
  const clock = simulatedClock();
  const content = new Map<string, Uint8Array>();
  const open = async () => failingStore(await memoryStore({ clock, content }), () => undefined, clock);
  let store = await open();
  return {
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await open();
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
