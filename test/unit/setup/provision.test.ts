import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { toolPath } from "../../../setup/cache-layout.ts";
import { TOOL_NAMES, TOOLS } from "../../../setup/pins.ts";
import { formatReport, provision } from "../../../setup/provision.ts";
import { fakeHost, temporaryFolder } from "./fake-host.ts";

async function buildAll(cache: string): Promise<Record<string, () => { stdout: string }>> {
  const programs: Record<string, () => { stdout: string }> = {};
  for (const name of TOOL_NAMES) {
    const path = toolPath(cache, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
    await chmod(path, 0o755);
    programs[path] = () => ({ stdout: `v${TOOLS[name].version}` });
  }
  return programs;
}

describe("provision", () => {
  it("runs what is there and touches nothing when it is complete", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost(await buildAll(folder.path), { env: { KN_CACHE: folder.path } });
    const report = await provision({ only: TOOL_NAMES, root: folder.path }, host);
    expect(report.isComplete).toBe(true);
    expect(report.artefacts.map(({ version }) => version)).toEqual(TOOL_NAMES.map((name) => TOOLS[name].version));
    expect(host.calls.map(({ args }) => args.length)).toEqual([1, 1, 1]);
    expect(existsSync(join(folder.path, "setup.lock"))).toBe(false);
  });

  it("counts a tool that no longer runs as missing", async () => {
    await using folder = await temporaryFolder();
    await buildAll(folder.path);
    const host = fakeHost({}, { env: { KN_CACHE: folder.path } });
    const report = await provision({ only: ["nats"], root: folder.path, isOffline: true }, host);
    expect(report.artefacts[0]).toMatchObject({ state: "missing", reason: expect.stringContaining("does not run") });
  });

  it("fetches nothing when KN_SKIP_SETUP is set", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({ go: () => ({}) }, { env: { KN_CACHE: folder.path, KN_SKIP_SETUP: "1" } });
    const report = await provision({ root: folder.path }, host);
    expect(report.isComplete).toBe(false);
    expect(host.calls).toEqual([]);
  });

  it("goes on to the others when one thing is missing, and says what mends each", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({}, { env: { KN_CACHE: folder.path } });
    const report = await provision({ root: folder.path }, host);
    expect(report.isComplete).toBe(false);
    expect(report.artefacts).toHaveLength(4);
    for (const artefact of report.artefacts) {
      expect(artefact).toMatchObject({ state: "missing", reason: expect.any(String), remedy: expect.any(String) });
    }
    expect(existsSync(join(folder.path, "setup.lock"))).toBe(false);
  });

  it("reports an override that cannot be run instead of building over it", async () => {
    await using folder = await temporaryFolder();
    const host = fakeHost({ go: () => ({}) }, { env: { KN_CACHE: folder.path, KN_NATS: "/gone" } });
    const report = await provision({ only: ["nats"], root: folder.path }, host);
    expect(report.artefacts[0]?.reason).toContain("/gone");
    expect(host.calls).toEqual([]);
  });
});

describe("formatReport", () => {
  it("says once why several things are missing", () => {
    const reason = "Go is not installed";
    const remedy = "brew install go";
    const text = formatReport({
      isComplete: false,
      artefacts: [
        { name: "libtensorflow", state: "ok", version: "2.21.0" },
        { name: "nats-server", state: "ok", version: "2.12.2" },
        { name: "nats", state: "missing", reason, remedy },
        { name: "toxiproxy-server", state: "missing", reason, remedy },
      ],
    });
    expect(text).toBe(
      "libtensorflow 2.21.0 ok, nats-server 2.12.2 ok, nats CLI, toxiproxy missing (Go is not installed: brew install go)",
    );
  });
});
