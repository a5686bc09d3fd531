/** A node's description in its record: name, labels, and measured backend, cores and speed. */
import { availableParallelism, hostname, totalmem } from "node:os";
import process from "node:process";
import { type BackendPreference, createComputeWorker } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { isSubjectToken } from "../messages/index.ts";
import { uniqueId } from "../runtime/unique-id.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { type NodeRecord, WIRE_VERSION } from "./records.ts";

export interface DescribeNodeOptions {
  /** @default the host's name and the process's number */
  readonly name?: string | undefined;
  /** Comma-separated `key=value` pairs. */
  readonly labels?: string | undefined;
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
}

/** Rejects with KN_CONFIG for a malformed name or label, KN_UNAVAILABLE when a forced backend is absent. */
export async function describeNode(options: DescribeNodeOptions, clock: Clock): Promise<NodeRecord> {
  const host = hostname();
  const name = options.name ?? `${host.replaceAll(/[^A-Za-z0-9_-]/g, "-").slice(0, 48)}-${process.pid}`;
  if (!isSubjectToken(name)) {
    throw refusal("name a node", "its name must be 1 to 64 characters of [A-Za-z0-9_-]", name);
  }
  const labels = parseLabels(options.labels ?? "");
  await using worker = await createComputeWorker({ backend: options.backend });
  const { result: gflops } = await worker.call("measureSpeed", {});
  return {
    format: 1,
    name,
    instance: uniqueId(),
    labels,
    backend: worker.backend.name,
    backendVersion: worker.backend.version,
    cores: availableParallelism(),
    // The container's limit, if it has one.
    memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
    gflops: Math.round(gflops * 10) / 10,
    softwareVersion: options.softwareVersion,
    wireVersion: WIRE_VERSION,
    host,
    pid: process.pid,
    startedAt: new Date(clock.wallTimeMs()).toISOString(),
  };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const label of text.split(",").filter((each) => each !== "")) {
    const [, key, value] = /^([A-Za-z0-9_-]{1,64})=([A-Za-z0-9_.-]{1,64})$/.exec(label) ?? [];
    if (key === undefined || value === undefined) {
      throw refusal("label a node", "--labels must be comma-separated key=value pairs", label);
    }
    labels[key] = value;
  }
  return labels;
}

function refusal(attempt: string, rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", { attempt, rule, value, remedy: "correct it and try again" });
}
