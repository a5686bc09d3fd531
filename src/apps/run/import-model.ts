import { KnowledgeNetError } from "../../errors/index.ts";
import type { FoundModel } from "./find-teacher.ts";

export function importModelFile(file: string): Promise<FoundModel> {
  return Promise.reject(
    new KnowledgeNetError("KN_CONFIG", { attempt: `import ${file}`, rule: "not there yet", value: file }),
  );
}
