import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  contentDigest,
  createReplayMemory,
  type LabelledInput,
  type ReplayInput,
  type ReplayMemory,
} from "../../../../src/continuous/replay/index.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../../src/messages/checkpoint/index.ts";
import { randomFrom } from "../../../support/random.ts";

const OPTIONS: ReplayInput = { seed: 3, classes: 4, sampleShape: [2, 2, 1], capacity: 250 };
/** The input number `id`, of class `label`. */
const inputOf = (id: number, window = 0, label = id % 4, oracleVersion = "1"): LabelledInput => ({
  values: Uint8Array.of(id, id >> 8, id >> 16, 7),
  softLabel: Float32Array.from({ length: 4 }, (_, index) => (index === label ? 0.7 : 0.1)),
  oracleVersion,
  window,
});
const offerAll = (memory: ReplayMemory, inputs: readonly LabelledInput[]): void => {
  for (const input of inputs) memory.offer(input);
};
const sizeOf = ({ recent, past, stale }: ReplayMemory): number => recent.length + past.flat().length + stale.length;
/** As a checkpoint would. */
const resumed = (memory: ReplayMemory, options = OPTIONS): ReplayMemory =>
  createReplayMemory(options, decodeSafetensors(encodeSafetensors(memory.state())));
const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index);
const idsOf = (samples: readonly LabelledInput[]): number[] =>
  samples.map(({ values: [low = 0, middle = 0, high = 0] }) => low + (middle << 8) + (high << 16));

describe("createReplayMemory", () => {
  it.each([
    [1, [2]],
    [2, [1, 2]],
    [3, [0, 1, 2]],
  ])("holds the last %i windows in one half; what leaves it is offered to the other", (recentWindows, windows) => {
    const memory = createReplayMemory({ ...OPTIONS, recentWindows });
    for (const window of range(3))
      offerAll(
        memory,
        range(30, 30 * window).map((id) => inputOf(id, window)),
      );
    expect([...new Set(memory.recent.map((sample) => sample.window))]).toEqual(windows);
    expect(memory.recent.length).toBe(30 * windows.length);
    expect(memory.past.flat().length).toBe(90 - 30 * windows.length);
  });

  it("holds nothing as recent of the windows before an era, now, later and after it was saved", () => {
    const options = { ...OPTIONS, recentWindows: 5 };
    const memory = createReplayMemory(options);
    for (const window of range(3))
      offerAll(
        memory,
        range(20, 20 * window).map((id) => inputOf(id, window)),
      );
    memory.startEra(2);
    const windowsOf = ({ recent }: ReplayMemory): number[] => [...new Set(recent.map(({ window }) => window))];
    expect(windowsOf(memory)).toEqual([2]);
    expect(memory.past.flat().length).toBe(40);
    const again = resumed(memory, options);
    for (const each of [memory, again]) {
      each.startEra(1); // does not go back
      offerAll(each, [inputOf(900, 1), inputOf(901, 3)]); // one comes late
      expect(windowsOf(each)).toEqual([2, 3]);
    }
    expect(again.recent).toEqual(memory.recent);
  });

  it("keeps the newest where two windows are more than a half, and stays within its capacity", () => {
    const memory = createReplayMemory(OPTIONS);
    offerAll(
      memory,
      range(2_000).map((id) => inputOf(id)),
    );
    expect(idsOf(memory.recent)).toEqual(range(125, 1_875));
    expect(memory.past.map(({ length }) => length)).toEqual([31, 31, 31, 31]); // of 125, for four classes
  });

  it("the past is balanced by the oracle's classes although one of them comes most", () => {
    const memory = createReplayMemory(OPTIONS);
    offerAll(
      memory,
      range(3_000).map((id) => inputOf(id, 0, id % 30 === 0 ? 1 + ((id / 30) % 3) : 0)),
    );
    expect(memory.past.map(({ length }) => length)).toEqual([31, 31, 31, 31]);
    const drawn = memory.draw(40, 1);
    const past = drawn.filter(({ digest }) => memory.past.flat().some((sample) => sample.digest === digest));
    const labels = past.map(({ softLabel }) => softLabel.indexOf(Math.max(...softLabel)));
    expect(range(4).map((label) => labels.filter((found) => found === label).length)).toEqual([5, 5, 5, 5]);
  });

  it("never holds an input twice, and asks for no second label even when the sample is gone", () => {
    const memory = createReplayMemory(OPTIONS);
    const inputs = range(1_000).map((id) => inputOf(id));
    for (const input of inputs) {
      expect(memory.needsLabel(input.values)).toBe(true);
      expect(memory.offer(input)).toBeUndefined();
      expect(memory.needsLabel(input.values.slice())).toBe(false);
    }
    const before = memory.state();
    for (const input of inputs) {
      expect(memory.needsLabel(input.values)).toBe(false);
      expect(memory.offer({ ...input, window: 0 })).toBe("duplicate");
    }
    expect(memory.counts).toEqual({ taken: 1_000, duplicate: 1_000, otherVersion: 0, invalid: 0 });
    expect(memory.state().tensors).toEqual(before.tensors);
  });

  it("forgets the digests of the oldest inputs beyond its ledger, but not of those it holds", () => {
    const memory = createReplayMemory({ ...OPTIONS, ledgerDigests: 10 });
    offerAll(
      memory,
      range(1_000).map((id) => inputOf(id)),
    );
    for (const sample of [...memory.recent, ...memory.past.flat()])
      expect(memory.needsLabel(sample.values)).toBe(false);
    expect(range(1_000).filter((id) => memory.needsLabel(inputOf(id).values)).length).toBe(1_000 - sizeOf(memory));
  });

  it("does not mix versions: another one is refused, and after a change the old samples are stale until labelled anew", () => {
    const memory = createReplayMemory(OPTIONS);
    offerAll(
      memory,
      range(100).map((id) => inputOf(id, id < 50 ? 0 : 3)),
    );
    expect(memory.offer(inputOf(500, 3, 0, "2"))).toBe("otherVersion");
    expect(memory.oracleVersion).toBe("1");
    memory.startVersion("2");
    expect(memory.draw(10, 0)).toEqual([]);
    const ids = idsOf(memory.stale);
    expect([ids.slice(0, 50).sort((one, other) => one - other), ids.slice(50)]).toEqual([range(50), range(50, 50)]);
    expect(memory.offer(inputOf(7, 0, 0, "1"))).toBe("otherVersion");
    for (const sample of memory.stale.slice(0, 60)) {
      expect(memory.needsLabel(sample.values)).toBe(true);
      expect(memory.offer({ ...sample, softLabel: Float32Array.of(0, 0, 0, 1), oracleVersion: "2" })).toBeUndefined();
    }
    expect(idsOf(memory.stale)).toEqual(range(40, 60));
    const drawn = memory.draw(1_000, 0);
    expect(drawn.length).toBe(60);
    expect(drawn.every(({ oracleVersion, softLabel: [, , , last] }) => oracleVersion === "2" && last === 1)).toBe(true);
  });

  it("stale samples make room for new ones, the oldest first", () => {
    const memory = createReplayMemory(OPTIONS);
    offerAll(
      memory,
      range(1_000).map((id) => inputOf(id)),
    );
    memory.startVersion("2");
    offerAll(
      memory,
      range(200, 5_000).map((id) => inputOf(id, 1, id % 4, "2")),
    );
    expect(sizeOf(memory)).toBeLessThanOrEqual(250);
    expect(idsOf(memory.recent)).toEqual(range(125, 5_075));
  });

  it("counts what is of another shape, not finite, or in no window", () => {
    const memory = createReplayMemory(OPTIONS);
    const good = inputOf(1);
    const bad: readonly Partial<LabelledInput>[] = [
      { values: new Uint8Array(5) },
      { values: new Float32Array(4) },
      { softLabel: new Float32Array(3) },
      { softLabel: Float32Array.of(0, NaN, 0, 0) },
      { window: -1 },
      { window: 0.5 },
      { window: 2 ** 31 },
    ];
    for (const part of bad) expect(memory.offer({ ...good, ...part })).toBe("invalid");
    expect(memory.counts).toMatchObject({ invalid: bad.length, taken: 0 });
    expect(memory.offer(good)).toBeUndefined();
  });

  it("draws half recent and half of the past, all different; where one half is short, the other fills", () => {
    const memory = createReplayMemory(OPTIONS);
    offerAll(
      memory,
      range(100).map((id) => inputOf(id)),
    );
    expect(new Set(idsOf(memory.draw(32, 0))).size).toBe(32); // there is no past yet
    offerAll(
      memory,
      range(20, 100).map((id) => inputOf(id, 5)),
    );
    const drawn = memory.draw(32, 1);
    expect(new Set(idsOf(drawn)).size).toBe(32);
    expect(drawn.filter((sample) => sample.window === 5).length).toBe(16);
    const most = memory.draw(90, 1);
    expect(most.filter((sample) => sample.window === 5).length).toBe(20);
    expect(memory.draw(1_000, 1).length).toBe(120);
    expect(memory.draw(0, 1)).toEqual([]);
  });

  it("a draw is a function of content, seed and step", () => {
    const inputs = range(400).map((id) => inputOf(id, id >> 7));
    const drawsOf = (seed: number, step: number): number[] => {
      const memory = createReplayMemory({ ...OPTIONS, seed });
      offerAll(memory, inputs);
      memory.draw(7, 3); // another draw changes nothing
      return idsOf(memory.draw(32, step));
    };
    expect(drawsOf(1, 5)).toEqual(drawsOf(1, 5));
    expect(drawsOf(1, 6)).not.toEqual(drawsOf(1, 5));
    expect(drawsOf(2, 5)).not.toEqual(drawsOf(1, 5));
  });

  it("killed at any point, it goes on from its state with the same bits", () => {
    const event = fc.oneof(
      { weight: 30, arbitrary: fc.record({ id: fc.nat({ max: 3_000 }), step: fc.nat({ max: 2 }) }) },
      { weight: 1, arbitrary: fc.constant("next version" as const) },
    );
    fc.assert(
      fc.property(fc.array(event, { minLength: 300, maxLength: 600 }), fc.nat({ max: 599 }), (events, killedAt) => {
        const whole = createReplayMemory(OPTIONS);
        let killed = createReplayMemory(OPTIONS);
        let [window, version] = [0, 1];
        for (const [index, each] of events.entries()) {
          if (index === killedAt % events.length) killed = resumed(killed);
          if (each === "next version") {
            version += 1;
            for (const memory of [whole, killed]) memory.startVersion(String(version));
            continue;
          }
          if (index % 80 === 0) window += each.step;
          const input = inputOf(each.id, window, each.id % 4, String(version));
          expect(killed.offer(input)).toBe(whole.offer(input));
        }
        expect(killed.state()).toEqual(whole.state());
        expect(killed.draw(32, 9)).toEqual(whole.draw(32, 9));
        expect(sizeOf(whole)).toBeLessThanOrEqual(250);
      }),
      { numRuns: 25 },
    );
  });

  it("an empty memory and one of f32 samples have a state, too", () => {
    expect(resumed(createReplayMemory(OPTIONS)).state()).toEqual(createReplayMemory(OPTIONS).state());
    const options: ReplayInput = { ...OPTIONS, dtype: "f32" };
    const memory = createReplayMemory(options);
    memory.offer({ ...inputOf(1), values: Float32Array.of(0.1, -2, 3e10, 0) });
    expect(resumed(memory, options).recent).toEqual(memory.recent);
  });

  it("refuses a state of other options, and a damaged one, with KN_CHECKPOINT", () => {
    const memory = createReplayMemory(OPTIONS);
    offerAll(
      memory,
      range(300).map((id) => inputOf(id, id >> 6)),
    );
    const state = memory.state();
    const refused = expect.objectContaining({ code: "KN_CHECKPOINT" }) as unknown as Error;
    expect(() => createReplayMemory({ ...OPTIONS, seed: 4 }, state)).toThrow(refused);
    const random = randomFrom(2);
    for (const [name, { values }] of Object.entries(state.tensors)) {
      if (!["samples", "digests", "rows", "versionIndices"].includes(name)) continue;
      const at = Math.floor(random() * values.length);
      const damaged = values.slice();
      damaged[at] = (damaged[at] as number) ^ 1;
      const tensors = { ...state.tensors, [name]: { ...state.tensors[name], values: damaged } as never };
      expect(() => createReplayMemory(OPTIONS, { ...state, tensors })).toThrow(refused);
    }
    for (const name of Object.keys(state.tensors)) {
      const { [name]: _, ...tensors } = state.tensors;
      expect(() => createReplayMemory(OPTIONS, { ...state, tensors })).toThrow(refused);
    }
    const metadata = { ...state.metadata, facts: "{" };
    expect(() => createReplayMemory(OPTIONS, { ...state, metadata })).toThrow(refused);
  });

  it.each([
    [{ capacity: 249 }, /capacity.*249/],
    [{ capacity: 2_001 }, /capacity/],
    [{ capacity: 250, classes: 126 }, /capacity.*sample of each class/],
    [{ sampleShape: [] }, /sampleShape/],
    [{ size: 3 }, /size/],
  ])("refuses %j with KN_CONFIG", (part, message) => {
    const create = (): unknown => createReplayMemory({ ...OPTIONS, ...part });
    expect(create).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    expect(create).toThrow(message);
  });
});

describe("contentDigest", () => {
  it("is the SHA-256 of the bytes that the view shows", () => {
    const values = Float32Array.of(9, 1.5, -2).subarray(1);
    const bytes = Buffer.alloc(8);
    bytes.writeFloatLE(1.5, 0);
    bytes.writeFloatLE(-2, 4);
    expect(contentDigest(values)).toBe(createHash("sha256").update(bytes).digest("hex"));
  });
});
