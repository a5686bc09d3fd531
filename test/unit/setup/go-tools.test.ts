import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { stagingFolder, toolPath } from "../../../setup/cache-layout.ts";
import type { Exec } from "../../../setup/exec.ts";
import { buildTool } from "../../../setup/go-tools.ts";
import { TOOLS } from "../../../setup/pins.ts";
import { type FakeProgram, fakeHost, temporaryFolder } from "./fake-host.ts";

const tool = TOOLS["toxiproxy-server"];

/** Go that "builds" into GOBIN; every program that it built answers `answer`. */
function hostWithGo(answer: string | undefined) {
  const go: FakeProgram = async (args, options) => {
    if (args[0] === "install") await writeFile(join(options.env?.GOBIN ?? "", tool.program), "");
    return { stdout: "go version go1.26.0 linux/amd64" };
  };
  const host = fakeHost({ go });
  const exec: Exec = (program, args, options) =>
    program.endsWith(`/${tool.program}`)
      ? Promise.resolve({ outcome: "exited", code: answer === undefined ? 1 : 0, stdout: answer ?? "", stderr: "" })
      : host.exec(program, args, options);
  return { ...host, exec };
}

describe("buildTool", () => {
  it("puts the pinned version into the cache under the tool's own name", async () => {
    await using folder = await temporaryFolder();
    const host = hostWithGo("toxiproxy-server version 2.12.0");
    const path = await buildTool(tool, folder.path, host);
    expect(path).toBe(toolPath(folder.path, tool.name));
    expect(existsSync(path)).toBe(true);
    const install = host.calls.find(({ args }) => args[0] === "install");
    expect(install?.args.at(-1)).toBe(`${tool.packagePath}@v${tool.version}`);
    expect(install?.options.env).toMatchObject({ CGO_ENABLED: "0" });
    expect(await readdir(stagingFolder(folder.path))).toEqual([]);
  });

  it("keeps nothing of a build that does not run", async () => {
    await using folder = await temporaryFolder();
    await expect(buildTool(tool, folder.path, hostWithGo(undefined))).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(existsSync(toolPath(folder.path, tool.name))).toBe(false);
  });

  it("names the command that installs Go where there is none", async () => {
    await using folder = await temporaryFolder();
    await expect(buildTool(tool, folder.path, fakeHost({}))).rejects.toMatchObject({
      rule: "Go is not installed",
      remedy: expect.stringContaining("go1."),
    });
  });

  it("says why a build failed, and offers a newer Go only against an old one", async () => {
    await using folder = await temporaryFolder();
    const goThatSays = (stderr: string) =>
      fakeHost({ go: (args) => (args[0] === "install" ? { code: 1, stderr } : { stdout: "go1.21" }) });
    await expect(buildTool(tool, folder.path, goThatSays("go: x: 403 Forbidden"))).rejects.toMatchObject({
      rule: "go: x: 403 Forbidden",
      remedy: undefined,
    });
    await expect(
      buildTool(tool, folder.path, goThatSays("go: x requires go >= 1.25 (running go 1.21)")),
    ).rejects.toMatchObject({
      remedy: expect.stringContaining("go1."),
    });
  });
});
