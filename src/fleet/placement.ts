/**
 * Assigns actors to nodes: first by the spec, then the most expensive block or section to the fastest node. Pure.
 */
import type { SliceDescription } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import {
  blockActor,
  COORDINATOR,
  FEEDER,
  gradientActor,
  parseActorRef,
  type RunPhase,
  type RunSpec,
} from "../run-spec/index.ts";
import { actorsOf, type RunSlices } from "../jobs/run-plan.ts";
import { type NodeRecord, WIRE_VERSION } from "./records.ts";

export interface PlacementOptions extends RunSlices {
  readonly spec: RunSpec;
  readonly phase: RunPhase;
  /** Nodes that are present. */
  readonly nodes: readonly NodeRecord[];
}

/**
 * @returns the node of each actor.
 * @throws KnowledgeNetError KN_CONFIG when there is no node, the spec names an absent node or a label that no node has,
 * or the named node uses another version of the messages.
 */
export function placeActors({ spec, phase, slices, teacherSlices, nodes }: PlacementOptions): Record<string, string> {
  const able = selectNodes(undefined, nodes);
  const [first] = able;
  if (first === undefined) {
    const strange = nodes.map(({ name, wireVersion }) => `${name} has ${wireVersion}`).join(", ");
    throw refusal(
      "a node with this version of the messages must be present",
      strange === "" ? "no nodes" : `${strange}, needed ${WIRE_VERSION}`,
      strange === "" ? "start one with `kn node --bus ...`" : "install one version everywhere",
    );
  }

  const { learners, gradientModels, teachers } = actorsOf(spec, phase);
  const placed: Record<string, string> = {};
  for (const [actor, selector] of Object.entries(spec.placement)) {
    const isUsed = [...learners, ...gradientModels, ...teachers, FEEDER, COORDINATOR].includes(actor);
    if (isUsed) placed[actor] = chooseBySelector(selector, actor, able, nodes, placed);
  }

  // The most expensive first, each on the node that would finish it soonest, given its load.
  const load = new Map(able.map(({ name }) => [name, 0]));
  const costOf = (actor: string): number => {
    const index = learners.indexOf(actor);
    if (index >= 0) return sum(learners.length === 1 ? slices : slices.slice(index, index + 1));
    // A teacher section computes the forward pass only: a third of the cost of training.
    const ref = parseActorRef(actor);
    return ref?.kind === "teacher-section" ? (teacherSlices[ref.index]?.macs ?? 0) / 3 : 0;
  };
  const speedOf = (name: string): number => Math.max(able.find((node) => node.name === name)?.gflops ?? 0, 1e-3);
  for (const [actor, name] of Object.entries(placed)) load.set(name, (load.get(name) ?? 0) + costOf(actor));
  const heavy = [...learners, ...teachers];
  const hosted = (name: string): number =>
    Object.entries(placed).filter(([actor, at]) => at === name && heavy.includes(actor)).length;
  for (const actor of [...heavy].sort((a, b) => costOf(b) - costOf(a))) {
    if (placed[actor] !== undefined) continue;
    // Round robin while there are nodes without a section.
    const [best] = [...able].sort(
      (a, b) =>
        hosted(a.name) - hosted(b.name) ||
        ((load.get(a.name) ?? 0) + costOf(actor)) / speedOf(a.name) -
          ((load.get(b.name) ?? 0) + costOf(actor)) / speedOf(b.name) ||
        (a.name < b.name ? -1 : 1),
    );
    const name = best?.name ?? first.name;
    placed[actor] = name;
    load.set(name, (load.get(name) ?? 0) + costOf(actor));
  }
  for (const actor of gradientModels) {
    placed[actor] ??= placed[blockActor(parseActorRef(actor)?.index ?? 0)] ?? first.name;
  }
  // Both are light; next to the first learner the batches cross no network.
  placed[FEEDER] ??= placed[learners[0] ?? ""] ?? first.name;
  placed[COORDINATOR] ??= placed[learners.at(-1) ?? ""] ?? first.name;
  return placed;
}

function sum(slices: readonly SliceDescription[]): number {
  return slices.reduce((total, { macs, parameters }) => total + macs + parameters, 0);
}

/** Whether the spec lets this actor move to another node. */
export function mayMove(spec: RunSpec, actor: string): boolean {
  const selector = spec.placement[actor];
  return selector === undefined || selector.includes("=");
}

/** Whether a gradient model is on another node than its block. */
export function isElsewhere(actors: Readonly<Record<string, string>>, boundary: number): boolean {
  const model = actors[gradientActor(boundary)];
  return model !== undefined && model !== actors[blockActor(boundary)];
}

/** Nodes with this version of the messages that match `selector`: by name, by `label=value`, or all. */
export function selectNodes(selector: string | undefined, nodes: readonly NodeRecord[]): readonly NodeRecord[] {
  const able = nodes.filter(({ wireVersion }) => wireVersion === WIRE_VERSION);
  if (selector === undefined) return able;
  const [label = "", value] = selector.split("=");
  return able.filter((node) => (value === undefined ? node.name === label : node.labels[label] === value));
}

function chooseBySelector(
  selector: string,
  actor: string,
  able: readonly NodeRecord[],
  nodes: readonly NodeRecord[],
  placed: Readonly<Record<string, string>>,
): string {
  const [, value] = selector.split("=");
  const matching = selectNodes(selector, able);
  const used = (name: string): number => Object.values(placed).filter((at) => at === name).length;
  const [best] = [...matching].sort((a, b) => used(a.name) - used(b.name) || b.gflops - a.gflops);
  if (best !== undefined) return best.name;
  const strange = nodes.find((node) => node.name === selector);
  const there = able.map((node) => `${node.name}${labelsOf(node)}`).join(", ");
  throw refusal(
    value === undefined
      ? `placement.${actor} must name a node that is present`
      : `placement.${actor} needs a node with the label ${selector}`,
    strange === undefined
      ? `${selector}; present are ${there}`
      : `${selector} uses version ${strange.wireVersion}, needed ${WIRE_VERSION}`,
    "`kn nodes` lists nodes and labels",
  );
}

function labelsOf({ labels }: NodeRecord): string {
  const text = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
  return text === "" ? "" : ` (${text})`;
}

function refusal(rule: string, value: string, remedy: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", { attempt: "place the actors", rule, value, remedy });
}
