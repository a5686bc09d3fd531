import { open } from "node:fs/promises";
import { join } from "node:path";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { fileStore } from "../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { describeStoreContract } from "./store-contract.ts";

describeStoreContract("FileStore", async () => {
  const folder = await temporaryFolder();
  const clock = simulatedClock();
  let store = await fileStore({ directory: folder.path, clock });
  return {
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await fileStore({ directory: folder.path, clock });
    },
    passTime: (delayMs) => clock.advance(delayMs),
    async damageBlob(bucket, name) {
      const file = await open(join(folder.path, "blobs", bucket, name), "r+");
      const { buffer } = await file.read(new Uint8Array(1), 0, 1, 1_000);
      await file.write(new Uint8Array([(buffer[0] ?? 0) ^ 1]), 0, 1, 1_000);
      await file.close();
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await folder[Symbol.asyncDispose]();
    },
  };
});
