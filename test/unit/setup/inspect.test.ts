import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inspect } from "../../../setup/inspect.ts";
import type { Host } from "../../../setup/host.ts";
import { type FakeProgram, fakeHost, temporaryFolder } from "./fake-host.ts";

async function findings(programs: Record<string, FakeProgram>, overrides: Partial<Host> = {}) {
  await using folder = await temporaryFolder();
  const host = fakeHost(programs, { env: { KN_CACHE: folder.path }, ...overrides });
  const found = await inspect({ root: folder.path }, host);
  return new Map(found.map((finding) => [finding.id, finding]));
}

describe("inspect", () => {
  it("gives a remedy for everything that a bare machine lacks", async () => {
    const found = await findings({});
    expect([...found.keys()]).toEqual([
      "node",
      "backend:native",
      "backend:wasm",
      "backend:cpu",
      "libtensorflow",
      "tool:nats-server",
      "tool:nats",
      "tool:toxiproxy-server",
      "containers",
      "go",
      "python",
      "compiler",
      "mnist",
    ]);
    found.delete("node");
    for (const finding of found.values()) {
      expect(finding).toMatchObject({ state: "absent", remedy: expect.stringMatching(/\S/) });
    }
  });

  it("gives no remedy for what is well", async () => {
    const version = (text: string) => () => ({ stdout: text });
    const found = await findings({
      docker: version("28.2.2"),
      go: version("go version go1.26.8 linux/amd64"),
      python3: version("Python 3.11.7"),
      "g++": version("g++ (Debian 12.2.0-14) 12.2.0"),
      make: version("GNU Make 4.3"),
    });
    for (const [id, version] of [
      ["containers", "28.2.2"],
      ["go", "1.26.8"],
      ["python", "3.11.7"],
      ["compiler", "12.2.0"],
    ]) {
      expect(found.get(id ?? "")).toMatchObject({ state: "present", version });
      expect(found.get(id ?? "")).not.toHaveProperty("remedy");
    }
  });

  it("calls what is there but not fit for use degraded", async () => {
    const found = await findings(
      {
        docker: () => ({ code: 1, stderr: "Cannot connect to the Docker daemon" }),
        go: () => ({ stdout: "go version go1.19.8 linux/amd64" }),
        python3: (args) => (args.includes("pip") ? { code: 1 } : { stdout: "Python 3.11.7" }),
        "g++": () => ({ stdout: "12.2.0" }),
      },
      { node: { executable: "node", version: "18.19.0", modules: "108", napi: 9 } },
    );
    for (const id of ["node", "containers", "go", "python", "compiler"]) {
      expect(found.get(id)).toMatchObject({ state: "degraded", remedy: expect.any(String) });
    }
  });

  it("falls back to podman when docker's service does not answer", async () => {
    const found = await findings({ docker: () => ({ code: 1 }), podman: () => ({ stdout: "4.3.1" }) });
    expect(found.get("containers")).toMatchObject({ state: "present", version: "4.3.1", detail: "podman" });
  });

  it("calls an override by an older nats-server degraded", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "nats-server");
    await writeFile(path, "", { mode: 0o755 });
    const found = await findings(
      { [path]: () => ({ stdout: "nats-server: v2.9.10" }) },
      { env: { KN_NATS_SERVER: path } },
    );
    expect(found.get("tool:nats-server")).toMatchObject({ state: "degraded", version: "2.9.10" });
  });
});
