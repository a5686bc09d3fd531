/**
 * `--bus` and KN_BUS. This is the only reader of both: every command takes its address from here, with one precedence
 * (`--bus`, then node.yaml where the command reads one, then KN_BUS, then the command's default).
 *
 * An address may hold a password, so no default is printed by its value: help names the variable.
 */
import { type Command, Option } from "commander";

export interface BusEnvironment {
  readonly env: NodeJS.ProcessEnv;
}

/** The bus of a run whose actors are all in this process. */
const OWN_PROCESS = "memory";
/** Where a NATS server listens by default. */
const LOCAL_SERVER = "nats://127.0.0.1:4222";

const FLEET_HELP = "NATS server of the fleet, or a node.yaml that names it, with credentials";
const RUN_HELP = "memory, nats: (a private server for this run), nats://host:port, or a node.yaml";

/** The fleet that is meant when no option names one. */
export function fleetAddress({ env }: BusEnvironment): string {
  return env.KN_BUS ?? LOCAL_SERVER;
}

/** `--bus` of the commands that run something: `run`, `resume`, `demo`. */
export function runBusOption({ env }: BusEnvironment): Option {
  return new Option("--bus <address>", RUN_HELP).default(env.KN_BUS ?? OWN_PROCESS, `KN_BUS, else ${OWN_PROCESS}`);
}

/** `--bus` of the commands that address a fleet. */
export function withFleetBus(command: Command, environment: BusEnvironment): Command {
  return command.addOption(
    new Option("--bus <address>", FLEET_HELP).default(fleetAddress(environment), `KN_BUS, else ${LOCAL_SERVER}`),
  );
}

/** The run that is meant is one of a fleet: `--bus` was given. Else a run of this name in a folder goes before. */
export function isFleetGiven(command: Command): boolean {
  return command.getOptionValueSource("bus") === "cli";
}

/** `--bus` of `kn node`, absent unless given: its node.yaml goes before KN_BUS. */
export function nodeBusOption(): Option {
  return new Option("--bus <address>", `${FLEET_HELP} (default: that of --config, else KN_BUS, else ${LOCAL_SERVER})`);
}

/** `--bus` of `kn runs`, `rm` and `gc`, which address a folder unless it is given; without an address: the fleet of KN_BUS. */
export function optionalFleetBus(help: string): Option {
  return new Option("--bus [address]", `${help} (without an address: of KN_BUS)`);
}

/** @returns undefined when `--bus` was not given */
export function optionalFleetAddress(
  given: string | true | undefined,
  environment: BusEnvironment,
): string | undefined {
  return given === true ? fleetAddress(environment) : given;
}
