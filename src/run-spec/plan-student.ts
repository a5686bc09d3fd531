/**
 * Derives a student from a teacher: the same boundaries, so that a section of the one can replace the section of the
 * other, and smaller layers inside. Depth is kept longest, since one convolution cannot quite imitate two: first the
 * layers inside the sections become narrower, then some are removed, and only then the boundaries become narrower too,
 * with adapters (adapters.ts).
 *
 * Each round shrinks the section that is most expensive in the resource furthest over its budget. So all sections end
 * at about the same cost, which suits sections that train side by side.
 */
import { layersOfBlocks, type LayerSpec, type ModelSpec } from "./model-spec.ts";
import { measureSections, type SectionMeasure } from "./measure-model.ts";

export interface PlanOptions {
  /** Share of the teacher's parameters to save, 0 to 1. */
  readonly compress: number;
  /** Share of its multiply-accumulates to save, 0 to 1. */
  readonly compressMacs: number;
}

export interface StudentPlan {
  readonly model: ModelSpec;
  readonly teacher: readonly SectionMeasure[];
  readonly student: readonly SectionMeasure[];
  /** Saved shares, 0 to 1. */
  readonly saved: { readonly parameters: number; readonly macs: number };
  /** Both targets are met. */
  readonly meetsTarget: boolean;
  /** Changes to each section, for a reader. */
  readonly notes: readonly string[];
}

type Resource = "parameters" | "macs";

/** Widths shrink in steps of this share of the teacher's. */
const STEP = 1 / 32;
/** Below this share of its width a layer is removed instead. */
const LEAST_SHARE = 1 / 4;
/** Widths are multiples of it: vector units work on so many at once. */
const GRAIN = 4;

/** Changes to one section so far. */
interface Shrinking {
  /** Of the widths inside. */
  share: number;
  /** Groups of layers that are left out, from the back. */
  dropped: number;
  /** Of the width at its end. */
  boundaryShare: number;
}

export function planStudent(teacher: ModelSpec, { compress, compressMacs }: PlanOptions): StudentPlan {
  const measured = measureSections(teacher);
  const whole = totalsOf(measured);
  const budget = { parameters: (1 - compress) * whole.parameters, macs: (1 - compressMacs) * whole.macs };
  const blocks = layersOfBlocks(teacher);
  const state: Shrinking[] = blocks.map(() => ({ share: 1, dropped: 0, boundaryShare: 1 }));

  const modelNow = (): ModelSpec => {
    const layers = blocks.flatMap((block, index) =>
      shrink(block, state[index] as Shrinking, index === blocks.length - 1),
    );
    return { ...teacher, layers };
  };
  let model = modelNow();
  let sections = measureSections(model);

  for (;;) {
    const resource = furthestOver(totalsOf(sections), budget);
    if (resource === undefined || !takeFrom(sections, resource, blocks, state)) break;
    model = modelNow();
    sections = measureSections(model);
  }

  const totals = totalsOf(sections);
  return {
    model,
    teacher: measured,
    student: sections,
    saved: { parameters: 1 - totals.parameters / whole.parameters, macs: 1 - totals.macs / whole.macs },
    meetsTarget: furthestOver(totals, budget) === undefined,
    notes: state.map((each, index) => noteOf(each, index)),
  };
}

function totalsOf(sections: readonly SectionMeasure[]): Record<Resource, number> {
  const sum = (of: Resource): number => sections.reduce((total, section) => total + section[of], 0);
  return { parameters: sum("parameters"), macs: sum("macs") };
}

/** The resource that exceeds its budget most, as a multiple; undefined: none does. */
function furthestOver(
  totals: Readonly<Record<Resource, number>>,
  budget: Readonly<Record<Resource, number>>,
): Resource | undefined {
  const excess = (of: Resource): number => totals[of] / Math.max(budget[of], 1e-9);
  const resource: Resource = excess("parameters") >= excess("macs") ? "parameters" : "macs";
  return excess(resource) > 1 ? resource : undefined;
}

/** Shrinks the most expensive section that can still shrink by one step. @returns false when none can. */
function takeFrom(
  sections: readonly SectionMeasure[],
  resource: Resource,
  blocks: readonly (readonly LayerSpec[])[],
  state: readonly Shrinking[],
): boolean {
  const byCost = [...sections.keys()].sort((a, b) => (sections[b]?.[resource] ?? 0) - (sections[a]?.[resource] ?? 0));
  const ways: ((each: Shrinking, index: number) => boolean)[] = [
    (each, index) => {
      if (insideOf(blocks[index] ?? []).length === each.dropped || each.share - STEP < LEAST_SHARE) return false;
      each.share -= STEP;
      return true;
    },
    (each, index) => {
      if (insideOf(blocks[index] ?? []).length === each.dropped) return false;
      each.dropped += 1;
      return true;
    },
    (each, index) => {
      if (index === blocks.length - 1 || each.boundaryShare - STEP < LEAST_SHARE) return false;
      each.boundaryShare -= STEP;
      return true;
    },
  ];
  for (const way of ways) {
    for (const index of byCost) if (way(state[index] as Shrinking, index)) return true;
  }
  return false;
}

/** Layers of a block with a width of their own, but for the last, which makes the boundary. */
function insideOf(block: readonly LayerSpec[]): LayerSpec[] {
  return block.filter(hasWidth).slice(0, -1);
}

function hasWidth({ type }: LayerSpec): boolean {
  return type === "conv2d" || type === "dense";
}

function shrink(
  block: readonly LayerSpec[],
  { share, dropped, boundaryShare }: Shrinking,
  isLast: boolean,
): LayerSpec[] {
  const inside = insideOf(block);
  const gone = new Set(inside.slice(inside.length - dropped));
  const boundary = block.findLast(hasWidth);
  const kept: LayerSpec[] = [];
  let isDropping = false;
  for (const layer of block) {
    // A removed layer takes its norm, its activation and its dropout with it.
    if (hasWidth(layer)) isDropping = gone.has(layer);
    else if (!["batch_normalization", "re_lu", "dropout"].includes(layer.type)) isDropping = false;
    if (isDropping) continue;
    if (layer === boundary) kept.push(isLast ? layer : scaled(layer, boundaryShare));
    else kept.push(inside.includes(layer) ? scaled(layer, share) : layer);
  }
  return kept;
}

function scaled(layer: LayerSpec, share: number): LayerSpec {
  const width = (full: number): number =>
    share === 1 ? full : Math.max(GRAIN, Math.floor((full * share) / GRAIN) * GRAIN);
  if (layer.type === "conv2d") return { ...layer, filters: width(layer.filters) };
  return layer.type === "dense" ? { ...layer, units: width(layer.units) } : layer;
}

function noteOf({ share, dropped, boundaryShare }: Shrinking, index: number): string {
  const percent = (of: number): string => `${Math.round(100 * of)} %`;
  const changes = [
    ...(share < 1 ? [`${percent(share)} of the width inside`] : []),
    ...(dropped > 0 ? [`${dropped} of the layers inside removed`] : []),
    ...(boundaryShare < 1 ? [`${percent(boundaryShare)} of the boundary's width, with an adapter`] : []),
  ];
  return `section ${index}: ${changes.length === 0 ? "as the teacher's" : changes.join(", ")}`;
}
