import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { folderModels } from "../../../src/apps/models/index.ts";
import { openModel } from "../../../src/models/index.ts";
import { simulatedClock, systemClock } from "../../../src/runtime/clock/index.ts";
import { fileStore } from "../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { BY, FACTS, loadAll, weights } from "../../unit/models/model-scene.ts";
import { describeModelStoreContract } from "./model-store-contract.ts";

describeModelStoreContract("folderModels", async () => {
  const folder = await temporaryFolder();
  return {
    open: () => Promise.resolve(folderModels({ directory: join(folder.path, "models") }, { clock: systemClock() })),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
});

describe("folderModels", () => {
  it("keeps the folder open only while it is used", async () => {
    await using folder = await temporaryFolder();
    await using models = folderModels({ directory: folder.path }, { clock: systemClock() });
    await models.use(() => Promise.resolve());
    await using _other = await fileStore({ directory: folder.path });
  });

  it("waits for a process that has it open, and rejects with KN_UNAVAILABLE when that takes too long", async () => {
    await using folder = await temporaryFolder();
    const clock = simulatedClock();
    await using models = folderModels({ directory: folder.path }, { clock });
    const holder = await fileStore({ directory: folder.path });
    const passTime = async (work: Promise<unknown>): Promise<void> => {
      let isSettled = false;
      const settled = work.then(
        () => (isSettled = true),
        () => (isSettled = true),
      );
      while (!isSettled) {
        await clock.advance(1_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await settled;
    };
    const tooLong = models.use(() => Promise.resolve("opened"));
    await passTime(tooLong);
    await expect(tooLong).rejects.toThrow(/KN_UNAVAILABLE.*one process at a time/);
    const inTime = models.use(() => Promise.resolve("opened"));
    await holder.close();
    await passTime(inTime);
    expect(await inTime).toBe("opened");
  });

  it("reads while another process has it open", async () => {
    await using folder = await temporaryFolder();
    const directory = join(folder.path, "models");
    await using models = folderModels({ directory }, { clock: systemClock() });
    const model = openModel(models, "digits", { clock: systemClock() });
    const { release } = await model.publish(FACTS, weights(1));
    await model.promote(release, BY);
    await using _holder = await fileStore({ directory });
    expect((await model.live()).live).toBe(release);
    expect(await loadAll(model, release)).toEqual(weights(1));
    expect(await model.history()).toHaveLength(1);
  });

  it("rejects at once where no store can be", async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, "file"), "");
    await mkdir(join(folder.path, "other"));
    await using models = folderModels({ directory: join(folder.path, "file") }, { clock: simulatedClock() });
    await expect(models.use(() => Promise.resolve())).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  });
});
