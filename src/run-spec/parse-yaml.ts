/**
 * YAML text to a value that follows a schema. Every error names file, line, column, the rule and the value, and the
 * nearest known key.
 */
import { closest, distance } from "fastest-levenshtein";
import { type Alias, type Document, isMap, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";

export interface ParseYamlOptions {
  /** What the file is, for errors: "the run spec". */
  readonly what: string;
  /** Name of the file, for errors. */
  readonly file: string;
  /** `path.to.key=value` overrides, applied before validation; values are YAML. @default [] */
  readonly set?: readonly string[];
}

/** Parses `text` by the schema that `choose` gives for its value. @throws KnowledgeNetError KN_CONFIG */
export function parseYaml<T>(
  text: string,
  choose: (value: unknown) => z.ZodType<T> | z.ZodError,
  { what, file, set = [] }: ParseYamlOptions,
): T {
  const refuse = (rule: string, place: string, value: string | undefined, remedy: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", {
      attempt: `read ${what} ${file}`,
      rule: `${rule} (${place})`,
      ...(value === undefined ? {} : { value }),
      remedy,
    });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    const { line, col } = lines.linePos(syntax.pos[0]);
    throw refuse("the file must be YAML", `${file}:${line}:${col}`, undefined, syntax.message);
  }
  for (const assignment of set) applyOverride(document, assignment, file);

  const alias = aliasWithoutAnchor(document);
  if (alias !== undefined) {
    const { line, col } = lines.linePos(alias.range?.[0] ?? 0);
    throw refuse("an alias must name an anchor before it", `${file}:${line}:${col}`, `*${alias.source}`, "define it");
  }
  const value: unknown = document.toJS();
  const chosen = choose(value);
  const schema = chosen instanceof z.ZodError ? undefined : chosen;
  const parsed = chosen instanceof z.ZodError ? { error: chosen } : chosen.safeParse(value, { reportInput: true });
  if ("data" in parsed && parsed.success) return parsed.data;

  // A misspelt key also shows as the absence of the right one: name the cause.
  const issues = parsed.error?.issues ?? [];
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (issue === undefined) throw new TypeError(`zod refused ${what} without an issue`);
  const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const place = `${file}:${positionOf(document, lines, unknown === undefined ? path : [...path, unknown])}`;
  if (unknown !== undefined) {
    const known = schema === undefined ? [] : knownKeys(schema, path, value);
    throw refuse("a key must be known here", place, unknown, suggestion(unknown, known));
  }
  const current: unknown = document.getIn(path);
  const shown = current === undefined ? "absent" : JSON.stringify(isScalar(current) ? current.value : current);
  throw refuse(`${path.join(".") || what}: ${issue.message}`, place, shown, "correct it and try again");
}

/** `a.b.2.c=value`: sets what the path names, making maps on the way; `a.b=` takes it out. */
function applyOverride(document: Document, assignment: string, file: string): void {
  const equals = assignment.indexOf("=");
  const path = assignment.slice(0, equals).split(".");
  if (equals < 1 || path.some((key) => key === "")) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `apply --set to ${file}`,
      rule: "an override must read path.to.key=value",
      value: assignment,
      remedy: "for example --set training.epochs=3",
    });
  }
  const keys = path.map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  const value = overrideValue(assignment, assignment.slice(equals + 1));
  try {
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

/** The value of an override: all of its text, by the rules of YAML. */
function overrideValue(assignment: string, text: string): unknown {
  const parsed = parseDocument(text, { prettyErrors: false });
  const [syntax] = parsed.errors;
  const reason = syntax?.message ?? (aliasWithoutAnchor(parsed) === undefined ? undefined : "an alias without anchor");
  if (reason === undefined) return parsed.toJS();
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `apply --set ${assignment}`,
    rule: "its value must be YAML",
    value: reason,
    remedy: "close its quotes and brackets",
    ...(syntax === undefined ? {} : { cause: syntax }),
  });
}

/** The first alias without an anchor: a syntax error that the parser leaves to the conversion. */
function aliasWithoutAnchor(document: Document): Alias | undefined {
  let found: Alias | undefined;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      found = alias;
      return visit.BREAK;
    },
  });
  return found;
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

/** The keys of the schema at `path`. */
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
