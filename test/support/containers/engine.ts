/**
 * What runs containers here: Docker where it answers, else podman behind a socket of our own. Whatever is made bears our
 * label, and goes with us: a helper that outlives us cleans up, even after a SIGKILL.
 */
import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cleanupOnExit } from "../cleanup-on-exit.ts";
import { waitFor } from "../wait-for.ts";

const run = promisify(execFile);

/** Label of everything that a suite makes; its value names the suite's process. */
export const SUITE_LABEL = "knowledgenet.suite";

export interface EngineAccess {
  readonly program: "docker" | "podman";
  readonly session: string;
  /** For testcontainers, and for `program`. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Engine extends AsyncDisposable {
  readonly access: EngineAccess;
  /** Calls docker or podman. Rejects with what it said. */
  call(...args: readonly string[]): Promise<string>;
}

export async function openEngine(): Promise<Engine> {
  const session = randomUUID().slice(0, 8);
  if (await answers("docker", ["info"])) return engineOf({ program: "docker", session, env: {} }, "");
  const folder = await mkdtemp(join(tmpdir(), "kn-podman-"));
  const [config, socket] = [join(folder, "containers.conf"), join(folder, "podman.sock")];
  // runc and these limits: what podman asks for by default is refused inside some virtual machines.
  await writeFile(
    config,
    '[containers]\ndefault_ulimits=["nofile=1024:1024","nproc=1024:1024"]\n[engine]\nruntime="runc"\n',
  );
  const env = {
    CONTAINERS_CONF: config,
    DOCKER_HOST: `unix://${socket}`,
    TESTCONTAINERS_RYUK_DISABLED: "true", // no image to pull it from; the helper does its work
    TESTCONTAINERS_HOST_OVERRIDE: "127.0.0.1",
  };
  const service = spawn("podman", ["system", "service", "--time=0", `unix://${socket}`], {
    env: { ...process.env, ...env },
    stdio: "ignore",
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    service.once("spawn", resolve).once("error", reject);
  });
  service.unref();
  await waitFor(() => answers("podman", ["--url", env.DOCKER_HOST, "info"], env), "podman's service", 30_000);
  return engineOf({ program: "podman", session, env }, `kill ${service.pid}; rm -rf '${folder}'`);
}

function engineOf(access: EngineAccess, afterwards: string): Engine {
  const { program, session } = access;
  const env = { ...process.env, ...access.env };
  const ours = `--filter label=${SUITE_LABEL}=${session}`;
  const sweep = [
    `${program} ps -aq ${ours} | xargs -r ${program} rm -f`,
    `${program} network ls -q ${ours} | xargs -r ${program} network rm`,
    `${program} volume ls -q ${ours} | xargs -r ${program} volume rm`,
    afterwards,
  ].join("; ");
  const sweeper = cleanupOnExit(sweep, env);
  return {
    access,
    async call(...args) {
      const { stdout } = await run(program, args, { env, maxBuffer: 1e8 });
      return stdout.trim();
    },
    [Symbol.asyncDispose]: () => sweeper[Symbol.asyncDispose](),
  };
}

async function answers(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<boolean> {
  return await run(program, args, { env: { ...process.env, ...env } }).then(
    () => true,
    () => false,
  );
}
