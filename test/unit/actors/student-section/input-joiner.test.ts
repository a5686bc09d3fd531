import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createInputJoiner, type PartName } from "../../../../src/actors/student-section/input-joiner.ts";
import type { Activation } from "../../../../src/messages/index.ts";

const ALL: readonly PartName[] = ["input", "hint", "own"];

function part(sequence: number, teacher: number): Activation {
  return {
    header: { run: "r", sender: "s", sequence, step: sequence, version: 0, fence: 0 },
    phase: "train",
    tensor: { dtype: "f32", shape: [1, 1], values: Float32Array.of(sequence) },
    labels: { dtype: "i32", shape: [1], values: Int32Array.of(0) },
    evaluation: 0,
    provenance: { samples: [sequence], view: 0, seed: 1, teacher },
  };
}

const desk = (start = 0, depth = 100) => createInputJoiner(start, { needs: () => ALL, depth });

describe("createInputJoiner", () => {
  it("takes an input once it is whole, in the order of sequences", () => {
    const joiner = desk();
    for (const name of ALL) expect(joiner.add(name, part(2, 1), 10)).toBe("kept");
    for (const name of ["hint", "own"] as const) joiner.add(name, part(1, 1), 10);
    expect(joiner.take()).toBeUndefined();
    joiner.add("input", part(1, 1), 10);
    expect(joiner.take()).toMatchObject({ sequence: 1, receivedBytes: 30 });
    expect(joiner.take()).toMatchObject({ sequence: 2 });
    expect(joiner.take()).toBeUndefined();
    expect(joiner.add("input", part(1, 1), 10)).toBe("duplicate");
  });

  it("whatever comes when and how often, of two versions too: each input once, in order, its teacher's parts of one version", () => {
    const deliveries = fc.shuffledSubarray(
      [1, 2, 3, 4].flatMap((sequence) => ALL.flatMap((name) => [1, 2].map((teacher) => ({ sequence, name, teacher })))),
      { minLength: 24, maxLength: 24 },
    );
    fc.assert(
      fc.property(deliveries, (parts) => {
        const joiner = desk();
        const taken: number[] = [];
        for (const { sequence, name, teacher } of parts) {
          joiner.add(name, part(sequence, teacher), 1);
          for (let joined = joiner.take(); joined !== undefined; joined = joiner.take()) {
            taken.push(joined.sequence);
            expect(joined.parts.input?.provenance?.teacher).toBe(joined.parts.hint?.provenance?.teacher);
            for (const name of ALL) expect(joined.parts[name]?.header.sequence).toBe(joined.sequence);
          }
        }
        expect(taken).toEqual([1, 2, 3, 4]);
      }),
    );
  });

  it("a newer teacher's part takes the place of an older one's, an older one's is a duplicate", () => {
    const joiner = desk();
    joiner.add("own", part(1, 1), 1);
    joiner.add("input", part(1, 1), 1);
    expect(joiner.add("hint", part(1, 2), 1)).toBe("kept");
    expect(joiner.take()).toBeUndefined();
    expect(joiner.add("input", part(1, 1), 1)).toBe("duplicate");
    expect(joiner.add("input", part(1, 2), 1)).toBe("kept");
    expect(joiner.take()?.parts.own?.provenance?.teacher).toBe(1);
  });

  it("keeps no more open than its depth, and forgets what it skips", () => {
    const joiner = desk(0, 2);
    expect([1, 2, 3].map((sequence) => joiner.add("hint", part(sequence, 1), 1))).toEqual(["kept", "kept", "overflow"]);
    joiner.skipTo(3);
    expect(joiner.next).toBe(3);
    expect(joiner.add("hint", part(3, 1), 1)).toBe("kept");
    expect(joiner.add("hint", part(2, 1), 1)).toBe("duplicate");
  });

  it("refuses a part that such a batch does not need", () => {
    const joiner = createInputJoiner(0, { needs: () => ["input"], depth: 4 });
    expect(joiner.add("own", part(1, 0), 1)).toBe("unexpected");
    expect(joiner.newest).toBe(0);
  });
});
