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
    lesson: { samples: [sequence], view: 0, seed: 1, teacher },
  };
}

const desk = (start = 0, depth = 100) => createInputJoiner(start, { needs: () => ALL, depth });

describe("createInputJoiner", () => {
  it("takes a lesson once it is whole, in the order of sequences", () => {
    const lessons = desk();
    for (const name of ALL) expect(lessons.add(name, part(2, 1), 10)).toBe("kept");
    for (const name of ["hint", "own"] as const) lessons.add(name, part(1, 1), 10);
    expect(lessons.take()).toBeUndefined();
    lessons.add("input", part(1, 1), 10);
    expect(lessons.take()).toMatchObject({ sequence: 1, receivedBytes: 30 });
    expect(lessons.take()).toMatchObject({ sequence: 2 });
    expect(lessons.take()).toBeUndefined();
    expect(lessons.add("input", part(1, 1), 10)).toBe("duplicate");
  });

  it("whatever comes when and how often, of two versions too: each lesson once, in order, its teacher's parts of one version", () => {
    const deliveries = fc.shuffledSubarray(
      [1, 2, 3, 4].flatMap((sequence) => ALL.flatMap((name) => [1, 2].map((teacher) => ({ sequence, name, teacher })))),
      { minLength: 24, maxLength: 24 },
    );
    fc.assert(
      fc.property(deliveries, (parts) => {
        const lessons = desk();
        const taken: number[] = [];
        for (const { sequence, name, teacher } of parts) {
          lessons.add(name, part(sequence, teacher), 1);
          for (let lesson = lessons.take(); lesson !== undefined; lesson = lessons.take()) {
            taken.push(lesson.sequence);
            expect(lesson.parts.input?.lesson?.teacher).toBe(lesson.parts.hint?.lesson?.teacher);
            for (const name of ALL) expect(lesson.parts[name]?.header.sequence).toBe(lesson.sequence);
          }
        }
        expect(taken).toEqual([1, 2, 3, 4]);
      }),
    );
  });

  it("a newer teacher's part takes the place of an older one's, an older one's is a duplicate", () => {
    const lessons = desk();
    lessons.add("own", part(1, 1), 1);
    lessons.add("input", part(1, 1), 1);
    expect(lessons.add("hint", part(1, 2), 1)).toBe("kept");
    expect(lessons.take()).toBeUndefined();
    expect(lessons.add("input", part(1, 1), 1)).toBe("duplicate");
    expect(lessons.add("input", part(1, 2), 1)).toBe("kept");
    expect(lessons.take()?.parts.own?.lesson?.teacher).toBe(1);
  });

  it("keeps no more open than its depth, and forgets what it skips", () => {
    const lessons = desk(0, 2);
    expect([1, 2, 3].map((sequence) => lessons.add("hint", part(sequence, 1), 1))).toEqual([
      "kept",
      "kept",
      "overflow",
    ]);
    lessons.skipTo(3);
    expect(lessons.next).toBe(3);
    expect(lessons.add("hint", part(3, 1), 1)).toBe("kept");
    expect(lessons.add("hint", part(2, 1), 1)).toBe("duplicate");
  });

  it("refuses a part that such a batch does not need", () => {
    const lessons = createInputJoiner(0, { needs: () => ["input"], depth: 4 });
    expect(lessons.add("own", part(1, 0), 1)).toBe("unexpected");
    expect(lessons.newest).toBe(0);
  });
});
