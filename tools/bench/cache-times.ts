/** Saving by the hint cache: a student's sections train on data on which another student was trained before. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { runKn } from "../reproduce/run-kn.ts";

export interface CacheTime {
  readonly student: string;
  readonly seconds: number;
  /** Samples that the teacher sections computed, and served from the cache. */
  readonly computed: number;
  readonly kept: number;
  /** Seconds over those of the first student. */
  readonly overFirst: number;
}

export interface CacheTimesOptions {
  /** Paths of the specs: the teacher's own training, and the distillation. */
  readonly teacher: string;
  readonly spec: string;
  readonly write: (line: string) => void;
}

/** Every view of an image comes once, so that the first student finds nothing kept. */
const SECTIONS_ALONE = [
  "baseline=",
  "finetune.epochs=0",
  "sections.epochs=1",
  "data.limit=20480",
  "data.augmentation.views=1",
];

const resultsSchema = z.object({
  phases: z.tuple([
    z.object({
      seconds: z.number(),
      cache: z.object({ hits: z.int().default(0), misses: z.int().default(0) }),
    }),
  ]),
});

/** Both students have the same spec but for their seed: other weights, another order of the same images. */
export async function measureCacheTimes({ teacher, spec, write }: CacheTimesOptions): Promise<CacheTime[]> {
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-bench-"));
  try {
    const teachers = join(folder, "teacher");
    await runKn(["run", teacher, "--runs", teachers, "--set", "training.epochs=1", "--set", "data.limit=6400"]);
    const [run = ""] = await readdir(teachers);
    const times: CacheTime[] = [];
    for (const [index, student] of ["first", "second"].entries()) {
      const set = [...SECTIONS_ALONE, `seed=${index + 1}`, `cache.directory=${join(folder, "cache")}`];
      const args = ["run", spec, "--teacher", join(teachers, run), "--runs", join(folder, student), "--json"];
      const out = await runKn([...args, ...set.flatMap((setting) => ["--set", setting])]);
      const { phases } = resultsSchema.parse(JSON.parse(out));
      const [{ seconds, cache }] = phases;
      const time: CacheTime = {
        student,
        seconds,
        computed: cache.misses,
        kept: cache.hits,
        overFirst: seconds / (times[0]?.seconds ?? seconds),
      };
      times.push(time);
      write(
        `${student} student: ${seconds.toFixed(1)} s, ${time.overFirst.toFixed(2)} of the first's; the teacher computed ${time.computed} batches, ${time.kept} were kept`,
      );
    }
    return times;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
