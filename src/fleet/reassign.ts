/** New nodes for the actors of lost ones. Pure. */
import { mayMove, placeActors, selectNodes } from "./placement.ts";
import type { NodeRecord, RunRecordEntry } from "./records.ts";

/**
 * @param lost nodes that count as gone
 * @param nodes nodes that are present
 * @returns the new node of each actor that can move. An actor whose node or label is absent waits and blocks no other
 */
export function reassignLostActors(
  record: Pick<RunRecordEntry, "spec" | "phase" | "slices" | "teacherSlices" | "actors">,
  lost: ReadonlySet<string>,
  nodes: readonly NodeRecord[],
): Record<string, string> {
  const { spec, actors } = record;
  const placeable = (actor: string): boolean => {
    const selector = spec.placement[actor];
    return mayMove(spec, actor) && (selector === undefined || selectNodes(selector, nodes).length > 0);
  };
  const moving = Object.keys(actors).filter((actor) => lost.has(actors[actor] ?? "") && placeable(actor));
  if (moving.length === 0 || selectNodes(undefined, nodes).length === 0) return {};
  // Actors on present nodes stay, and count as load; those that wait for their node get no assignment.
  const placement = Object.fromEntries(
    Object.entries(actors).flatMap(([actor, node]): [string, string][] => {
      const selector = spec.placement[actor];
      if (moving.includes(actor)) return selector === undefined ? [] : [[actor, selector]];
      return selectNodes(node, nodes).length > 0 ? [[actor, node]] : [];
    }),
  );
  const placed = placeActors({ ...record, spec: { ...spec, placement }, nodes });
  return Object.fromEntries(moving.map((actor) => [actor, placed[actor] ?? actors[actor] ?? ""]));
}
