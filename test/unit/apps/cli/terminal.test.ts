import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { createTerminal } from "../../../../src/apps/cli/terminal.ts";
import { startKn, textStream } from "./cli-scene.ts";

function errorOf(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: write`), { code });
}

function scene() {
  let failure: NodeJS.ErrnoException | undefined;
  const stdout = textStream(() => failure);
  const stderr = textStream();
  const signals = new EventEmitter();
  const exits: number[] = [];
  const terminal = createTerminal({ stdout, stderr, signals, exit: (code) => exits.push(code) });
  return {
    terminal,
    stdout: stdout.text,
    stderr: stderr.text,
    signals,
    exits,
    fail(code: string) {
      failure = errorOf(code);
    },
  };
}

describe("createTerminal", () => {
  it("writes lines to stdout and notes to stderr, without credentials", async () => {
    const { terminal, stdout, stderr } = scene();
    terminal.write("at nats://ann:SECRET@host");
    terminal.note("no server at nats://ann:SECRET@host");
    expect(await terminal.flush()).toBeUndefined();
    expect([stdout(), stderr()]).toEqual(["at nats://host\n", "no server at nats://host\n"]);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("passes %s to its listeners until they are removed", (signal) => {
    const { terminal, signals } = scene();
    const heard: string[] = [];
    const forget = terminal.onSignal((name) => heard.push(name));
    signals.emit(signal);
    forget();
    signals.emit(signal);
    expect(heard).toEqual([signal]);
    expect(signals.eventNames()).toEqual([]);
  });

  it("reports a closed stdout as SIGPIPE, once, and says nothing", async () => {
    const { terminal, fail, stderr, exits } = scene();
    const heard: string[] = [];
    terminal.onSignal((name) => heard.push(name));
    fail("EPIPE");
    terminal.write("one");
    expect(await terminal.flush()).toMatchObject({ code: "EPIPE" });
    terminal.write("two");
    expect(await terminal.flush()).toMatchObject({ code: "EPIPE" });
    expect([heard, stderr(), exits]).toEqual([["SIGPIPE"], "", []]);
  });

  it("exits with 141 when stdout is closed and no command waits for signals", async () => {
    const { terminal, fail, exits } = scene();
    fail("EPIPE");
    terminal.write("one");
    await terminal.flush();
    expect(exits).toEqual([141]);
  });

  it("names any other write error on stderr, once, and returns it from flush", async () => {
    const { terminal, fail, stderr, exits } = scene();
    fail("ENOSPC");
    terminal.write("one");
    terminal.write("two");
    expect(await terminal.flush()).toMatchObject({ code: "ENOSPC" });
    expect(stderr()).toBe("kn: cannot write to stdout: ENOSPC: write; the lines that follow are lost\n");
    expect(exits).toEqual([]);
  });
});

describe("kn", () => {
  it("ends with 1 when stdout did not take its lines", async () => {
    const end = await startKn(["runs", "--json", "--runs", "/nowhere"], { stdoutError: errorOf("ENOSPC") }).ended;
    expect(end).toMatchObject({ code: 1 });
    expect(end.stderr).toContain("ENOSPC");
  });

  it("ends with 0 and the version on stdout, with 2 and the reason on stderr for an unknown option", async () => {
    expect(await startKn(["--version"]).ended).toEqual({ code: 0, stdout: "0.1.0\n", stderr: "" });
    const refused = await startKn(["nodes", "--fast"]).ended;
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("--fast");
  });
});
