import { expect, it } from "vitest";
import { siteObservations } from "../../../../src/apps/follow/site-observations.ts";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { type ObservationEntry, openObservationLog } from "../../../../src/models/observations/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";
import { observedInput } from "../../messages/observation/observation-samples.ts";

const away = new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "connect", rule: "the site must answer" });

it("siteObservations reads once the site's store answers, which is opened once", async () => {
  const store = await memoryStore({ clock: simulatedClock() });
  await (await openObservationLog(store, "digits")).append(observedInput);
  let [opens, isAway] = [0, true];
  const site = {
    open() {
      opens += 1;
      return isAway ? Promise.reject(away) : Promise.resolve(store);
    },
  };
  const observations = siteObservations(site, "digits");
  const look = async (from = 0): Promise<ObservationEntry[]> => {
    const entries: ObservationEntry[] = [];
    for await (const entry of observations.read({ from })) entries.push(entry);
    return entries;
  };
  await expect(look()).rejects.toBe(away);
  await expect(look()).rejects.toBe(away);
  isAway = false;
  const [first] = await look();
  expect(first?.observation).toEqual(observedInput);
  expect(await look((first?.position ?? 0) + 1)).toEqual([]);
  expect(opens).toBe(3);
});
