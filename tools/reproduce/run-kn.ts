/** `kn` as a child process, and the provenance of a figure: the machine and the versions. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { z } from "zod";
import { PACKAGE_ROOT } from "../../setup/index.ts";
import { TOOLS, WHEELS } from "../../setup/pins.ts";

export const ROOT = PACKAGE_ROOT;
const KN = join(ROOT, "bin", "kn.js");

export interface RunKnOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Gets every whole line of stdout as it comes. */
  readonly onLine?: (line: string) => void;
}

/** @returns stdout. Rejects with the last line of stderr when it fails. */
export async function runKn(
  args: readonly string[],
  { env = process.env, onLine }: RunKnOptions = {},
): Promise<string> {
  const child = spawn(process.execPath, [KN, ...args], { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  if (onLine !== undefined) createInterface({ input: child.stdout }).on("line", onLine);
  const [code] = (await once(child, "close")) as [number | null];
  if (code === 0) return out;
  throw new Error(`kn ended with ${code}: ${err.trim().split("\n").at(-1) ?? ""}`);
}

export const provenanceSchema = z.object({
  machine: z.object({ cpus: z.int(), model: z.string(), memoryGiB: z.number() }),
  versions: z.record(z.string(), z.string()),
  finishedAt: z.string(),
});
export type Provenance = z.infer<typeof provenanceSchema>;

export async function provenance(): Promise<Provenance> {
  const text = await readFile(join(ROOT, "package.json"), "utf8");
  const { version, dependencies } = JSON.parse(text) as { version: string; dependencies: Record<string, string> };
  return {
    machine: {
      cpus: availableParallelism(),
      model: cpus()[0]?.model.trim() ?? "unknown",
      memoryGiB: Math.round(totalmem() / 2 ** 30),
    },
    versions: {
      knowledgenet: version,
      node: process.version,
      tfjs: dependencies["@tensorflow/tfjs"] ?? "",
      libtensorflow: WHEELS[process.arch]?.version ?? "unknown",
      "nats-server": TOOLS["nats-server"].version,
    },
    finishedAt: new Date().toISOString(),
  };
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
