/** Cleans up what would outlive the process that made it, however that process ends: also after a SIGKILL. */
import { spawn } from "node:child_process";
import process from "node:process";

export interface Sweeper extends AsyncDisposable {
  /** Resolves when it has swept. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param script of `sh`; runs once, when the result is disposed of or this process is gone. */
export function cleanupOnExit(script: string, env: NodeJS.ProcessEnv = process.env): Sweeper {
  // A process of its own, whose input ends when we end.
  const helper = spawn("sh", ["-c", `cat > /dev/null; ${script}`], {
    env,
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  helper.unref();
  const swept = new Promise<void>((resolve) => {
    helper.once("exit", () => {
      resolve();
    });
  });
  return {
    async [Symbol.asyncDispose]() {
      helper.stdin.end();
      helper.ref();
      await swept;
    },
  };
}
