import { describe, expect, it } from "vitest";
import {
  type FollowedInput,
  type FollowEvent,
  type Follower,
  type FollowerDeps,
  type FollowerOptions,
  type FollowStep,
  type Oracle,
  resumeFollower,
  type SentUpdate,
  startFollower,
  type StudentLab,
  type TrainPlan,
} from "../../../../src/actors/learner/index.ts";
import { GATE_RULES, judge, type Judgement, type RuleName } from "../../../../src/continuous/index.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../../src/messages/checkpoint/index.ts";
import type { NamedTensors } from "../../../../src/models/index.ts";
import { applyUpdates, digestOfTensors } from "../../../../src/models/updates/index.ts";
import {
  classOf,
  CLASSES,
  firstWeights,
  type LinearLab,
  linearLab,
  logitsOf,
  pointOf,
  roundOf,
  SAMPLE_SHAPE,
  type WorldOracle,
  worldOracle,
} from "../../../support/turning-world.ts";

const OPTIONS: FollowerOptions = {
  model: "points",
  seed: 1,
  classes: CLASSES,
  sampleShape: [...SAMPLE_SHAPE],
  dtype: "f32",
  window: { observations: 100, roundObservations: 20 },
  training: {
    steps: 60,
    batchSize: 64,
    rehearsalShare: 0,
    replay: 250,
    recentWindows: 2,
    sectionSteps: 0,
    probeShare: 0.2,
    below: 0.97,
    enough: 0.97,
  },
  update: { fraction: 0.9, coding: { codec: "f32" }, anchorEvery: 20, maxBytes: 1e6 },
  // The world turns for good: what was right in window 0 is forgotten rightly.
  gate: { ...GATE_RULES, forgetting: 1, recallDrop: 1, recallFloor: 0 },
  watch: { alpha: 0.01 },
  evidence: "uniform",
};
const THIRD = Math.PI / 3;

interface Followed {
  readonly lab: LinearLab;
  readonly oracle: WorldOracle;
  readonly deps: FollowerDeps;
  readonly follower: Follower;
  readonly events: FollowEvent[];
  readonly updates: SentUpdate[];
}

async function follow(options = OPTIONS, given: Partial<FollowerDeps> = {}): Promise<Followed> {
  const [lab, oracle] = [linearLab(), worldOracle()];
  const deps = { lab, oracle, ...given };
  const { follower, step } = await startFollower(options, deps, { weights: firstWeights() });
  return { lab, oracle, deps, follower, events: [...step.events], updates: [...step.updates] };
}

/** Windows `from` to `to` of a world that is turned by `turn`. */
async function pass(
  { follower, events, updates }: Followed,
  { from, to, turn }: { from: number; to: number; turn: number },
): Promise<void> {
  const { observations, roundObservations } = OPTIONS.window;
  for (let at = from * observations; at < to * observations; at += roundObservations) {
    const step = await follower.observe(roundOf(at, roundObservations, turn));
    events.push(...step.events);
    updates.push(...step.updates);
  }
}

function accuracy(weights: NamedTensors, turn: number): number {
  const points = Array.from({ length: 1_000 }, (_, index) => pointOf(index, turn, 2));
  const right = points.filter((point) => {
    const logits = logitsOf(weights, point);
    return logits.indexOf(Math.max(...logits)) === classOf(point);
  });
  return right.length / points.length;
}

const SHAPES = { "weights/dense/kernel": [3, 3], "weights/norm/moving_mean": [1] };

interface EdgeCounts {
  candidate: number;
  compared: number;
  disagreements: number;
  seen: number;
}

const kinds = (events: readonly FollowEvent[]): string[] => events.map(({ kind }) => kind);

describe("startFollower", () => {
  it("rests while the world does", async () => {
    const followed = await follow();
    await pass(followed, { from: 0, to: 3, turn: 0 });
    expect(kinds(followed.events)).toEqual(["anchor", "window", "window", "window"]);
    expect(followed.lab.trained).toBe(0);
    expect([...followed.lab.held.keys()]).toEqual([1]);
  });

  it("follows a world that turns, and devices have what it has", async () => {
    const followed = await follow();
    const { follower, events, updates } = followed;
    await pass(followed, { from: 0, to: 2, turn: 0 });
    await pass(followed, { from: 2, to: 8, turn: THIRD });
    expect(accuracy(firstWeights(), THIRD)).toBeLessThan(0.6);
    // Half of what it rehearses is of the old world, which contradicts the new one.
    expect(accuracy(follower.state.live.weights, THIRD)).toBeGreaterThan(0.85);
    expect(kinds(events)).toContain("promotion");
    const onDevice = applyUpdates(
      updates.map(({ update }) => update),
      SHAPES,
      undefined,
    );
    expect(digestOfTensors(onDevice)).toBe(digestOfTensors(follower.state.live.weights));
    expect(follower.state.chain.newest?.number).toBe(follower.state.live.number);
  });

  it("decides on at most the budget of labels, and the record is judged alike", async () => {
    const followed = await follow();
    await pass(followed, { from: 0, to: 1, turn: 0 });
    await pass(followed, { from: 1, to: 6, turn: THIRD });
    const decisions = followed.events.flatMap((event) =>
      event.kind === "promotion" || event.kind === "refusal" ? (event.decision ?? []) : [],
    );
    expect(decisions.length).toBeGreaterThan(0);
    for (const { evidence, rules, judgement } of decisions) {
      expect(judgement.labels).toBeLessThanOrEqual(rules.labelBudget);
      expect(judge(structuredClone(evidence), rules)).toEqual(judgement);
    }
  });

  it.each<[string, (weights: NamedTensors) => NamedTensors]>([
    ["not finite", (weights) => changed(weights, () => Number.NaN)],
    ["constant", (weights) => changed(weights, (_, place) => (place === 6 ? 9 : 0))],
    [
      "of swapped classes",
      (weights) =>
        changed(
          weights,
          (_, place, all) => all[place % 3 === 0 ? place + 1 : place % 3 === 1 ? place - 1 : place] as number,
        ),
    ],
    ["of flipped labels", (weights) => changed(weights, (value) => -value)],
    ["of weights that are scaled until answers overflow", (weights) => changed(weights, (value) => 1e38 * value)],
    [
      "for inputs that are prepared otherwise",
      (weights) => changed(weights, (value, place) => (place < 3 ? -value : value)),
    ],
  ])("refuses a candidate that is %s", async (_, poison) => {
    const followed = await follow({ ...OPTIONS, update: { ...OPTIONS.update, fraction: 1 } });
    await pass(followed, { from: 0, to: 1, turn: 0 });
    followed.lab.poison = poison;
    await pass(followed, { from: 1, to: 4, turn: 0.2 });
    expect(kinds(followed.events)).toContain("refusal");
    expect(kinds(followed.events)).not.toContain("promotion");
    expect(followed.follower.state.live.number).toBe(1);
  });

  it.each([
    [[1.5, 1.4, 1], false],
    [[1.5, 1.4, 1.3], true],
  ])("is refused as slow when it is slow each time: ratios %j", async (ratios, isRefused) => {
    const followed = await follow();
    const left = [...ratios];
    followed.lab.compareLatency = () => Promise.resolve({ live: 1, candidate: left.shift() ?? 1 });
    await pass(followed, { from: 0, to: 1, turn: 0 });
    await pass(followed, { from: 1, to: 3, turn: THIRD });
    const first = followed.events.find((event) => event.kind === "promotion" || event.kind === "refusal");
    expect(first).toMatchObject(
      isRefused ? { kind: "refusal", reason: expect.stringContaining("latency") as string } : { kind: "promotion" },
    );
  });

  it("refuses what it was long ago", async () => {
    const followed = await follow({ ...OPTIONS, update: { ...OPTIONS.update, fraction: 1 } });
    await pass(followed, { from: 0, to: 1, turn: 0 });
    await pass(followed, { from: 1, to: 6, turn: THIRD });
    const { live, candidate: onTrial } = followed.follower.state;
    expect(live.number).toBeGreaterThan(1);
    followed.lab.poison = firstWeights;
    const known = followed.events.length;
    await pass(followed, { from: 6, to: 9, turn: 1.3 });
    const events = followed.events.slice(known);
    expect(events.filter(({ kind }) => kind === "candidate").length).toBeGreaterThan(1);
    const promotions = events.flatMap((event) => (event.kind === "promotion" ? [event.number] : []));
    expect(promotions.filter((each) => each !== onTrial?.number)).toEqual([]);
  });

  it("returns to the release before as soon as live figures fall, under a new number", async () => {
    let verdicts = 0;
    const followed = await follow(OPTIONS, {
      judge(evidence, rules) {
        verdicts += 1;
        return { ...judge(evidence, rules), verdict: verdicts === 1 ? "promote" : "continue" };
      },
    });
    await pass(followed, { from: 0, to: 1, turn: 0 });
    const { live: before } = followed.follower.state;
    followed.lab.poison = (weights) => changed(weights, (value) => -value);
    await pass(followed, { from: 1, to: 5, turn: 0.2 });
    const order = kinds(followed.events);
    const promotion = followed.events[order.indexOf("promotion")] as { readonly number: number };
    const rollback = followed.events[order.indexOf("rollback")] as { readonly number: number };
    expect(rollback).toMatchObject({ from: promotion.number, to: before.number });
    // It does not wait for the end of the window.
    expect(order.slice(order.indexOf("promotion"), order.indexOf("rollback"))).not.toContain("window");
    const sent = followed.updates.find(({ update }) => update.result.number === rollback.number);
    expect(sent?.update.kind).toBe("restore");
    expect(sent?.update.result.digest).toBe(digestOfTensors(before.weights));
    // No number is used twice, of a candidate that was made from it either.
    const made = followed.events.flatMap((event) => (event.kind === "candidate" ? [event.number] : []));
    expect(made).not.toContain(rollback.number);
  });

  it("goes on from a candidate that nothing spoke against, in an update that is not larger", async () => {
    const { followed, trainings } = await withRefusals("window budget");
    const [first, second] = followed.events.flatMap((event) => (event.kind === "candidate" ? [event] : []));
    const [, , again] = trainings; // after the probe and the training of the first
    const { live, candidate } = followed.follower.state;
    expect(second?.candidate).toBe(2);
    expect(again?.from).not.toEqual(live.weights);
    expect(again?.plan.focus).toEqual(placesBetween(live.weights, again?.from ?? {}));
    expect(second?.bytes).toBeLessThanOrEqual(first?.bytes ?? 0);
    // An update of what is live: devices never had the one before.
    const { offer } = await followed.follower.observe(roundOf(9_000, 20, THIRD));
    const onDevice = applyUpdates([offer?.update as SentUpdate["update"]], SHAPES, live.weights);
    expect(digestOfTensors(onDevice)).toBe(digestOfTensors(candidate?.weights ?? {}));
  });

  it("trains its sections by the oracle's before it trains as a whole, where the oracle's teach", async () => {
    const options = { ...OPTIONS, training: { ...OPTIONS.training, sectionSteps: 3 } };
    const teach = (asked: string[]): NonNullable<Oracle["teach"]> => {
      return (inputs, version) => {
        asked.push(version);
        const logits = new Float32Array((inputs.shape[0] ?? 0) * CLASSES);
        return Promise.resolve({
          activations: [],
          logits: { dtype: "f32", shape: [logits.length, 1], values: logits },
        });
      };
    };
    const versions: string[] = [];
    const taught = await follow(options, { oracle: { ...worldOracle(), teach: teach(versions) } });
    const alone = await follow(options);
    for (const each of [taught, alone]) {
      await pass(each, { from: 0, to: 1, turn: 0 });
      await pass(each, { from: 1, to: 2, turn: THIRD });
      expect(each.follower.state.candidate).toBeDefined();
    }
    expect(taught.lab.taught).toBeGreaterThan(0);
    expect(versions).toEqual(Array.from({ length: 3 * taught.lab.taught }, () => "1"));
    expect(alone.lab.taught).toBe(0);
    const [own, other] = [taught, alone].map(({ follower }) =>
      digestOfTensors(follower.state.candidate?.weights ?? {}),
    );
    expect(own).not.toBe(other);
  });

  it("begins anew from what is live when a candidate was refused as worse", async () => {
    const { followed, trainings } = await withRefusals("not worse");
    // Not at once: what makes bad candidates would make them in each round.
    expect(followed.follower.state.candidate).toBeUndefined();
    await pass(followed, { from: 2.2, to: 3, turn: THIRD });
    expect(followed.follower.state.candidate?.candidate).toBe(2);
    expect(trainings.map(({ from }) => from)).toEqual(trainings.map(() => followed.follower.state.live.weights));
  });

  it("trains at once when a candidate is refused, not at the end of the window", async () => {
    const { followed } = await withRefusals("window budget");
    const { candidate, open } = followed.follower.state;
    expect(candidate?.candidate).toBe(2);
    expect(open.observations).toBe(20);
  });

  it("notices within a round or two that the world has changed, and begins anew with what is new", async () => {
    const followed = await follow(OPTIONS, {
      judge: (evidence, rules) => ({ ...judge(evidence, rules), verdict: "continue" }),
    });
    const { follower } = followed;
    await pass(followed, { from: 0, to: 1, turn: 0 });
    await pass(followed, { from: 1, to: 3, turn: 0.4 });
    expect(follower.state.candidate?.candidate).toBeDefined();
    const known = followed.events.length;
    await pass(followed, { from: 3, to: 3.4, turn: 2 });
    const events = followed.events.slice(known);
    expect(kinds(events).slice(0, 2)).toEqual(["refusal", "candidate"]);
    expect(events[0]).toMatchObject({ reason: "the world has changed since it was made" });
    expect(follower.replay.recent.every(({ window }) => window >= 3)).toBe(true);
    expect(follower.replay.past.flat().length).toBeGreaterThan(0);
    await pass(followed, { from: 3.4, to: 4, turn: 2 });
    const ended = followed.events.findLast(({ kind }) => kind === "window");
    expect(ended).toMatchObject({ drift: expect.arrayContaining(["sudden fall"]) as unknown });
  });

  it("does not mix the labels of two oracles", async () => {
    const followed = await follow();
    await pass(followed, { from: 0, to: 1, turn: 0 });
    await pass(followed, { from: 1, to: 2, turn: THIRD });
    expect(followed.follower.state.candidate).toBeDefined();
    followed.oracle.version = "2";
    const { asked } = followed.oracle;
    const held = followed.follower.replay.recent.length;
    const step = await followed.follower.observe(roundOf(200, 20, THIRD));
    expect(kinds(step.events)).toEqual(["oracle", "refusal"]);
    expect(followed.follower.replay.recent.every(({ oracleVersion }) => oracleVersion === "2")).toBe(true);
    expect(followed.oracle.asked - asked).toBeGreaterThanOrEqual(held);
  });
});

describe("a candidate that computes on the edge", () => {
  const ON_EDGE: FollowerOptions = { ...OPTIONS, evidence: "edge" };

  /** Observations of an edge with 20 inputs for each one that it uploads: all where both differ, and each twentieth. */
  function edgeRound(
    from: number,
    turn: number,
    offer: SentUpdate | undefined,
    live: NamedTensors,
    counts: EdgeCounts,
  ) {
    const candidate = offer === undefined ? undefined : applyUpdates([offer.update], SHAPES, live);
    const answer = (weights: NamedTensors, point: Float32Array): number => {
      const logits = logitsOf(weights, point);
      return logits.indexOf(Math.max(...logits));
    };
    const inputs: FollowedInput[] = [];
    for (let index = from; inputs.length < 20; index += 1) {
      counts.seen += 1;
      const values = pointOf(index, turn);
      const disagrees = candidate !== undefined && answer(live, values) !== answer(candidate, values);
      if (offer !== undefined && counts.candidate !== offer.update.result.number) {
        Object.assign(counts, { candidate: offer.update.result.number, compared: 0, disagreements: 0 });
      }
      counts.compared += Number(candidate !== undefined);
      counts.disagreements += Number(disagrees);
      const isUniform = index % 20 === 0;
      if (!disagrees && !isUniform) continue;
      const { compared, disagreements } = counts;
      const comparison = { epoch: "edge", candidate: counts.candidate, disagrees, compared, disagreements };
      inputs.push({
        ...{ position: counts.seen, values, stratum: isUniform ? "uniform" : "interesting" },
        ...(candidate === undefined ? {} : { comparison }),
      });
    }
    return inputs;
  }

  it("is offered, judged where both differ among all inputs, and promoted within a window", async () => {
    const followed = await follow(ON_EDGE);
    const { follower } = followed;
    await pass(followed, { from: 0, to: 1, turn: 0 });
    const counts: EdgeCounts = { candidate: 0, compared: 0, disagreements: 0, seen: 100 };
    let offer: SentUpdate | undefined;
    const offers: number[] = [];
    for (let round = 0; round < 40; round += 1) {
      const inputs = edgeRound(counts.seen, 0.5, offer, follower.state.live.weights, counts);
      const step = await follower.observe(inputs);
      followed.events.push(...step.events);
      ({ offer } = step);
      if (offer !== undefined) offers.push(offer.update.result.number);
    }
    const promotions = followed.events.flatMap((event) => (event.kind === "promotion" ? [event] : []));
    expect(promotions.length).toBeGreaterThan(0);
    const [first] = promotions;
    const inputs = first?.decision?.evidence.windows.reduce((sum, window) => sum + window.inputs, 0) ?? 0;
    // Far more than were uploaded.
    expect(inputs).toBeGreaterThan(100);
    expect(first?.decision?.judgement.labels).toBeLessThanOrEqual(100);
    expect(accuracy(follower.state.live.weights, 0.5)).toBeGreaterThan(0.9);
    // No two candidates have one number.
    const numbers = followed.events.flatMap((event) => (event.kind === "candidate" ? [event.number] : []));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect([...new Set(offers)]).toEqual(numbers.slice(0, new Set(offers).size));
  });

  it("is not judged on what was compared with another one, or with none", async () => {
    const followed = await follow(ON_EDGE);
    await pass(followed, { from: 0, to: 1, turn: 0 });
    await pass(followed, { from: 1, to: 2, turn: 0.5 });
    const { candidate } = followed.follower.state;
    expect(candidate).toBeDefined();
    const strange = { epoch: "edge", candidate: 99, disagrees: true, compared: 500, disagreements: 400 };
    const round = roundOf(200, 20, 0.5).map((input) => ({ ...input, comparison: strange }));
    await followed.follower.observe(round);
    await followed.follower.observe(roundOf(220, 20, 0.5));
    expect(followed.follower.state.candidate?.windows).toEqual([]);
  });

  it("waits for an edge that does not have it yet, but not for ever", async () => {
    const followed = await follow(ON_EDGE);
    await pass(followed, { from: 0, to: 1, turn: 0 });
    await pass(followed, { from: 1, to: 2, turn: 0.5 });
    await pass(followed, { from: 2, to: 20, turn: 0.5 });
    expect(kinds(followed.events)).not.toContain("refusal");
    await pass(followed, { from: 20, to: 23, turn: 0.5 });
    const refusal = followed.events.find(({ kind }) => kind === "refusal");
    expect(refusal).toMatchObject({ candidate: 1, reason: "no edge has compared it" });
  });
});

describe("resumeFollower", () => {
  it("goes on from the state after any round as if nothing had been", async () => {
    const whole = await follow();
    const steps: FollowStep[] = [];
    const states: Uint8Array[] = [];
    for (let at = 0; at < 500; at += 20) {
      states.push(encodeSafetensors(whole.follower.snapshot()));
      steps.push(await whole.follower.observe(roundOf(at, 20, at < 100 ? 0 : THIRD)));
    }
    expect(steps.flatMap(({ events }) => kinds(events))).toContain("promotion");
    for (const [position, state] of states.entries()) {
      const follower = await resumeFollower(OPTIONS, { ...whole.deps, lab: linearLab() }, decodeSafetensors(state));
      for (const [offset, step] of steps.slice(position, position + 6).entries()) {
        const at = (position + offset) * 20;
        expect(plain(await follower.observe(roundOf(at, 20, at < 100 ? 0 : THIRD)))).toEqual(plain(step));
      }
    }
  });
});

/** A follower whose first candidate is refused by a rule, in the first round after the window that made it. */
async function withRefusals(rule: RuleName) {
  const lab = linearLab();
  const trainings: { readonly from: NamedTensors; readonly plan: TrainPlan }[] = [];
  const recorded: StudentLab = {
    ...lab,
    train(from, plan) {
      trainings.push({ from, plan });
      return lab.train(from, plan);
    },
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
  const refused: Judgement["reasons"] = [{ rule, state: "broken", limit: 1, text: "as the test wants it" }];
  const options = { ...OPTIONS, evidence: "edge", update: { ...OPTIONS.update, fraction: 0.5 } } as const;
  const followed = await follow(options, {
    lab: recorded,
    judge: (evidence, rules) => {
      const judged = judge(evidence, rules);
      return evidence.windows.length === 0 ? judged : { ...judged, verdict: "refuse", reasons: refused };
    },
  });
  await pass(followed, { from: 0, to: 1, turn: 0 });
  await pass(followed, { from: 1, to: 2, turn: THIRD });
  const counts = { epoch: "edge", candidate: 2, disagrees: false, compared: 20, disagreements: 0 };
  const round = roundOf(200, 20, THIRD).map((input) => ({ ...input, comparison: counts }));
  followed.events.push(...(await followed.follower.observe(round)).events);
  return { followed, trainings };
}

function placesBetween(one: NamedTensors, other: NamedTensors): Record<string, Uint32Array> {
  const places = Object.entries(one).map(([name, { values }]) => {
    const moved = Array.from(values).flatMap((value, place) => (other[name]?.values[place] === value ? [] : [place]));
    return [name, Uint32Array.from(moved)] as const;
  });
  return Object.fromEntries(places.filter(([, moved]) => moved.length > 0));
}

/** Bytes as text: some are a Buffer, others are not. */
function plain({ events, updates }: FollowStep): unknown {
  return { events, updates: updates.map(({ bytes }) => Buffer.from(bytes).toString("hex")) };
}

/** Of the kernel. */
function changed(
  weights: NamedTensors,
  change: (value: number, place: number, all: ArrayLike<number>) => number,
): NamedTensors {
  const kernel = weights["weights/dense/kernel"];
  if (kernel === undefined) return weights;
  const values = Float32Array.from(kernel.values, (value, place) => change(value, place, kernel.values));
  return { ...weights, "weights/dense/kernel": { ...kernel, dtype: "f32", values } };
}
