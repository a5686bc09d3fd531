/** Metadata of a served model as the protocol has it, checked. Pure. */
import { KnowledgeNetError } from "../errors/index.ts";

export interface TensorDescription {
  readonly name: string;
  readonly datatype: string;
  /** -1: any extent. */
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  /** Releases that can be asked for, as the server lists them. */
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorDescription[];
  readonly outputs: readonly TensorDescription[];
  /** Names of the classes, in the order of the logits; absent: the server does not list them. */
  readonly classNames?: readonly string[];
}

/** @throws KN_DECODE */
export function decodeMetadata(body: Buffer): ModelMetadata {
  const value = parseJson(body) as Partial<ModelMetadata> | null;
  const { name, inputs, outputs, versions = [], platform = "" } = value ?? {};
  if (typeof name !== "string" || !areTensors(inputs) || !areTensors(outputs) || !Array.isArray(versions)) {
    throw refusal("it must have name, inputs and outputs", body);
  }
  const classNames = classNamesOf((value as { properties?: unknown }).properties);
  const listed = { name, versions: versions.map(String), platform, inputs, outputs };
  return classNames === undefined ? listed : { ...listed, classNames };
}

/** `properties.classes` holds them as JSON: names may have commas. */
function classNamesOf(properties: unknown): readonly string[] | undefined {
  const { classes } = (properties ?? {}) as { readonly classes?: unknown };
  const names = typeof classes === "string" ? parseJson(Buffer.from(classes)) : undefined;
  return Array.isArray(names) && names.every((name) => typeof name === "string") ? names : undefined;
}

/** Names of the models of a server, from its index. @throws KN_DECODE */
export function decodeIndex(body: Buffer): string[] {
  const value = parseJson(body);
  if (!Array.isArray(value)) throw refusal("it must be a list", body);
  const names = value.map((each: unknown) => (each as { name?: unknown } | null)?.name);
  return [...new Set(names.filter((name) => typeof name === "string"))];
}

function areTensors(value: unknown): value is readonly TensorDescription[] {
  return (
    Array.isArray(value) &&
    value.every(
      (each: Partial<TensorDescription> | null) => typeof each?.name === "string" && Array.isArray(each.shape),
    )
  );
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw refusal("it must be JSON", body);
  }
}

function refusal(rule: string, body: Buffer): KnowledgeNetError {
  const value = body.toString("utf8", 0, 120);
  return new KnowledgeNetError("KN_DECODE", { attempt: "read the server's answer", rule, value });
}
