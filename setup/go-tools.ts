/**
 * Builds a pinned command-line tool from its Go module into the cache, and proves it by running it. Static and stripped
 * (`CGO_ENABLED=0`), so that the same file also runs in an image made `FROM scratch`.
 */
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeStaging, toolPath } from "./cache-layout.ts";
import { failureLine, succeeded } from "./exec.ts";
import type { Host } from "./host.ts";
import { versionIn } from "./locate-tool.ts";
import type { ToolPin } from "./pins.ts";
import { goRemedy } from "./remedies.ts";
import { unavailable } from "./unavailable.ts";

/** A cold build of the largest takes 1-2 minutes on two cores; a slow line adds to it. */
const BUILD_TIMEOUT_MS = 1_200_000;

/**
 * @returns where the tool is
 * @throws KnowledgeNetError KN_UNAVAILABLE when Go is missing, too old, or the build fails
 */
export async function buildTool(tool: ToolPin, cache: string, host: Host): Promise<string> {
  const attempt = `build ${tool.title} ${tool.version}`;
  if (!succeeded(await host.exec("go", ["version"], { timeoutMs: 10_000 }))) {
    throw unavailable(attempt, "Go is not installed", { remedy: goRemedy(host) });
  }
  const final = toolPath(cache, tool.name);
  const folder = await makeStaging(cache, tool.name);
  const step = host.progress.step(`building ${tool.title} ${tool.version}`);
  try {
    const version = tool.versionSymbol === undefined ? "" : ` -X ${tool.versionSymbol}=${tool.version}`;
    const result = await host.exec(
      "go",
      ["install", "-trimpath", `-ldflags=-s -w${version}`, `${tool.packagePath}@v${tool.version}`],
      // A cross-compiling environment would build for another machine (and refuses GOBIN).
      { env: { ...host.env, CGO_ENABLED: "0", GOBIN: folder, GOOS: "", GOARCH: "" }, timeoutMs: BUILD_TIMEOUT_MS },
    );
    if (!succeeded(result))
      throw unavailable(attempt, failureLine(result), isGoTooOld(result.stderr) ? { remedy: goRemedy(host) } : {});
    const built = join(folder, tool.program);
    const answer = await toolVersion(built, tool, host);
    if (answer === undefined) throw unavailable(attempt, "what was built does not run");
    await mkdir(dirname(final), { recursive: true });
    await rename(built, final);
    step.end("ok");
    return final;
  } finally {
    step.end("failed");
    await rm(folder, { recursive: true, force: true });
  }
}

/** The version that a tool gives of itself, "?" when it names none; `undefined` when it does not run. */
export async function toolVersion(path: string, tool: ToolPin, host: Host): Promise<string | undefined> {
  const result = await host.exec(path, [tool.versionFlag], { timeoutMs: 10_000 });
  return succeeded(result) ? (versionIn(result.stdout + result.stderr) ?? "?") : undefined;
}

/** Only an old Go is mended by a newer Go. */
function isGoTooOld(output: string): boolean {
  return /requires go|toolchain not available|note: module requires|invalid go version/i.test(output);
}
