/**
 * Provisioning: dependencies beyond npm packages, and the inspection of this machine.
 *
 * @example
 * const report = await provision();
 * console.log(formatReport(report)); // libtensorflow 2.21.0 ok, nats-server 2.12.15 ok, ...
 * const server = locateTool("nats-server", process.env);
 * for (const finding of await inspect()) console.log(finding.title, finding.state, finding.remedy);
 */
export { cacheRoot } from "./cache-layout.ts";
export { type Finding, inspect, type InspectOptions } from "./inspect.ts";
export { PACKAGE_ROOT } from "./installed-package.ts";
export { locateTool } from "./locate-tool.ts";
export type { ToolName } from "./pins.ts";
export { setupCommand } from "./remedies.ts";
export { formatReport, provision, type ProvisionOptions, type ProvisionReport } from "./provision.ts";
