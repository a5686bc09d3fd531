/** YAML text to a run spec. */
import { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";
import { type DistillationSpec, distillationSpecSchema } from "./distillation-spec.ts";
import { parseYaml, type ParseYamlOptions } from "./parse-yaml.ts";
import { type TrainingSpec, trainingSpecSchema } from "./training-spec.ts";

/** Every kind of run there is, by the spec's `kind`. */
const SCHEMAS = { training: trainingSpecSchema, distillation: distillationSpecSchema } as const;
export type RunSpec = TrainingSpec | DistillationSpec;

export type ParseSpecOptions = Omit<ParseYamlOptions, "what">;

/** @throws KnowledgeNetError KN_CONFIG for text that is not YAML, unknown keys, and values that break a rule. */
export function parseSpec(text: string, options: ParseSpecOptions): RunSpec {
  const choose = (value: unknown): z.ZodType<RunSpec> | z.ZodError => {
    const kind = z.looseObject({ kind: z.enum(Object.keys(SCHEMAS) as (keyof typeof SCHEMAS)[]) }).safeParse(value);
    return kind.success ? SCHEMAS[kind.data.kind] : kind.error;
  };
  return parseYaml(text, choose, { ...options, what: "the run spec" });
}

/** As `parseSpec`, and refuses what is not a training run. */
export function parseTrainingSpec(text: string, options: ParseSpecOptions): TrainingSpec {
  const spec = parseSpec(text, options);
  if (spec.kind === "training") return spec;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `read the run spec ${options.file}`,
    rule: "it must be a training run (kind)",
    value: spec.kind,
    remedy: "use another spec",
  });
}
