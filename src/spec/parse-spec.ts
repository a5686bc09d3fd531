/**
 * YAML text to a run spec. Every error names file, line, column, the rule and the value, and the nearest known key.
 */
import { closest, distance } from "fastest-levenshtein";
import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";
import { type DistillationSpec, distillationSpecSchema } from "./distillation-spec.ts";
import { type TrainingSpec, trainingSpecSchema } from "./training-spec.ts";

/** Every kind of run there is, by the spec's `kind`. */
const SCHEMAS = { training: trainingSpecSchema, distillation: distillationSpecSchema } as const;
export type RunSpec = TrainingSpec | DistillationSpec;

export interface ParseSpecOptions {
  /** Name of the file, for errors. */
  readonly file: string;
  /** `path.to.key=value` overrides, applied before validation; values are YAML. @default [] */
  readonly set?: readonly string[];
}

/** @throws KnowledgeNetError KN_CONFIG for text that is not YAML, unknown keys, and values that break a rule. */
export function parseSpec(text: string, options: ParseSpecOptions): RunSpec {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    const { line, col } = lines.linePos(syntax.pos[0]);
    throw refusal(options.file, `${options.file}:${line}:${col}`, "the file must be YAML", undefined, syntax.message);
  }
  for (const assignment of options.set ?? []) applyOverride(document, assignment, options.file);

  const value: unknown = document.toJS();
  const kind = z.looseObject({ kind: z.enum(Object.keys(SCHEMAS) as (keyof typeof SCHEMAS)[]) }).safeParse(value);
  const parsed = kind.success ? SCHEMAS[kind.data.kind].safeParse(value, { reportInput: true }) : kind;
  if (parsed.success) return parsed.data;

  // A misspelt key also shows as the absence of the right one: name the cause.
  const issue = parsed.error.issues.find(({ code }) => code === "unrecognized_keys") ?? parsed.error.issues[0];
  if (issue === undefined) throw new TypeError("zod refused the spec without an issue");
  const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const place = `${options.file}:${positionOf(document, lines, unknown === undefined ? path : [...path, unknown])}`;
  if (unknown !== undefined) {
    const remedy = suggestion(unknown, knownKeys(SCHEMAS[kind.success ? kind.data.kind : "training"], path, value));
    throw refusal(options.file, place, `a key must be known here`, unknown, remedy);
  }
  const current: unknown = document.getIn(path);
  const shown = current === undefined ? "absent" : JSON.stringify(isScalar(current) ? current.value : current);
  throw refusal(
    options.file,
    place,
    `${path.join(".") || "the spec"}: ${issue.message}`,
    shown,
    "correct it and try again",
  );
}

/** As `parseSpec`, and refuses what is not a training run. */
export function parseTrainingSpec(text: string, options: ParseSpecOptions): TrainingSpec {
  const spec = parseSpec(text, options);
  if (spec.kind === "training") return spec;
  throw refusal(options.file, "kind", "it must be a training run", spec.kind, "use another spec");
}

function refusal(
  file: string,
  place: string,
  rule: string,
  value: string | undefined,
  remedy: string,
): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `read the run spec ${file}`,
    rule: `${rule} (${place})`,
    ...(value === undefined ? {} : { value }),
    remedy,
  });
}

/** `a.b.2.c=value`: sets what the path names, making maps on the way; `a.b=` takes it out. */
function applyOverride(document: Document, assignment: string, file: string): void {
  const equals = assignment.indexOf("=");
  const path = assignment.slice(0, equals).split(".");
  if (equals < 1 || path.some((key) => key === "")) {
    throw refusal(
      file,
      "--set",
      "an override must read path.to.key=value",
      assignment,
      "for example --set training.epochs=3",
    );
  }
  const keys = path.map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  try {
    const value = parseDocument(assignment.slice(equals + 1)).toJS() as unknown;
    if (value === null) document.deleteIn(keys);
    else document.setIn(keys, value);
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `apply --set ${assignment}`,
      rule: "the path must lead through maps and lists",
      remedy: `compare with ${file}`,
      cause: error,
    });
  }
}

/** "line:column" of the deepest part of `path` that stands in the file. */
function positionOf(document: Document, lines: LineCounter, path: readonly (string | number)[]): string {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const key = path[length - 1];
    const pair = isMap(parent)
      ? parent.items.find((item) => isScalar(item.key) && item.key.value === key)?.key
      : document.getIn(path.slice(0, length), true);
    const range = (pair as { range?: readonly number[] } | undefined)?.range;
    if (range?.[0] !== undefined) {
      const { line, col } = lines.linePos(range[0]);
      return `${line}:${col}`;
    }
  }
  return "1:1";
}

/** The keys that the schema knows at `path`. */
function knownKeys(schema: z.ZodType, path: readonly (string | number)[], value: unknown): string[] {
  let here: unknown = schema;
  let current: unknown = value;
  for (const key of path) {
    here = child(unwrap(here, current), key);
    current = (current as Record<string | number, unknown> | undefined)?.[key];
  }
  const object = unwrap(here, current);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function child(schema: unknown, key: string | number): unknown {
  if (schema instanceof z.ZodObject) return (schema.shape as Record<string, unknown>)[key];
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  return undefined;
}

/** The schema below defaults and options; of a union, the branch that the value chooses by its literal keys. */
function unwrap(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap(), value);
  }
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const key = schema.def.discriminator;
    const wanted = (value as Record<string, unknown> | undefined)?.[key];
    return schema.options.find(
      (option) => option instanceof z.ZodObject && (option.shape[key] as z.ZodLiteral).values.has(wanted as never),
    );
  }
  return schema;
}

function suggestion(key: string, known: readonly string[]): string {
  if (known.length === 0) return "remove it";
  const nearest = closest(key, known);
  return distance(key, nearest) <= Math.max(2, key.length / 3)
    ? `did you mean '${nearest}'?`
    : `known keys: ${known.join(", ")}`;
}
