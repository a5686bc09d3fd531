import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { npmCommand, restoreTfjsNode, withoutCommandSettings } from "../../../setup/tfjs-node-package.ts";
import { type FakeProgram, fakeHost, temporaryFolder } from "./fake-host.ts";

async function write(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(content));
}

/** What npm would make of the staging folder: tfjs-node, the stand-in, and dependencies, one with its own nested copy. */
const INSTALLED: Readonly<Record<string, string>> = {
  "@tensorflow/tfjs-node": "4.22.0",
  "@tensorflow/tfjs-node/node_modules/@tensorflow/tfjs": "stand-in",
  "@mapbox/node-pre-gyp": "1.0.9",
  tar: "6.2.1",
  "tar/node_modules/minipass": "5.0.0",
};

const npm: FakeProgram = async (_, { cwd = "" }) => {
  for (const [path, version] of Object.entries(INSTALLED)) {
    await write(join(cwd, "node_modules", path, "package.json"), { version });
  }
  await write(join(cwd, "node_modules", ".package-lock.json"), {});
  await write(join(cwd, "node_modules", ".bin", "node-pre-gyp"), {});
  return {};
};

async function project(root: string): Promise<void> {
  await write(join(root, "package.json"), { optionalDependencies: { "@tensorflow/tfjs-node": "4.22.0" } });
  await write(join(root, "package-lock.json"), { lock: true });
  await write(join(root, "node_modules", "@tensorflow", "tfjs", "package.json"), { version: "4.22.0" });
  await write(join(root, "node_modules", "tar", "package.json"), { version: "7.0.0" });
}

async function files(root: string): Promise<readonly string[]> {
  return (await readdir(root, { recursive: true })).sort();
}

describe("restoreTfjsNode", () => {
  it("adds its one folder and changes nothing else", async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, "project");
    await project(root);
    const before = await files(root);
    const restored = await restoreTfjsNode(root, join(folder.path, "cache"), fakeHost({ npm }));
    expect(restored).toBe(join(root, "node_modules", "@tensorflow", "tfjs-node"));
    const own = join("node_modules", "@tensorflow", "tfjs-node");
    expect((await files(root)).filter((path) => path !== own && !path.startsWith(own + "/"))).toEqual(before);
    expect(await readFile(join(root, "node_modules", "tar", "package.json"), "utf8")).toContain("7.0.0");
  });

  it("takes its dependencies along, nested ones included, but shares @tensorflow/tfjs with the project", async () => {
    await using folder = await temporaryFolder();
    await project(folder.path);
    const restored = await restoreTfjsNode(folder.path, join(folder.path, "cache"), fakeHost({ npm }));
    expect((await readdir(join(restored, "node_modules"))).sort()).toEqual(["@mapbox", "tar"]);
    expect(existsSync(join(restored, "node_modules", "tar", "node_modules", "minipass", "package.json"))).toBe(true);
  });

  it("lets npm pick the locked versions without running scripts", async () => {
    await using folder = await temporaryFolder();
    await project(folder.path);
    let lock = "";
    const host = fakeHost({
      npm: async (args, options) => {
        lock = await readFile(join(options.cwd ?? "", "package-lock.json"), "utf8");
        return npm(args, options);
      },
    });
    await restoreTfjsNode(folder.path, join(folder.path, "cache"), host);
    expect(lock).toContain("lock");
    expect(host.calls[0]?.args).toContain("--ignore-scripts");
  });

  it("leaves no trace when npm fails", async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, "project");
    await project(root);
    const before = await files(root);
    const host = fakeHost({ npm: () => ({ code: 1, stderr: "npm error code E404" }) });
    await expect(restoreTfjsNode(root, join(folder.path, "cache"), host)).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
    });
    expect(await files(root)).toEqual(before);
  });

  it("asks for npm install where @tensorflow/tfjs is not there either", async () => {
    await using folder = await temporaryFolder();
    await expect(restoreTfjsNode(folder.path, folder.path, fakeHost({ npm }))).rejects.toMatchObject({
      remedy: "npm install",
    });
  });
});

describe("withoutCommandSettings", () => {
  it("drops what belongs to the outer npm command and keeps where and how packages are reached", () => {
    const kept = {
      npm_config_registry: "r",
      npm_config_cafile: "c",
      npm_config_cache: "d",
      npm_config_https_proxy: "p",
      PATH: "/bin",
    };
    const dropped = {
      npm_config_omit: "dev",
      npm_config_global: "true",
      npm_config_local_prefix: "/x",
      npm_command: "ci",
      npm_lifecycle_event: "prepare",
      npm_config_save_exact: "true",
      npm_config_ignore_scripts: "",
    };
    expect(withoutCommandSettings({ ...kept, ...dropped })).toEqual(kept);
  });
});

describe("npmCommand", () => {
  it("uses the npm that runs us, but no other package manager", () => {
    expect(npmCommand(fakeHost({}, { env: { npm_execpath: "/n/bin/npm-cli.js" } }))).toEqual([
      "node",
      "/n/bin/npm-cli.js",
    ]);
    expect(npmCommand(fakeHost({}, { env: { npm_execpath: "/y/yarn.js" } }))).toEqual(["npm"]);
  });
});
