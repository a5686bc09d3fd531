/** Options of the commands that speak to a fleet. */
import type { Command } from "commander";
import type { ExecuteDeps } from "../execute-run.ts";

/** Where a NATS server listens unless told otherwise. */
const USUAL_ADDRESS = "nats://127.0.0.1:4222";

export function withFleetOptions(command: Command, { env }: ExecuteDeps): Command {
  return command.option("--bus <address>", "NATS server of the fleet (or KN_BUS)", env.KN_BUS ?? USUAL_ADDRESS);
}
