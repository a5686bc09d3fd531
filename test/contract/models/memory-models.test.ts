import { modelsInStore } from "../../../src/models/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { describeModelStoreContract } from "./model-store-contract.ts";

describeModelStoreContract("modelsInStore in memory", async () => {
  const store = await memoryStore({ clock: simulatedClock() });
  return {
    open: () => Promise.resolve(modelsInStore(store)),
    [Symbol.asyncDispose]: () => store.close(),
  };
});
