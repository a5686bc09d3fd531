import { expect, it } from "vitest";
import { createTeacherRows } from "../../../../src/actors/teacher-section/teacher-section-rows.ts";
import type { Activation } from "../../../../src/messages/index.ts";
import { createCounters } from "../../../../src/runtime/stream/index.ts";
import { floats, headerOf } from "../actor-scene.ts";
import { fakeTeacher } from "../fake-units.ts";

it("createTeacherRows: computes the rows that are not cached, keeps them, and counts both", async () => {
  const kept = new Map<number, Uint8Array>();
  const unit = fakeTeacher();
  const opened: number[] = [];
  const figures = createCounters<"hits" | "misses" | "refused" | "saved_macs">();
  const rows = createTeacherRows(
    { codec: "raw", rowBytes: 12, macs: 5 },
    {
      figures,
      onLoading: () => undefined,
      openUnit(version) {
        opened.push(version);
        return Promise.resolve(unit.handle);
      },
      openCachePartition: () =>
        Promise.resolve({
          read(samples: readonly number[], into: Uint8Array) {
            samples.forEach((id, row) => {
              into.set(kept.get(id) ?? new Uint8Array(12), row * 12);
            });
            return Promise.resolve(samples.map((id) => kept.has(id)));
          },
          write(samples: readonly number[], from: Uint8Array, isNew: readonly boolean[]) {
            samples.forEach((id, row) => {
              if (isNew[row] === true) kept.set(id, from.slice(row * 12, row * 12 + 12));
            });
            return Promise.resolve(0);
          },
        } as never),
    },
  );
  /** Of its own buffer, as decoded from a frame; its sum of 2 is what the teacher answers. */
  const activation = () => ({ header: headerOf(1), tensor: floats([2, 2]) }) as Activation;
  const provenance = { samples: [7, 8], view: 0, seed: 0, teacher: 1 };
  const first = await rows.rowsOf(activation(), provenance);
  const second = await rows.rowsOf(activation(), { ...provenance, samples: [8, 9] });
  const third = await rows.rowsOf(activation(), provenance);
  expect(unit.inferred).toEqual([2, 1]);
  expect(opened).toEqual([1]);
  for (const { rows: bytes } of [first, second, third]) {
    expect([...new Float32Array(bytes.buffer)]).toEqual([2, 2, 2, 2, 2, 2]);
  }
  expect(third.computeMs).toBe(0);
  expect(figures.snapshot()).toEqual({ hits: 3, misses: 3, saved_macs: 15 });
});
