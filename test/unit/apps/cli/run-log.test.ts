import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openRunLog } from "../../../../src/apps/cli/run-log.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const FULL_DISK = "/dev/full";

describe("openRunLog", () => {
  it("writes one JSON line each, with the run's name and without credentials", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "logs", "run.log");
    {
      await using opened = openRunLog(path, "demo", () => undefined);
      opened.log.info({ server: "nats://ann:SECRET@host" }, "server away");
      opened.log.child({ actor: "block-0" }).error({ err: new Error("at nats://ann:SECRET@host") }, "failed");
    }
    const text = await readFile(path, "utf8");
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { run: "demo", server: "nats://host" },
      { run: "demo", actor: "block-0" },
    ]);
    expect(text).not.toContain("SECRET");
  });

  it.skipIf(!existsSync(FULL_DISK))("reports a full disk once and goes on", async () => {
    const lost: string[] = [];
    await using opened = openRunLog(FULL_DISK, "demo", ({ message }) => lost.push(message));
    const child = opened.log.child({ actor: "block-0" });
    for (let line = 0; line < 3; line += 1) {
      opened.log.info({}, "a line");
      child.info({}, "another");
    }
    expect(lost).toEqual([expect.stringContaining("ENOSPC")]);
  });
});
