import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { EXIT_BY_SIGNAL, exitCodeOf, exitCodeOfErrorCode } from "../../../../src/apps/cli/exit.ts";
import { ERROR_CODES, KnowledgeNetError } from "../../../../src/errors/index.ts";

const RULE = { attempt: "try", rule: "it must work" };

it("exitCodeOf gives an error of this process and a code from another one the same exit code", () => {
  for (const code of ERROR_CODES) expect(exitCodeOfErrorCode(code)).toBe(exitCodeOf(new KnowledgeNetError(code, RULE)));
});

it.each([
  ["KN_CONFIG", 2],
  ["KN_SHAPE", 2],
  ["KN_UNAVAILABLE", 3],
  ["KN_CHECKPOINT", 4],
  ["KN_NUMERIC", 1],
  ["KN_OTHER_VERSION", 1],
  [undefined, 1],
])("exitCodeOfErrorCode maps %s to %i", (code, exit) => {
  expect(exitCodeOfErrorCode(code)).toBe(exit);
});

it("exitCodeOf maps an error without a code to 1", () => {
  expect(exitCodeOf(new Error("other"))).toBe(1);
});

it("docs/errors.md lists every exit code", () => {
  const text = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
  const section = text.slice(text.indexOf("## Exit codes"), text.indexOf("## Drops"));
  for (const code of [0, 1, 2, 3, 4, ...Object.values(EXIT_BY_SIGNAL)])
    expect(section).toMatch(new RegExp(`\\b${code}\\b`));
});
