/** One command of `kn` in the test's process, over a terminal that keeps its lines. */
import { Command } from "commander";
import type { ExecuteDeps } from "../../../../src/apps/cli/execute-run.ts";
import { systemClock } from "../../../../src/runtime/clock/index.ts";

type Register = (program: Command, deps: ExecuteDeps, exit: (code: number) => void) => void;

export interface CommandEnd {
  /** The exit code that the command gave; undefined when it rejected. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Rejects with what the command rejects with; `lines` keeps what it wrote until then. */
export async function runCommand(register: Register, argv: readonly string[]): Promise<CommandEnd> {
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  let code: number | undefined;
  const deps: Pick<ExecuteDeps, "clock" | "env" | "softwareVersion"> & { readonly terminal: object } = {
    terminal: {
      isInteractive: false,
      write: (line: string) => lines.stdout.push(line),
      note: (line: string) => lines.stderr.push(line),
    },
    clock: systemClock(),
    env: {},
    softwareVersion: "0.1.0",
  };
  const program = new Command("kn").exitOverride().configureOutput({ writeErr: () => undefined });
  register(program, deps as ExecuteDeps, (value) => {
    code = value;
  });
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => undefined });
  await program.parseAsync([...argv], { from: "user" });
  return { code, stdout: lines.stdout.join("\n"), stderr: lines.stderr.join("\n") };
}
