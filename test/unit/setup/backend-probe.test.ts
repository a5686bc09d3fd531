import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { probeBackend } from "../../../setup/backend-probe.ts";
import { spawnExec } from "../../../setup/exec.ts";
import { PACKAGE_ROOT } from "../../../setup/installed-package.ts";
import { fakeHost, temporaryFolder } from "./fake-host.ts";

const real = {
  ...fakeHost({}, { env: process.env, node: { executable: process.execPath, version: "20", modules: "115", napi: 9 } }),
  exec: spawnExec,
};

async function install(root: string, script: string): Promise<void> {
  const folder = join(root, "node_modules", "@tensorflow", "tfjs-node");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ version: "4.22.0", main: "main.js" }));
  await writeFile(join(folder, "main.js"), script);
}

describe("probeBackend", () => {
  it.each(["cpu", "wasm"] as const)("computes on the %s backend", async (name) => {
    expect(await probeBackend(name, PACKAGE_ROOT, real)).toMatchObject({ state: "present", packageVersion: "4.22.0" });
  });

  it("calls a package that cannot be loaded degraded, with its reason", async () => {
    await using folder = await temporaryFolder();
    await install(folder.path, "throw new Error('the addon can not be found\\nand much more')");
    expect(await probeBackend("native", folder.path, real)).toMatchObject({
      state: "degraded",
      packageVersion: "4.22.0",
      reason: "the addon can not be found",
    });
  });

  it("survives a library that ends the process", async () => {
    await using folder = await temporaryFolder();
    await install(folder.path, "process.abort()");
    expect(await probeBackend("native", folder.path, real)).toMatchObject({ state: "degraded" });
  });

  it("calls a package that is not there absent without running anything", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({});
    expect(await probeBackend("native", folder.path, host)).toMatchObject({
      state: "absent",
      packageVersion: undefined,
    });
    expect(host.calls).toEqual([]);
  });
});
