import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { addonPath, cacheRoot, toolPath } from "../../../setup/cache-layout.ts";

describe("cacheRoot", () => {
  it("prefers KN_CACHE, then XDG_CACHE_HOME, then the home folder", () => {
    expect(cacheRoot({ KN_CACHE: "/k", XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe("/k");
    expect(cacheRoot({ XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe(join("/x", "knowledgenet"));
    expect(cacheRoot({ HOME: "/h" })).toBe(join("/h", ".cache", "knowledgenet"));
  });

  it("takes an empty variable as unset", () => {
    expect(cacheRoot({ KN_CACHE: "", XDG_CACHE_HOME: "", HOME: "/h" })).toBe(join("/h", ".cache", "knowledgenet"));
  });

  it("needs no home folder with KN_CACHE, and names the variables without either", () => {
    const homeless = (): string => {
      throw new Error("uv_os_homedir returned ENOENT");
    };
    expect(cacheRoot({ KN_CACHE: "/k" }, homeless)).toBe("/k");
    expect(() => cacheRoot({}, homeless)).toThrow(/KN_CONFIG: .*set HOME or KN_CACHE/);
  });

  it("is absolute for a relative KN_CACHE", () => {
    expect(cacheRoot({ KN_CACHE: "here" })).toBe(resolve("here"));
  });
});

describe("toolPath", () => {
  it("carries the version, so that another pin is another file", () => {
    expect(toolPath("/c", "nats-server")).toMatch(/nats-server-\d+\.\d+\.\d+.nats-server$/);
  });
});

describe("addonPath", () => {
  it("differs by Node ABI, libtensorflow and architecture", () => {
    const key = { packageVersion: "4.22.0", libraryVersion: "2.21.0", platform: "linux", arch: "x64", modules: "115" };
    const paths = [
      key,
      { ...key, modules: "127" },
      { ...key, libraryVersion: "2.22.0" },
      { ...key, arch: "arm64" },
    ].map((each) => addonPath("/c", each));
    expect(new Set(paths).size).toBe(4);
  });
});
