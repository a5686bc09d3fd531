/** `--cuts a,b`: the layers after which a network is cut. */
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { ModelSpec } from "../../../run-spec/index.ts";

/**
 * @param text names with commas between; undefined: the model's own cuts.
 * @throws KnowledgeNetError KN_CONFIG when a cut names no layer, goes back, or leaves nothing behind it.
 */
export function readCuts({ layers, cuts }: ModelSpec, file: string, text: string | undefined): string[] {
  if (text === undefined) return cuts;
  const chosen = text.split(",").map((name) => name.trim());
  const names = layers.map(({ name }) => name);
  const positions = chosen.map((name) => names.indexOf(name));
  const refuse = (rule: string, value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", { attempt: `cut ${file}`, rule, value, remedy: "correct --cuts" });
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown !== undefined) throw refuse(`a cut must name a layer (${names.join(", ")})`, unknown);
  if (positions.some((position, index) => position <= (positions[index - 1] ?? -1))) {
    throw refuse("cuts must follow the order of the layers", chosen.join(", "));
  }
  if (positions.includes(names.length - 1)) {
    throw refuse("a cut must leave a layer behind it", names.at(-1) ?? "");
  }
  return chosen;
}
