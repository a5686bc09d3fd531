/**
 * What the learner trains on beside new observations. Half of it is recent: the samples of the last windows, the newest
 * first where they are too many. A sample that leaves it is offered to the other half, a class-balanced sample of all of
 * the past. So no input is held twice, and each has its chance to stay.
 *
 * Samples are addressed by content: an input that has been labelled is not labelled, counted or held again. Each has the
 * oracle's soft label and the version of the oracle. All samples that are drawn have labels of one version: after a
 * change of the oracle the held ones are stale until they are labelled anew.
 *
 * Everything follows from the options and the order of the calls; `state` is enough to go on from.
 */
import { randomDraws } from "../../data/index.ts";
import { type ClassReservoir, type ClassReservoirState, createClassReservoir } from "./class-reservoir.ts";
import { parseReplayOptions, type ReplayInput, type ReplayOptions } from "./replay-options.ts";
import { contentDigest, type LabelledInput, type NotTaken, type ReplaySample } from "./replay-sample.ts";
import { readReplayState, type ReplayState, writeReplayState } from "./replay-state.ts";

export interface ReplayMemory {
  readonly options: ReplayOptions;
  /** Version of the labels; undefined before the first. */
  readonly oracleVersion: string | undefined;
  /** Newest window. */
  readonly window: number;
  readonly recent: readonly ReplaySample[];
  /** [class][slot] */
  readonly past: readonly (readonly ReplaySample[])[];
  /** Labelled by an earlier oracle: to be labelled and offered again, oldest first. Part of the capacity. */
  readonly stale: readonly ReplaySample[];
  readonly counts: Readonly<Record<NotTaken | "taken", number>>;
  /** False when the input has had a label of the current oracle, held or not. */
  needsLabel(values: Uint8Array | Float32Array): boolean;
  /** @returns undefined when it was taken, else why not. */
  offer(input: LabelledInput): NotTaken | undefined;
  /** Labels of another version are taken from now on, and no others. All held samples become stale. */
  startVersion(oracleVersion: string): void;
  /** The world has changed: samples of windows before `window` are not recent any more. */
  startEra(window: number): void;
  /**
   * At most `count` different samples: half recent, half of the past with its classes as equal as they can be; where one
   * half is short, the other fills. A function of what is held, the seed and `step`.
   */
  draw(count: number, step: number): readonly ReplaySample[];
  /** Structurally what a checkpoint stores. Arrays are copies. */
  state(): ReplayState;
}

/** As a state can store it. */
const MAX_WINDOW = 0x7fffffff;
const PAST = 0x70617374;
const DRAW = 0x64726177;

/**
 * @throws KnowledgeNetError KN_CONFIG for options that break a rule; KN_CHECKPOINT for a state of other options, or a
 * damaged one.
 */
export function createReplayMemory(input: ReplayInput, state?: ReplayState): ReplayMemory {
  const options = parseReplayOptions(input);
  const { seed, classes, capacity, recentWindows, ledgerDigests, sampleShape, dtype } = options;
  const elements = sampleShape.reduce((product, extent) => product * extent, 1);
  const recentCapacity = Math.floor(capacity / 2);
  const saved = state === undefined ? undefined : readReplayState(state, options);

  let oracleVersion = saved?.oracleVersion;
  let versions = saved?.versions ?? 0;
  let window = saved?.window ?? 0;
  /** First window of this world. */
  let era = saved?.era ?? 0;
  let recent: ReplaySample[] = [...(saved?.recent ?? [])];
  let stale: ReplaySample[] = [...(saved?.stale ?? [])];
  const ledger = new Set<string>(saved?.ledger);
  const counts = { ...(saved?.counts ?? { taken: 0, duplicate: 0, otherVersion: 0, invalid: 0 }) };

  const newPast = (from?: ClassReservoirState<ReplaySample>): ClassReservoir<ReplaySample> =>
    createClassReservoir({ classes, capacity: capacity - recentCapacity, words: [seed, PAST, versions] }, from);
  let past = newPast(saved?.past);

  const intoPast = (sample: ReplaySample): void => {
    past.offer(sample, labelOf(sample));
  };
  /** Moves what is not recent any more, oldest first. */
  const age = (): void => {
    const kept: ReplaySample[] = [];
    const tooMany = recent.length - recentCapacity;
    for (const [index, sample] of recent.entries()) {
      const isOld = sample.window <= window - recentWindows || sample.window < era;
      if (index < tooMany || isOld) intoPast(sample);
      else kept.push(sample);
    }
    recent = kept;
  };
  const remember = (digest: string): void => {
    ledger.add(digest);
    if (ledger.size <= ledgerDigests) return;
    for (const oldest of ledger) {
      ledger.delete(oldest);
      return;
    }
  };
  const isHeld = (digest: string): boolean =>
    recent.some((sample) => sample.digest === digest) ||
    past.held.some((samples) => samples.some((sample) => sample.digest === digest));
  const isKnown = (digest: string): boolean => ledger.has(digest) || isHeld(digest);
  const isValid = ({ values, softLabel, window: of }: LabelledInput): boolean =>
    values.length === elements &&
    values instanceof (dtype === "u8" ? Uint8Array : Float32Array) &&
    softLabel.length === classes &&
    softLabel.every(Number.isFinite) &&
    values.every(Number.isFinite) &&
    Number.isInteger(of) &&
    of >= 0 &&
    of <= MAX_WINDOW;
  const refuse = (cause: NotTaken): NotTaken => {
    counts[cause] += 1;
    return cause;
  };

  return {
    options,
    get oracleVersion() {
      return oracleVersion;
    },
    get window() {
      return window;
    },
    get recent() {
      return recent;
    },
    get past() {
      return past.held;
    },
    get stale() {
      return stale;
    },
    get counts() {
      return { ...counts };
    },
    needsLabel: (values) => !isKnown(contentDigest(values)),
    offer(labelled) {
      if (!isValid(labelled)) return refuse("invalid");
      oracleVersion ??= labelled.oracleVersion;
      if (labelled.oracleVersion !== oracleVersion) return refuse("otherVersion");
      const digest = contentDigest(labelled.values);
      if (isKnown(digest)) return refuse("duplicate");
      counts.taken += 1;
      remember(digest);
      stale = stale.filter((sample) => sample.digest !== digest);
      window = Math.max(window, labelled.window);
      const { values, softLabel, oracleVersion: version, window: of } = labelled;
      recent.push({ values, softLabel, oracleVersion: version, window: of, digest });
      age();
      const size = recent.length + past.held.reduce((sum, { length }) => sum + length, 0);
      if (size + stale.length > capacity) stale = stale.slice(size + stale.length - capacity);
      return undefined;
    },
    startVersion(next) {
      if (next === oracleVersion) return;
      oracleVersion = next;
      versions += 1;
      stale = [...stale, ...past.held.flat(), ...recent].sort((one, other) => one.window - other.window);
      recent = [];
      past = newPast();
      ledger.clear();
    },
    startEra(from) {
      era = Math.max(era, from);
      age();
    },
    draw(count, step) {
      const draws = randomDraws(seed, DRAW, step);
      const shuffled = <T>(items: readonly T[]): T[] => shuffle([...items], draws.below);
      const fresh = shuffled(recent);
      const old = interleave(shuffled(past.held.map(shuffled)));
      const fromRecent = Math.min(fresh.length, Math.max(Math.ceil(count / 2), count - old.length));
      return [...fresh.slice(0, fromRecent), ...old.slice(0, Math.max(0, count - fromRecent))];
    },
    state: () =>
      writeReplayState(
        { oracleVersion, versions, window, era, recent, past, stale, ledger: [...ledger], counts },
        options,
      ),
  };
}

function labelOf({ softLabel }: LabelledInput): number {
  return softLabel.reduce((best, score, label) => (score > (softLabel[best] as number) ? label : best), 0);
}

/** In place (Fisher-Yates). */
function shuffle<T>(items: T[], below: (count: number) => number): T[] {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = below(last + 1);
    [items[last], items[other]] = [items[other] as T, items[last] as T];
  }
  return items;
}

/** The first of each list, then the second of each, and so on. */
function interleave<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => lists.flatMap((list) => list.slice(index, index + 1))).flat();
}
