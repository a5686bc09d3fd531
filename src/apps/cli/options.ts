/** Options that several commands share, and the values that options take. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { KnowledgeNetError } from "../../errors/index.ts";
import { isRunName } from "../../messages/index.ts";
import { DEFAULT_RUNS_FOLDER } from "../../jobs/run-folder.ts";
import { type BusEnvironment, runBusOption } from "./bus-options.ts";

/** Options of `run`, `demo` and `resume`. */
export function withExecuteOptions(command: Command, environment: BusEnvironment): Command {
  return command
    .addOption(runBusOption(environment))
    .addOption(
      new Option("--backend <name>", "where the mathematics runs")
        .choices(["auto", "native", "wasm", "cpu"])
        .default("auto"),
    )
    .option("--data <folder>", "folder of the data set's files")
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .option(
      "--nodes <where>",
      "`here`: all actors in this process; `fleet`: on the nodes at --bus; `spawn:4`: on four nodes that are child " +
        "processes; of a continuous run: its replicas",
      "here",
    )
    .option("--detach", "with --nodes fleet: start the run and return", false)
    .option("--json", "print one JSON document and nothing else on stdout", false);
}

/** `--set path=value`, repeated. It takes one value each time, so that a spec may follow it. */
export function setOption(description: string): Option {
  return new Option("--set <path=value>", `${description}; may be repeated`)
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([], "none");
}

/** @throws InvalidArgumentError, which commander shows with the option's name. */
export function parseShare(text: string): number {
  const share = Number(text);
  if (text.trim() !== "" && share >= 0 && share < 1) return share;
  throw new InvalidArgumentError("it must be a number from 0 to below 1, for example 0.62");
}

/** @throws KnowledgeNetError KN_CONFIG */
export function parseMinNodes(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "wait for nodes",
    rule: "--min-nodes must be a whole number of at least 1",
    value: text,
    remedy: "for example --min-nodes 4",
  });
}

/** @throws KnowledgeNetError KN_CONFIG */
export function parseRunName(name: string): string {
  if (isRunName(name)) return name;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "name a run",
    rule: "--name must be 1 to 64 characters of [A-Za-z0-9_-] and not node, infer, observe or update",
    value: name,
    remedy: "choose another",
  });
}

/** @returns how many nodes to spawn; undefined for a fleet that runs. @throws KnowledgeNetError KN_CONFIG */
export function parseSpawned(nodes: string): number | undefined {
  if (nodes === "fleet") return undefined;
  const [, count] = /^spawn:(\d{1,3})$/.exec(nodes) ?? [];
  if (Number(count) >= 1) return Number(count);
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "place the actors",
    rule: "--nodes must be `here`, `fleet` or `spawn:<number of nodes>`",
    value: nodes,
    remedy: "for example --nodes spawn:4",
  });
}
