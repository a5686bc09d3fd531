import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore, mirroredStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { describeStoreContract } from "./store-contract.ts";

describeStoreContract("MirroredStore", async () => {
  const clock = simulatedClock();
  const contents = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()];
  const open = async () => {
    const [local, shared] = await Promise.all(contents.map((content) => memoryStore({ clock, content })));
    if (local === undefined || shared === undefined) throw new TypeError("two stores");
    const mirrored = mirroredStore({ local, shared, log: silentLogger });
    const close = async (): Promise<void> => {
      await Promise.all([local.close(), shared.close()]);
    };
    return { ...mirrored, close, [Symbol.asyncDispose]: close };
  };
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
      for (const content of contents) {
        const file = content.get(`memory/blobs/${bucket}/${name}`);
        if (file !== undefined) file[1_000] = (file[1_000] ?? 0) ^ 1;
      }
    },
    async [Symbol.asyncDispose]() {
      await store.close();
    },
  };
});
