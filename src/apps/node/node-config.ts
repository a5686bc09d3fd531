/** `node.yaml`: the configuration of a node, the same file on bare metal and in a ConfigMap. */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { parseYaml } from "../../run-spec/index.ts";
import { type BusAccess, busFileSchema, readConfig, resolveBusFile } from "../connect/bus-address.ts";

export const BACKENDS = ["auto", "native", "wasm", "cpu"] as const;
/** Destination of the log: a file in the node's folder, or stdout, which `kubectl logs` shows. */
export const LOG_PLACES = ["file", "stdout"] as const;

const nodeConfigSchema = z.strictObject({
  name: z.string().min(1).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  backend: z.enum(BACKENDS).optional(),
  bus: busFileSchema.optional(),
  /** Folder of the data set's files. */
  data: z.string().min(1).optional(),
  /** Folder of checkpoints, caches and the log. */
  state: z.string().min(1).optional(),
  /** host:port of /healthz, /readyz, /startupz and /metrics. */
  http: z.string().min(1).optional(),
  log: z.enum(LOG_PLACES).optional(),
});

export type NodeConfig = Omit<z.infer<typeof nodeConfigSchema>, "bus" | "labels"> & {
  readonly bus?: BusAccess;
  /** Comma-separated `key=value` pairs. */
  readonly labels?: string;
};

/** Paths in it are relative to the file. Rejects with KN_CONFIG for a file that cannot be read or breaks a rule. */
export async function readNodeConfig(file: string): Promise<NodeConfig> {
  const text = await readConfig(file, "the node's configuration");
  const options = { what: "the node's configuration", file };
  const { bus, labels, data, state, ...rest } = parseYaml(text, () => nodeConfigSchema, options);
  const at = (path: string): string => resolve(dirname(file), path);
  return {
    ...rest,
    ...(bus === undefined ? {} : { bus: resolveBusFile(bus, file) }),
    ...(data === undefined ? {} : { data: at(data) }),
    ...(state === undefined ? {} : { state: at(state) }),
    ...(labels === undefined
      ? {}
      : {
          labels: Object.entries(labels)
            .map(([key, value]) => `${key}=${value}`)
            .join(","),
        }),
  };
}
