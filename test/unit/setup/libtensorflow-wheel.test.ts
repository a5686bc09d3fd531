import { createHash } from "node:crypto";
import { mkdir, readdir, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { libraryFolder } from "../../../setup/cache-layout.ts";
import { cachedLibrary, fetchLibrary, LIBRARY_FILES, wheelFor } from "../../../setup/libtensorflow-wheel.ts";
import type { WheelPin } from "../../../setup/pins.ts";
import { type FakeProgram, fakeHost, temporaryFolder } from "./fake-host.ts";

const CONTENT = "a wheel";
const wheel: WheelPin = {
  distribution: "tensorflow-cpu",
  version: "2.21.0",
  pythonVersion: "3.12",
  platform: "manylinux_2_27_x86_64",
  sha256: createHash("sha256").update(CONTENT).digest("hex"),
  wheelBytes: CONTENT.length,
  unpackedBytes: 10,
};

/** Python whose pip downloads `content` and whose zipfile unpacks two libraries. */
function python(content = CONTENT): FakeProgram {
  return async (args) => {
    if (args.includes("download")) {
      await writeFile(join(args[args.indexOf("--dest") + 1] ?? "", "t.whl"), content);
    } else if (args[0] === "-c") {
      const out = join(args[3] ?? "", "tensorflow");
      await mkdir(join(out, "include"), { recursive: true });
      for (const name of LIBRARY_FILES) await writeFile(join(out, name), name);
    }
    return {};
  };
}

const downloads = (host: ReturnType<typeof fakeHost>) =>
  host.calls.filter(({ args }) => args.includes("download")).length;

describe("fetchLibrary", () => {
  it("downloads for the pinned platform, whatever Python is here, and leaves the libraries only", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({ python3: python() });
    const library = await fetchLibrary(wheel, folder.path, host);
    expect(library).toBe(libraryFolder(folder.path, "2.21.0", "linux", "x64"));
    expect((await readdir(library)).sort()).toEqual(["files.json", "include", ...LIBRARY_FILES].sort());
    const args = host.calls.find((call) => call.args.includes("download"))?.args.join(" ");
    expect(args).toContain("--python-version 3.12 --platform manylinux_2_27_x86_64");
    expect(await readdir(join(folder.path, "downloads"))).toEqual([]);
    expect(await readdir(join(folder.path, "staging"))).toEqual([]);
  });

  it("fetches nothing that is in the cache", async () => {
    await using folder = await temporaryFolder();
    await fetchLibrary(wheel, folder.path, fakeHost({ python3: python() }));
    const again = fakeHost({});
    await fetchLibrary(wheel, folder.path, again);
    expect(again.calls).toEqual([]);
  });

  it("takes up at a wheel that an interrupted setup had downloaded", async () => {
    await using folder = await temporaryFolder();
    const arrived = join(folder.path, "downloads", `tensorflow-cpu-2.21.0-${wheel.platform}.whl`);
    await mkdir(dirname(arrived), { recursive: true });
    await writeFile(arrived, CONTENT);
    const host = fakeHost({ python3: python() });
    await fetchLibrary(wheel, folder.path, host);
    expect(downloads(host)).toBe(0);
  });

  it("fetches anew when a library in the cache has been cut short", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({ python3: python() });
    const library = await fetchLibrary(wheel, folder.path, host);
    await truncate(join(library, LIBRARY_FILES[0]), 3);
    expect(await cachedLibrary(wheel, folder.path, host)).toBeUndefined();
    await fetchLibrary(wheel, folder.path, host);
    expect(downloads(host)).toBe(2);
    expect(await cachedLibrary(wheel, folder.path, host)).toBe(library);
  });

  it("refuses a wheel with another digest", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({ python3: python("another wheel") });
    await expect(fetchLibrary(wheel, folder.path, host)).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      rule: expect.stringContaining(wheel.sha256),
    });
  });

  it("asks for room before it downloads", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({ python3: python() });
    await expect(fetchLibrary({ ...wheel, unpackedBytes: 1e18 }, folder.path, host)).rejects.toMatchObject({
      remedy: expect.stringContaining("KN_CACHE"),
    });
    expect(host.calls).toEqual([]);
  });

  it("names the command that installs pip, by the package manager that is here", async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, "dnf"), "");
    const host = fakeHost(
      { python3: () => ({ code: 1, stderr: "No module named pip" }) },
      { env: { PATH: folder.path }, isSuperuser: false },
    );
    await expect(fetchLibrary(wheel, folder.path, host)).rejects.toMatchObject({
      remedy: "sudo dnf install -y python3-pip",
    });
  });
});

describe("wheelFor", () => {
  it("serves Linux with glibc on x64 and arm64 only", () => {
    expect(wheelFor(fakeHost({}))?.distribution).toBe("tensorflow-cpu");
    expect(wheelFor(fakeHost({}, { arch: "arm64" }))?.distribution).toBe("tensorflow");
    expect(wheelFor(fakeHost({}, { isGlibc: false }))).toBeUndefined();
    expect(wheelFor(fakeHost({}, { platform: "darwin" }))).toBeUndefined();
    expect(wheelFor(fakeHost({}, { arch: "riscv64" }))).toBeUndefined();
  });
});
