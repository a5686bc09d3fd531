/** Options of the observer beside a gateway. Uploads are users' data: nothing is observed without `--observe`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { ObserveSpec } from "../../run-spec/index.ts";

export interface ObserveOptions {
  readonly observe: boolean;
  readonly observeRequests?: ObserveSpec["requests"];
  readonly observeInputs?: number;
  readonly observeBytes?: number;
  readonly observeUniform?: number;
  /** Seconds. */
  readonly observeTtl?: number;
  readonly observeKeep?: number;
  readonly redact?: string;
}

/** A section of a spec, before its defaults. */
type ObserveInput = Partial<ObserveSpec>;

export function addObserveOptions(command: Command): Command {
  return command
    .option("--observe", "append chosen inputs of users to the log of observations, for further training", false)
    .addOption(
      new Option(
        "--observe-requests <which>",
        "inputs of `all` requests, or of those that ask for it: `asked`",
      ).choices(["all", "asked"]),
    )
    .option("--observe-inputs <number>", "inputs that may be uploaded in any minute (default: 120)", parsePositive)
    .option("--observe-bytes <bytes>", "bytes of them in any minute (default: 2097152)", parsePositive)
    .option("--observe-uniform <share>", "share chosen with equal probability (default: 0.2)", parsePositive)
    .option("--observe-ttl <seconds>", "age beyond which an input is not used any more (default: 3600)", parsePositive)
    .option("--observe-keep <entries>", "newest observations that the log keeps (default: 5000)", parsePositive)
    .option("--redact <file>", "ES module that exports `redact(payload)`: what is uploaded in place of an input");
}

/** @throws KnowledgeNetError KN_CONFIG for an option of observing without `--observe` */
export function observeSectionOf(options: ObserveOptions): ObserveInput | undefined {
  const { observe, observeRequests, observeInputs, observeBytes, observeUniform, observeTtl, observeKeep } = options;
  const given: ObserveInput = {
    ...(observeRequests === undefined ? {} : { requests: observeRequests }),
    ...(observeInputs === undefined ? {} : { inputsPerMinute: observeInputs }),
    ...(observeBytes === undefined ? {} : { bytesPerMinute: observeBytes }),
    ...(observeUniform === undefined ? {} : { uniformShare: observeUniform }),
    ...(observeTtl === undefined ? {} : { ttlMs: Math.round(1_000 * observeTtl) }),
    ...(observeKeep === undefined ? {} : { keepEntries: observeKeep }),
  };
  if (observe) return given;
  const needless = [...Object.keys(given), ...(options.redact === undefined ? [] : ["redact"])];
  if (needless.length === 0) return undefined;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "serve",
    rule: "options of observing must come with --observe",
    value: needless.join(", "),
    remedy: "add --observe, or leave them out",
  });
}

/** @throws InvalidArgumentError, which commander shows with the option's name. */
function parsePositive(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("it must be a number above 0");
}
