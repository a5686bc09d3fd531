import { existsSync } from "node:fs";
import { mkdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { LIBRARY_FILES } from "../../../setup/libtensorflow-wheel.ts";
import { buildAddon, linkLibrary, placeAddon, runOwnInstallScript } from "../../../setup/tfjs-node-addon.ts";
import { type FakeProgram, fakeHost, temporaryFolder } from "./fake-host.ts";

const ADDON = join("lib", "napi-v8", "tfjs_binding.node");

async function put(path: string, content: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

describe("linkLibrary", () => {
  it("offers the libraries under every name that tfjs-node and its linker use", async () => {
    await using folder = await temporaryFolder();
    const library = join(folder.path, "library");
    for (const name of LIBRARY_FILES) await put(join(library, name), name);
    await linkLibrary(folder.path, library);
    const lib = join(folder.path, "deps", "lib");
    for (const name of ["libtensorflow_cc.so.2", "libtensorflow.so", "libtensorflow.so.2.9.1"]) {
      expect(await readFile(join(lib, name), "utf8")).toBe(LIBRARY_FILES[0]);
    }
    expect(await readFile(join(lib, "libtensorflow_framework.so"), "utf8")).toBe(LIBRARY_FILES[1]);
    expect((await stat(join(lib, LIBRARY_FILES[0]))).nlink).toBe(2); // no second copy of 790 MB
    expect(await readlink(join(folder.path, "deps", "include"))).toBe(join(library, "include"));
  });

  it("replaces what an earlier attempt left", async () => {
    await using folder = await temporaryFolder();
    for (const name of LIBRARY_FILES) await put(join(folder.path, "library", name), name);
    await put(join(folder.path, "deps", "lib", "libtensorflow.so"), "half a download");
    await linkLibrary(folder.path, join(folder.path, "library"));
    expect(await readFile(join(folder.path, "deps", "lib", "libtensorflow.so"), "utf8")).toBe(LIBRARY_FILES[0]);
  });
});

describe("runOwnInstallScript", () => {
  it("leaves the package as it was when the download fails", async () => {
    await using folder = await temporaryFolder();
    const manifest = await put(join(folder.path, "package.json"), "original");
    const node: FakeProgram = async () => {
      await put(join(folder.path, "package.json"), "rewritten by the script");
      await put(join(folder.path, "deps", "part"), "");
      return { code: 1, stderr: "Error: 403" };
    };
    await expect(runOwnInstallScript(folder.path, fakeHost({ node }))).rejects.toMatchObject({ rule: "Error: 403" });
    expect(await readFile(manifest, "utf8")).toBe("original");
    expect(existsSync(join(folder.path, "deps"))).toBe(false);
  });

  it("does not believe a script that ends well without an addon", async () => {
    await using folder = await temporaryFolder();
    await put(join(folder.path, "package.json"), "{}");
    await expect(runOwnInstallScript(folder.path, fakeHost({ node: () => ({}) }))).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
    });
  });

  it("bounds the time it may take", async () => {
    await using folder = await temporaryFolder();
    await put(join(folder.path, "package.json"), "{}");
    const host = fakeHost({ node: () => ({ outcome: "timed-out", code: undefined }) });
    await expect(runOwnInstallScript(folder.path, host)).rejects.toMatchObject({ rule: "it took too long" });
    expect(host.calls[0]?.options.timeoutMs).toBeGreaterThan(0);
  });
});

describe("buildAddon", () => {
  const tools = { "g++": () => ({}), make: () => ({}), python3: () => ({}) };
  const withPreGyp = (folder: string) =>
    put(join(folder, "node_modules", "@mapbox", "node-pre-gyp", "package.json"), "{}");

  it("keeps a copy for the next checkout, which placeAddon puts into place", async () => {
    await using folder = await temporaryFolder();
    await withPreGyp(folder.path);
    const cached = join(folder.path, "cache", "tfjs_binding.node");
    const node: FakeProgram = async () => {
      await put(join(folder.path, ADDON), "machine code");
      return undefined;
    };
    const host = fakeHost({ ...tools, node });
    await buildAddon(folder.path, cached, host);
    const other = join(folder.path, "other");
    expect(await placeAddon(other, cached, host)).toBe(true);
    expect(await readFile(join(other, ADDON), "utf8")).toBe("machine code");
  });

  it("names what is missing of a compiler", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({ python3: () => ({}) });
    await expect(buildAddon(folder.path, join(folder.path, "c"), host)).rejects.toMatchObject({
      rule: "g++, make not installed",
      remedy: "apt-get install -y build-essential python3",
    });
  });

  it("spares node-gyp the download of headers that lie beside Node", async () => {
    await using folder = await temporaryFolder();
    await withPreGyp(folder.path);
    await put(join(folder.path, "include", "node", "node_api.h"), "");
    const executable = join(folder.path, "bin", "node");
    const host = fakeHost(
      {
        ...tools,
        [executable]: async () => {
          await put(join(folder.path, ADDON), "");
          return undefined;
        },
      },
      { node: { executable, version: "20.20.2", modules: "115", napi: 9 } },
    );
    await buildAddon(folder.path, join(folder.path, "cached.node"), host);
    expect(host.calls.at(-1)?.options.env).toMatchObject({ npm_config_nodedir: folder.path });
  });
});

describe("placeAddon", () => {
  it("says so when nothing is cached", async () => {
    await using folder = await temporaryFolder();
    expect(await placeAddon(folder.path, join(folder.path, "none"), fakeHost({}))).toBe(false);
  });
});
