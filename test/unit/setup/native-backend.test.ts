import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { addonPath, libraryFolder } from "../../../setup/cache-layout.ts";
import { LIBRARY_FILES } from "../../../setup/libtensorflow-wheel.ts";
import { installNativeBackend } from "../../../setup/native-backend.ts";
import { type FakeProgram, fakeHost, temporaryFolder } from "./fake-host.ts";

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

const ADDON = join("lib", "napi-v8", "tfjs_binding.node");
const packageIn = (root: string) => join(root, "node_modules", "@tensorflow", "tfjs-node");

async function installPackage(root: string): Promise<void> {
  await put(join(packageIn(root), "package.json"), JSON.stringify({ version: "4.22.0" }));
  await put(join(packageIn(root), "node_modules", "@mapbox", "node-pre-gyp", "package.json"), "{}");
}

async function cacheLibrary(cache: string): Promise<void> {
  const folder = libraryFolder(cache, "2.21.0", "linux", "x64");
  for (const name of LIBRARY_FILES) await put(join(folder, name), name);
  await put(
    join(folder, "files.json"),
    JSON.stringify(Object.fromEntries(LIBRARY_FILES.map((name) => [name, name.length]))),
  );
}

const cachedAddon = (cache: string) =>
  addonPath(cache, {
    packageVersion: "4.22.0",
    libraryVersion: "2.21.0",
    platform: "linux",
    arch: "x64",
    modules: "115",
  });

/** Node in its three parts: the probe passes with an addon in `root` that says "good"; the build makes one. */
function node(root: string, log: string[], ownDownloadWorks = false): FakeProgram {
  return async (args) => {
    const addon = join(packageIn(root), ADDON);
    if (args[0] === "-e") {
      log.push("probe");
      const isGood = existsSync(addon) && (await readFile(addon, "utf8")) === "good";
      return isGood ? { stdout: 'PROBE {"library":"2.21.0"}\n' } : { code: 1, stderr: "no addon" };
    }
    if (args[0] === "scripts/install.js") {
      log.push("own");
      if (!ownDownloadWorks) return { code: 1, stderr: "403" };
    } else {
      log.push("build");
    }
    await put(addon, "good");
    return {};
  };
}

const tools = { "g++": () => ({}), make: () => ({}), python3: () => ({}) };

describe("installNativeBackend", () => {
  it("does nothing where it works already", async () => {
    await using folder = await temporaryFolder();
    await installPackage(folder.path);
    await put(join(packageIn(folder.path), ADDON), "good");
    const log: string[] = [];
    const probe = await installNativeBackend(folder.path, folder.path, fakeHost({ node: node(folder.path, log) }));
    expect(probe).toMatchObject({ state: "present", libraryVersion: "2.21.0" });
    expect(log).toEqual(["probe"]);
  });

  it("needs no network and no compiler with library and addon in the cache", async () => {
    await using folder = await temporaryFolder();
    const cache = join(folder.path, "cache");
    await installPackage(folder.path);
    await cacheLibrary(cache);
    await put(cachedAddon(cache), "good");
    const log: string[] = [];
    await installNativeBackend(folder.path, cache, fakeHost({ node: node(folder.path, log) }));
    expect(log).toEqual(["probe", "probe"]);
  });

  it("rebuilds a cached addon that does not load here", async () => {
    await using folder = await temporaryFolder();
    const cache = join(folder.path, "cache");
    await installPackage(folder.path);
    await cacheLibrary(cache);
    await put(cachedAddon(cache), "for another system");
    const log: string[] = [];
    await installNativeBackend(folder.path, cache, fakeHost({ ...tools, node: node(folder.path, log) }));
    expect(log).toEqual(["probe", "probe", "build", "probe"]);
  });

  it("tries the package's own download before the wheel", async () => {
    await using folder = await temporaryFolder();
    await installPackage(folder.path);
    const log: string[] = [];
    await installNativeBackend(
      folder.path,
      join(folder.path, "cache"),
      fakeHost({ node: node(folder.path, log, true) }),
    );
    expect(log).toEqual(["probe", "own", "probe"]);
  });

  it("says what is missing when no route is left", async () => {
    await using folder = await temporaryFolder();
    await installPackage(folder.path);
    const installing = installNativeBackend(
      folder.path,
      join(folder.path, "cache"),
      fakeHost({ node: node(folder.path, []) }),
    );
    await expect(installing).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      remedy: expect.stringContaining("python3-pip"),
    });
  });

  it("points to a mirror on a platform without wheels", async () => {
    await using folder = await temporaryFolder();
    await installPackage(folder.path);
    const host = fakeHost({ node: node(folder.path, []) }, { platform: "darwin", arch: "arm64" });
    await expect(installNativeBackend(folder.path, join(folder.path, "cache"), host)).rejects.toMatchObject({
      value: "darwin arm64",
      remedy: expect.stringContaining("TFJS_NODE_BASE_URI"),
    });
  });
});
