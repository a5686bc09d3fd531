import process from "node:process";
import { describe, expect, it } from "vitest";
import { failureLine, spawnExec, succeeded } from "../../../setup/exec.ts";

const failed = (stderr: string, stdout = "") => ({ outcome: "exited", code: 1, stdout, stderr }) as const;

describe("spawnExec", () => {
  it("gives the output and the exit code", async () => {
    const result = await spawnExec(process.execPath, [
      "-e",
      "console.log('out'); console.error('err'); process.exitCode = 3",
    ]);
    expect(result).toEqual({ outcome: "exited", code: 3, stdout: "out\n", stderr: "err\n" });
    expect(succeeded(result)).toBe(false);
  });

  it("says that a program is not there", async () => {
    expect(await spawnExec("no-such-program-anywhere", [])).toMatchObject({ outcome: "not-found", code: undefined });
  });

  it("kills a program that does not end", async () => {
    const result = await spawnExec(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { timeoutMs: 50 });
    expect(result).toMatchObject({ outcome: "timed-out", code: undefined });
  });

  it("keeps the end of a long output", async () => {
    const { stdout } = await spawnExec(process.execPath, ["-e", "process.stdout.write('x'.repeat(200000) + 'end')"]);
    expect(stdout.length).toBeLessThan(100_000);
    expect(stdout.endsWith("end")).toBe(true);
  });
});

describe("failureLine", () => {
  it.each([
    [
      "    throw er; // Unhandled 'error' event\nError: getaddrinfo ENOTFOUND host\n  at x",
      "Error: getaddrinfo ENOTFOUND host",
    ],
    [
      "WARNING: connection error, retrying\nERROR: No matching distribution found for t",
      "ERROR: No matching distribution found for t",
    ],
    ["go: downloading a\ngo: module b: 403 Forbidden\n", "go: module b: 403 Forbidden"],
    ["a.cc:1:2: error: no such file\nmake: *** stopped", "a.cc:1:2: error: no such file"],
    ["one\ntwo\n\n", "two"],
  ])("picks the line nearest to the cause of %j", (stderr, line) => {
    expect(failureLine(failed(stderr))).toBe(line);
  });

  it("reads standard output when standard error is empty, else names the exit code", () => {
    expect(failureLine(failed("", "spoke here"))).toBe("spoke here");
    expect(failureLine(failed(""))).toBe("exit code 1");
  });
});
