import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { toolPath } from "../../../setup/cache-layout.ts";
import { isAtLeast, locateTool, versionIn } from "../../../setup/locate-tool.ts";
import { temporaryFolder } from "./fake-host.ts";

async function program(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, "#!/bin/sh\n");
  await chmod(path, 0o755);
  return path;
}

const answers = (text: string | undefined) => () => text;

describe("locateTool", () => {
  it("takes the environment's word before the cache", async () => {
    await using folder = await temporaryFolder();
    await program(toolPath(join(folder.path, "cache"), "nats-server"));
    const own = await program(join(folder.path, "own-server"));
    const env = { KN_CACHE: join(folder.path, "cache"), KN_NATS_SERVER: own };
    expect(locateTool("nats-server", env, answers(undefined))).toBe(own);
  });

  it("refuses an override that cannot be run", async () => {
    await using folder = await temporaryFolder();
    const env = { KN_CACHE: folder.path, KN_TOXIPROXY_SERVER: join(folder.path, "gone") };
    expect(() => locateTool("toxiproxy-server", env)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });

  it("takes what setup built before PATH", async () => {
    await using folder = await temporaryFolder();
    const built = await program(toolPath(folder.path, "nats"));
    await program(join(folder.path, "path", "nats"));
    const env = { KN_CACHE: folder.path, PATH: join(folder.path, "path") };
    expect(locateTool("nats", env, answers("0.9.9"))).toBe(built);
  });

  it("takes a nats-server of PATH from 2.12 on only", async () => {
    await using folder = await temporaryFolder();
    const old = await program(join(folder.path, "old", "nats-server"));
    const recent = await program(join(folder.path, "recent", "nats-server"));
    const env = { KN_CACHE: join(folder.path, "cache"), PATH: `${dirname(old)}:${dirname(recent)}` };
    const ask = (path: string) => (path === old ? "nats-server: v2.9.10" : "nats-server: v2.12.2");
    expect(locateTool("nats-server", env, ask)).toBe(recent);
    expect(locateTool("nats-server", { ...env, PATH: dirname(old) }, ask)).toBeUndefined();
  });

  it("passes over a program of PATH that does not run", async () => {
    await using folder = await temporaryFolder();
    const env = {
      KN_CACHE: join(folder.path, "cache"),
      PATH: dirname(await program(join(folder.path, "bin", "nats"))),
    };
    expect(locateTool("nats", env, answers(undefined))).toBeUndefined();
  });
});

describe("isAtLeast", () => {
  it.each([
    ["2.12.0", "2.12.0", true],
    ["2.9.10", "2.12.0", false],
    ["2.12.15", "2.12.2", true],
    ["3.0", "2.12.9", true],
    ["?", "2.12.0", false],
  ])("%s against %s: %s", (version, oldest, verdict) => {
    expect(isAtLeast(version, oldest)).toBe(verdict);
  });
});

describe("versionIn", () => {
  it("finds the first version number", () => {
    expect(versionIn("go version go1.26.8 linux/amd64")).toBe("1.26.8");
    expect(versionIn("development")).toBeUndefined();
  });
});
