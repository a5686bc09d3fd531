/**
 * `npm run generate`: schemas/**.proto -> src/messages/generated/knowledgenet.ts, after `buf lint`.
 * `npm run generate -- --check`: writes nothing; exits 1 when the checked-in code is not what the schemas give.
 *
 * The result is one TypeScript file, so that `tsc` alone carries it to dist: pbjs's static code (as pbjs wrote it,
 * unchecked), then types derived from the same schemas. docs/adr/0003-wire-format.md has the reasons against pbts.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import pbjs from "protobufjs-cli/pbjs.js";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const SCHEMAS = path.join(ROOT, "schemas");
const PACKAGE = path.join(SCHEMAS, "knowledgenet", "v1");
const OUTPUT = path.join(ROOT, "src", "messages", "generated", "knowledgenet.ts");
const BUF = path.join(ROOT, "node_modules", "@bufbuild", "buf", "bin", "buf");

const STATIC_FLAGS = [
  ...["--target", "static-module", "--wrap", "esm", "--root", "knowledgenet"],
  // An absent field reads as null: pbjs's zero of a uint64 is a Long, and nothing here may meet one.
  ...["--force-number", "--null-defaults"],
  // Only encode and decode are called; the domain's own checks replace verify and convert.
  ...["--no-create", "--no-verify", "--no-convert", "--no-delimited", "--no-typeurl", "--no-service", "--no-comments"],
];

/** What the pbjs text must hold for the edits below to be right; a new pbjs that writes otherwise fails here. */
const EDITS = [
  ["export const knowledgenet = $root", "const knowledgenet = $root"],
  ["export {\n  $root as default\n};\n", ""],
  // The value of a map entry that has none: the one Long that --null-defaults leaves.
  ["$util.Long ? $util.Long.fromNumber(0, true) : 0", "0"],
];

const HEADER = `// @ts-nocheck
/* eslint-disable */
// Generated from schemas/ by \`npm run generate\`. Do not edit.
`;

const CODEC_TYPE = `
export interface WireCodec<Fields> {
  encode(message: Fields, writer?: $protobuf.Writer): $protobuf.Writer;
  decode(reader: $protobuf.Reader | Uint8Array, length?: number): Fields;
}
`;

const SCALARS = {
  bool: "boolean",
  double: "number",
  uint32: "number",
  uint64: "number",
  string: "string",
  bytes: "Uint8Array",
};

const protos = readdirSync(PACKAGE)
  .filter((name) => name.endsWith(".proto"))
  .sort()
  .map((name) => path.join(PACKAGE, name));

/** Runs pbjs over all schemas. @returns what it would have written. */
function runPbjs(flags) {
  return new Promise((resolve, reject) => {
    pbjs.main([...flags, "--path", SCHEMAS, ...protos], (error, output) => {
      if (error) reject(error);
      else resolve(output);
    });
  });
}

/** TypeScript type of one field as decoded; `null` is an absent field. */
function fieldType({ type, rule, keyType }, enums) {
  const element = SCALARS[type] ?? (enums.has(type) ? "number" : `${type}Fields`);
  if (keyType !== undefined) return `Readonly<Record<string, ${element}>> | null`;
  return rule === "repeated" ? `readonly ${element}[] | null` : `${element} | null`;
}

/** The object that pbjs makes of an enum, value by value. */
function enumType(values) {
  const members = Object.entries(values).map(([name, value]) => `readonly ${name}: ${value}`);
  return `{ ${members.join("; ")} }`;
}

/** The types and the one export, from the reflection of the schemas. */
function typesOf(reflection) {
  const declarations = Object.entries(reflection.nested.knowledgenet.nested.v1.nested);
  const nestedEnums = declarations.flatMap(([, { nested }]) => Object.keys(nested ?? {}));
  const enums = new Set([...declarations.filter(([, { values }]) => values).map(([name]) => name), ...nestedEnums]);
  const interfaces = [];
  const members = [];
  for (const [name, { values, fields, oneofs = {}, nested = {} }] of declarations) {
    if (values !== undefined) {
      members.push(`  readonly ${name}: ${enumType(values)};`);
      continue;
    }
    const lines = Object.entries(fields).map(([field, shape]) => `  readonly ${field}?: ${fieldType(shape, enums)};`);
    for (const [oneof, { oneof: choices }] of Object.entries(oneofs)) {
      // A oneof that pbjs makes for a proto3 `optional` is no choice.
      if (oneof.startsWith("_")) continue;
      lines.push(`  readonly ${oneof}?: ${choices.map((choice) => JSON.stringify(choice)).join(" | ")} | undefined;`);
    }
    const body = lines.length === 0 ? "{}" : `{\n${lines.join("\n")}\n}`;
    interfaces.push(`export interface ${name}Fields ${body}`);
    const inner = Object.entries(nested).map(([child, shape]) => ` & { readonly ${child}: ${enumType(shape.values)} }`);
    members.push(`  readonly ${name}: WireCodec<${name}Fields>${inner.join("")};`);
  }
  return `${interfaces.join("\n\n")}\n\nexport const wire: {\n${members.join("\n")}\n} = knowledgenet.v1;\n`;
}

async function generate() {
  let code = await runPbjs(STATIC_FLAGS);
  for (const [found, replacement] of EDITS) {
    if (!code.includes(found))
      throw new Error(`pbjs no longer writes ${JSON.stringify(found)}: revise scripts/generate.js`);
    code = code.replaceAll(found, replacement);
  }
  if (code.includes("Long")) throw new Error("pbjs has written a Long: revise scripts/generate.js");
  const reflection = JSON.parse(await runPbjs(["--target", "json"]));
  return `${HEADER}${code.trimEnd()}\n${CODEC_TYPE}\n${typesOf(reflection)}`;
}

execFileSync(process.execPath, [BUF, "lint"], { cwd: ROOT, stdio: "inherit" });
const fresh = await generate();
const name = path.relative(ROOT, OUTPUT);
if (process.argv.includes("--check")) {
  const present = existsSync(OUTPUT) ? readFileSync(OUTPUT, "utf8") : "";
  if (present !== fresh) {
    console.error(`${name} is not what the schemas give; run: npm run generate`);
    process.exitCode = 1;
  }
} else {
  mkdirSync(path.dirname(OUTPUT), { recursive: true });
  writeFileSync(OUTPUT, fresh);
  console.log(`wrote ${name}`);
}
