/**
 * Installs dependencies beyond npm: libtensorflow for the native backend, and the command-line tools that serve and
 * test a cluster. Serves `npm run setup`, `kn setup` and the `prepare` script.
 *
 * Contract: idempotent; each artefact is verified by running it, now or on an earlier call; a failure of one artefact
 * does not stop the others; a missing dependency is reported with the command that fixes it, never thrown. Needs no
 * root. Changes nothing outside the cache folder and
 * `node_modules/@tensorflow/tfjs-node`.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isKnowledgeNetError } from "../src/errors/index.ts";
import { probeBackend } from "./backend-probe.ts";
import { cacheRoot, stagingFolder } from "./cache-layout.ts";
import { buildTool, toolVersion } from "./go-tools.ts";
import { type Host, realHost } from "./host.ts";
import { PACKAGE_ROOT } from "./installed-package.ts";
import { locateTool } from "./locate-tool.ts";
import { installNativeBackend } from "./native-backend.ts";
import { TOOL_NAMES, TOOLS, type ToolName } from "./pins.ts";
import { setupCommand } from "./remedies.ts";
import { withSetupLock } from "./setup-lock.ts";

export type ArtefactName = "libtensorflow" | ToolName;

export const ARTEFACT_NAMES: readonly ArtefactName[] = ["libtensorflow", ...TOOL_NAMES];

export interface ProvisionOptions {
  /** Artefacts to provide. @default everything */
  readonly only?: readonly ArtefactName[];
  /** Reports installed artefacts and fetches nothing. @default true when `KN_SKIP_SETUP` is set */
  readonly isOffline?: boolean;
  /** The package whose `node_modules` is served. @default this package */
  readonly root?: string;
}

export interface ArtefactReport {
  readonly name: ArtefactName;
  readonly state: "ok" | "missing";
  readonly version?: string;
  /** Where the program is; tools only. */
  readonly path?: string;
  /** Why it is missing. */
  readonly reason?: string;
  /** The command that fixes it. */
  readonly remedy?: string;
}

export interface ProvisionReport {
  readonly artefacts: readonly ArtefactReport[];
  /** Every requested artefact is installed. */
  readonly isComplete: boolean;
}

export async function provision(options: ProvisionOptions = {}, host: Host = realHost()): Promise<ProvisionReport> {
  const names = options.only ?? ARTEFACT_NAMES;
  const root = options.root ?? PACKAGE_ROOT;
  const cache = cacheRoot(host.env);
  const verified = await Promise.all(names.map((name) => verify(name, root, host)));
  const missing = verified.filter((report) => report.state === "missing").map((report) => report.name);
  const isOffline = options.isOffline ?? Boolean(host.env.KN_SKIP_SETUP);
  if (missing.length === 0 || isOffline) return reportOf(verified);

  const fetched = await withSetupLock(join(cache, "setup.lock"), host, () =>
    fetchAll(missing, root, cache, host),
  ).catch((error: unknown) => missing.map((name) => failure(name, error)));
  return reportOf(verified.map((report) => fetched.find(({ name }) => name === report.name) ?? report));
}

/** "libtensorflow 2.21.0 ok, nats-server, nats CLI missing (Go is not installed: brew install go)" */
export function formatReport(report: ProvisionReport): string {
  const groups = new Map<string, string[]>(); // one line per reason
  for (const { name, state, version, reason, remedy } of report.artefacts) {
    const title = name === "libtensorflow" ? name : TOOLS[name].title;
    const why = [reason, remedy].filter((part) => part !== undefined).join(": ");
    const verdict = state === "ok" ? [version, "ok"].filter(Boolean).join(" ") : `missing${why && ` (${why})`}`;
    const key = state === "ok" ? name : verdict;
    groups.set(key, [...(groups.get(key)?.slice(0, -1) ?? []), title, verdict]);
  }
  return [...groups.values()].map((parts) => [parts.slice(0, -1).join(", "), ...parts.slice(-1)].join(" ")).join(", ");
}

/** Two lanes side by side: the wheel waits for the network while Go keeps the cores busy. Go builds go one by one. */
async function fetchAll(
  names: readonly ArtefactName[],
  root: string,
  cache: string,
  host: Host,
): Promise<readonly ArtefactReport[]> {
  await rm(stagingFolder(cache), { recursive: true, force: true }); // of interrupted setups
  const native = async (): Promise<readonly ArtefactReport[]> =>
    names.includes("libtensorflow") ? [await fetchLibtensorflow(root, cache, host)] : [];
  const tools = async (): Promise<readonly ArtefactReport[]> => {
    const reports: ArtefactReport[] = [];
    for (const name of TOOL_NAMES) {
      if (names.includes(name)) reports.push(await fetchTool(name, root, cache, host));
    }
    return reports;
  };
  return (await Promise.all([native(), tools()])).flat();
}

async function fetchLibtensorflow(root: string, cache: string, host: Host): Promise<ArtefactReport> {
  try {
    const probe = await installNativeBackend(root, cache, host);
    return { name: "libtensorflow", state: "ok", ...(probe.libraryVersion && { version: probe.libraryVersion }) };
  } catch (error) {
    return failure("libtensorflow", error);
  }
}

async function fetchTool(name: ToolName, root: string, cache: string, host: Host): Promise<ArtefactReport> {
  const again = await verify(name, root, host); // another setup may have built it while we waited
  if (again.state === "ok" || host.env[TOOLS[name].variable]) return again;
  try {
    const path = await buildTool(TOOLS[name], cache, host);
    return { name, state: "ok", version: TOOLS[name].version, path };
  } catch (error) {
    return failure(name, error);
  }
}

/** Verifies installed artefacts by running them. */
async function verify(name: ArtefactName, root: string, host: Host): Promise<ArtefactReport> {
  if (name === "libtensorflow") {
    const { state, libraryVersion, reason } = await probeBackend("native", root, host);
    if (state === "present") return { name, state: "ok", ...(libraryVersion && { version: libraryVersion }) };
    return { name, state: "missing", ...(reason && { reason }), remedy: setupCommand(root) };
  }
  try {
    const path = locateTool(name, host.env);
    if (path === undefined) return { name, state: "missing", reason: "not built", remedy: setupCommand(root) };
    const version = await toolVersion(path, TOOLS[name], host);
    if (version === undefined)
      return { name, state: "missing", reason: `${path} does not run`, remedy: setupCommand(root) };
    return { name, state: "ok", version, path };
  } catch (error) {
    return failure(name, error);
  }
}

function failure(name: ArtefactName, error: unknown): ArtefactReport {
  if (!isKnowledgeNetError(error)) {
    return { name, state: "missing", reason: error instanceof Error ? error.message : String(error) };
  }
  const value = error.value === undefined ? "" : `, and is ${error.value}`;
  return { name, state: "missing", reason: error.rule + value, ...(error.remedy && { remedy: error.remedy }) };
}

function reportOf(artefacts: readonly ArtefactReport[]): ProvisionReport {
  return { artefacts, isComplete: artefacts.every(({ state }) => state === "ok") };
}
