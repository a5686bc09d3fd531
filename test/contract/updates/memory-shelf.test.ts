import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { describeUpdateShelfContract } from "./update-shelf-contract.ts";

describeUpdateShelfContract("openUpdateShelf in memory", async () => {
  const store = await memoryStore({ clock: simulatedClock() });
  return { open: () => Promise.resolve(store), [Symbol.asyncDispose]: () => store.close() };
});
