import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { describeObservationLog } from "./observation-log-contract.ts";

describeObservationLog("memory", async () => {
  const store = await memoryStore({ clock: simulatedClock() });
  return { store, [Symbol.asyncDispose]: () => store.close() };
});
