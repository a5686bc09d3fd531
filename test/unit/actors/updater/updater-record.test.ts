import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { storedRecord } from "../../../../src/actors/updater/updater-record.ts";
import { NO_RECORD } from "../../../../src/actors/updater/updater-state.ts";
import { folderModels } from "../../../../src/apps/models/index.ts";
import { type ModelStore, modelsInStore } from "../../../../src/models/index.ts";
import { simulatedClock, systemClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";
import { failingStore, failTimes, switchedFaults } from "../../../support/failing-store.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const RECORD = { ...NO_RECORD, kept: [{ number: 1, digest: "a", release: 1 }], newest: 1 };

async function withModels(place: "memory" | "folder", work: (models: ModelStore) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  await using models =
    place === "memory"
      ? modelsInStore(await memoryStore({ clock: simulatedClock() }))
      : folderModels({ directory: join(folder.path, "models") }, { clock: systemClock() });
  await work(models);
}

describe.each(["memory", "folder"] as const)("storedRecord, models in a %s", (place) => {
  it("reads nothing at first, then what was written, by whatever process", () =>
    withModels(place, async (models) => {
      const [here, there] = [storedRecord(models, "digits"), storedRecord(models, "digits")];
      expect(await here.read()).toEqual(NO_RECORD);
      await here.write(RECORD);
      await here.write({ ...RECORD, newest: 2 });
      expect(await there.read()).toEqual({ ...RECORD, newest: 2 });
      expect(await storedRecord(models, "other").read()).toEqual(NO_RECORD);
    }));

  it("rejects with KN_FENCED a write over what another one wrote, until it is read", () =>
    withModels(place, async (models) => {
      const [here, there] = [storedRecord(models, "digits"), storedRecord(models, "digits")];
      await expect(here.write(RECORD)).rejects.toMatchObject({ code: "KN_FENCED" });
      await here.read();
      await there.read();
      await there.write(RECORD);
      await expect(here.write(RECORD)).rejects.toMatchObject({ code: "KN_FENCED" });
      await here.read();
      await here.write({ ...RECORD, newest: 3 });
      expect(await there.read()).toMatchObject({ newest: 3 });
    }));
});

it("storedRecord rejects a write after one without an answer, until it is read", async () => {
  const clock = simulatedClock();
  const faults = switchedFaults();
  const stored = storedRecord(modelsInStore(failingStore(await memoryStore({ clock }), faults, clock)), "digits");
  await stored.read();
  faults.now = failTimes(1, { operation: "create" }, { kind: "unanswered" });
  await expect(stored.write(RECORD)).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  await expect(stored.write(RECORD)).rejects.toMatchObject({ code: "KN_FENCED" });
  expect(await stored.read()).toEqual(RECORD);
  await stored.write(NO_RECORD);
});
