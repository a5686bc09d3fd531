/** Places the replicas of a served model on nodes: those that are well placed stay. Pure. */
import { KnowledgeNetError } from "../errors/index.ts";
import { replicaActor, type ServingSpec } from "../run-spec/index.ts";
import { selectNodes } from "./placement.ts";
import type { NodeRecord } from "./records.ts";

export interface PlaceReplicasOptions {
  readonly spec: ServingSpec;
  readonly slices: number;
  /** Nodes that are present. */
  readonly nodes: readonly NodeRecord[];
  /** Node of each replica so far. */
  readonly before: Readonly<Record<string, string>>;
  /** Nodes of the replicas of other models, one entry for each. */
  readonly others?: readonly string[];
}

/**
 * One after another, each on the matching node with the fewest replicas of any model, the fastest first. `placement` names a node or a
 * label by replica, or by `replica` for all.
 *
 * @returns replicas without a matching node are left out: they wait for one.
 */
export function placeReplicas({
  spec,
  slices,
  nodes,
  before,
  others = [],
}: PlaceReplicasOptions): Record<string, string> {
  const placed: Record<string, string> = {};
  const hosted = new Map<string, number>();
  for (const node of others) hosted.set(node, (hosted.get(node) ?? 0) + 1);
  const put = (id: string, node: string): void => {
    placed[id] = node;
    hosted.set(node, (hosted.get(node) ?? 0) + 1);
  };
  const waiting: string[] = [];
  for (let slice = 0; slice < slices; slice += 1) {
    for (let copy = 0; copy < spec.replicas; copy += 1) {
      const id = replicaActor(slice, copy);
      const node = before[id];
      if (node !== undefined && matching(spec, id, nodes).some(({ name }) => name === node)) put(id, node);
      else waiting.push(id);
    }
  }
  for (const id of waiting) {
    const [best] = [...matching(spec, id, nodes)].sort(
      (a, b) =>
        (hosted.get(a.name) ?? 0) - (hosted.get(b.name) ?? 0) || b.gflops - a.gflops || (a.name < b.name ? -1 : 1),
    );
    if (best !== undefined) put(id, best.name);
  }
  return placed;
}

function matching({ placement }: ServingSpec, id: string, nodes: readonly NodeRecord[]): readonly NodeRecord[] {
  return selectNodes(placement[id] ?? placement["replica"], nodes);
}

/** @throws KnowledgeNetError KN_CONFIG when no node can host any of them now */
export function assertPlaced(spec: ServingSpec, placed: Readonly<Record<string, string>>): void {
  if (Object.keys(placed).length > 0 || spec.replicas === 0) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `serve ${spec.model} on the fleet`,
    rule: "a node must be present that `placement` allows, with this version of the messages",
    value: "none",
    remedy: "start one with `kn node --bus ...`; `kn nodes` lists them",
  });
}
