/** YAML text to a run spec. */
import { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";
import { parseYaml, type ParseYamlOptions } from "./parse-yaml.ts";
import { type RunSpec, SPEC_KINDS, SPEC_SCHEMAS } from "./spec-kinds.ts";
import type { TrainingSpec } from "./training-spec.ts";

export type ParseSpecOptions = Omit<ParseYamlOptions, "what">;

/** @throws KnowledgeNetError KN_CONFIG for text that is not YAML, unknown keys, and values that break a rule. */
export function parseSpec(text: string, options: ParseSpecOptions): RunSpec {
  const choose = (value: unknown): z.ZodType<RunSpec> | z.ZodError => {
    const kind = z.looseObject({ kind: z.enum(SPEC_KINDS) }).safeParse(value);
    return kind.success ? SPEC_SCHEMAS[kind.data.kind] : kind.error;
  };
  return parseYaml(text, choose, { ...options, what: "the run spec" });
}

/** Like `parseSpec`, for a training job only. @throws KnowledgeNetError KN_CONFIG also for any other kind. */
export function parseTrainingSpec(text: string, options: ParseSpecOptions): TrainingSpec {
  const spec = parseSpec(text, options);
  if (spec.kind === "training") return spec;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `read the run spec ${options.file}`,
    rule: "its kind must be training",
    value: spec.kind,
    remedy: "name the spec of a training run",
  });
}
