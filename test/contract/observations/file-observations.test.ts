import { systemClock } from "../../../src/runtime/clock/index.ts";
import { fileStore, memoryStore, mirroredStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { describeObservationLog } from "./observation-log-contract.ts";

describeObservationLog("a folder", async () => {
  const folder = await temporaryFolder();
  const store = await fileStore({ directory: folder.path });
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store.close();
      await folder[Symbol.asyncDispose]();
    },
  };
});

describeObservationLog("a mirrored store", async () => {
  const clock = systemClock();
  const [local, shared] = await Promise.all([memoryStore({ clock }), memoryStore({ clock })]);
  return {
    store: mirroredStore({ local, shared, log: silentLogger }),
    async [Symbol.asyncDispose]() {
      await Promise.all([local.close(), shared.close()]);
    },
  };
});
