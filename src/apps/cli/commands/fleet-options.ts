/** Options of the commands that speak to a fleet. */
import type { Command } from "commander";
import type { ExecuteDeps } from "../execute-run.ts";

/** What `--bus` takes. */
export const BUS_HELP = "NATS server of the fleet, or a node.yaml that names it, with credentials (or KN_BUS)";
/** Where a NATS server listens unless told otherwise. */
const USUAL_ADDRESS = "nats://127.0.0.1:4222";

/** The fleet that is meant when none is named. */
export function fleetAddress(env: NodeJS.ProcessEnv): string {
  return env.KN_BUS ?? USUAL_ADDRESS;
}

export function withFleetOptions(command: Command, { env }: ExecuteDeps): Command {
  return command.option("--bus <address>", BUS_HELP, fleetAddress(env));
}
