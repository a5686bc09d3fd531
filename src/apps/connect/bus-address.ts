/**
 * Addresses of a bus: the URL of a server, or a node.yaml whose section `bus` names servers and credential files, as a
 * ConfigMap and a Secret provide them. `?domain=hub` after a URL names a JetStream domain beyond a leaf-node link. An
 * address may contain a password; for a reader it goes through `describeAddress`.
 */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { JetStreamStoreOptions } from "../../runtime/store/index.ts";
import { parseYaml } from "../../run-spec/index.ts";

const file = z.string().min(1);
const domainName = z.string().regex(/^[A-Za-z0-9_-]+$/);

export const busFileSchema = z.strictObject({
  servers: z.array(z.string().min(1)).min(1),
  user: z.string().optional(),
  passwordFile: file.optional(),
  tokenFile: file.optional(),
  credentialsFile: file.optional(),
  tls: z.strictObject({ caFile: file.optional(), certFile: file.optional(), keyFile: file.optional() }).optional(),
  /** Servers that keep each bucket; for buckets that are made new. */
  replicas: z.int().min(1).max(5).optional(),
  /** JetStream domain beyond a leaf-node link; absent: that of the servers. */
  domain: domainName.optional(),
});

/** The part of a node.yaml that other commands read. */
const configWithBusSchema = z.looseObject({ bus: busFileSchema });

export type BusFile = z.infer<typeof busFileSchema>;
export type BusAccess = Omit<JetStreamStoreOptions, "name" | "connectTimeoutMs" | "signal">;

/** What may hold credentials in a text: the part of a bus URL before its host. */
const URL_CREDENTIALS = /\b((?:nats|tls|wss?):\/\/)(?:(?!,[a-z]+:\/\/)[^\s"])*@/gi;

/** The address for a reader: without user, password or token, also where it is malformed. */
export function describeAddress(address: string): string {
  if (isFile(address)) return address;
  return address
    .split(/,(?=[a-z][a-z0-9+.-]*:\/\/)/i)
    .map((url) => url.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1"))
    .join(",");
}

/** `text` without the credentials of the bus URLs in it: the last guard of what is printed or logged. */
export function redactCredentials(text: string): string {
  return text.includes("@") ? text.replace(URL_CREDENTIALS, "$1") : text;
}

/** True for a server's URL, and for a file that names one. */
export function isServerAddress(address: string): boolean {
  return /^(nats|tls):\/\/./.test(address) || isFile(address);
}

function isFile(address: string): boolean {
  return /\.ya?ml$/.test(address);
}

/** Rejects with KN_CONFIG for a file that cannot be read or breaks a rule. */
export async function readBusAddress(address: string): Promise<BusAccess> {
  if (!isFile(address)) return accessOf(address);
  const options = { what: "the node's configuration", file: address };
  const { bus } = parseYaml(await readConfig(address, "the node's configuration"), () => configWithBusSchema, options);
  return resolveBusFile(bus, address);
}

/** Paths in a file are relative to it. */
export function resolveBusFile({ tls, ...parts }: BusFile, from: string): BusAccess {
  const at = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolve(dirname(from), path);
  return {
    servers: parts.servers,
    user: parts.user,
    passwordFile: at(parts.passwordFile),
    tokenFile: at(parts.tokenFile),
    credentialsFile: at(parts.credentialsFile),
    ...(tls === undefined
      ? {}
      : { tls: { caFile: at(tls.caFile), certFile: at(tls.certFile), keyFile: at(tls.keyFile) } }),
    ...(parts.replicas === undefined ? {} : { replicas: parts.replicas }),
    ...(parts.domain === undefined ? {} : { domain: parts.domain }),
  };
}

/** @throws KnowledgeNetError KN_CONFIG for a query that is none of ours */
function accessOf(address: string): BusAccess {
  const [, servers, query] = /^([^?]*)\?([^?@]*)$/.exec(address) ?? [];
  if (servers === undefined || query === undefined) return { servers: address };
  const parameters = [...new URLSearchParams(query)];
  const domain = domainName.safeParse(parameters[0]?.[1]).data;
  if (parameters.length === 1 && parameters[0]?.[0] === "domain" && domain !== undefined) return { servers, domain };
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "connect to a NATS server",
    rule: "after ? its URL may have the name of a JetStream domain",
    value: query,
    remedy: "for example nats://127.0.0.1:4222?domain=hub",
  });
}

/** Rejects with KN_CONFIG that names the file. */
export async function readConfig(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `read ${what} ${path}`,
      rule: "it must be a readable file",
      value: error instanceof Error ? error.message : String(error),
      remedy: "in Kubernetes check that the ConfigMap is mounted, with a key of that name",
      cause: error,
    });
  }
}
