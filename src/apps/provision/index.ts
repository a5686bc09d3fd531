/**
 * Provisioning: what the program needs beyond npm packages, and what this machine has.
 *
 * @example
 * const report = await provision();
 * console.log(formatReport(report)); // libtensorflow 2.21.0 ok, nats-server 2.12.15 ok, ...
 * const server = locateTool("nats-server", process.env);
 * for (const finding of await inspect()) console.log(finding.title, finding.state, finding.remedy);
 */
export type { BackendName } from "./backend-probe.ts";
export { cacheRoot } from "./cache-layout.ts";
export { type Environment, type Exec, type ExecOptions, type ExecResult, spawnExec } from "./exec.ts";
export { type Host, type NodeRuntime, realHost } from "./host.ts";
export { type Finding, inspect, type InspectOptions } from "./inspect.ts";
export { locateTool } from "./locate-tool.ts";
export { TOOL_NAMES, type ToolName } from "./pins.ts";
export { createProgress, type Progress, type ProgressStream, silentProgress, type Step } from "./progress.ts";
export {
  ARTEFACT_NAMES,
  type ArtefactName,
  type ArtefactReport,
  formatReport,
  provision,
  type ProvisionOptions,
  type ProvisionReport,
} from "./provision.ts";
