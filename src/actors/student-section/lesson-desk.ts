/**
 * Where the parts of lessons meet: a batch, the teacher's hint and the student's own input come on different subjects, in
 * any order, some twice. A lesson is taken when it is whole, once, in the order of sequences. Pure.
 */
import type { Activation } from "../../messages/index.ts";

/** What a lesson is made of: what goes in, what should come out, what the student's section before made of it. */
export type PartName = "input" | "hint" | "own";

export interface WholeLesson {
  readonly sequence: number;
  readonly parts: Readonly<Partial<Record<PartName, Activation>>>;
  readonly receivedBytes: number;
}

export interface LessonDeskOptions {
  /** Parts that a batch needs: by its phase and step, which any part tells. */
  readonly needs: (part: Activation) => readonly PartName[];
  /** Lessons that may wait for a part. */
  readonly depth: number;
}

export type Arrival = "kept" | "duplicate" | "overflow" | "unexpected";

export interface LessonDesk {
  /** Sequence of the next lesson. */
  readonly next: number;
  /** Newest sequence that was heard of. */
  readonly newest: number;
  /**
   * Keeps a part. What comes from the teacher is of one version: a part of a newer one takes the place of those that are
   * there, of an older one it is a duplicate. What the student's own section made has no version.
   */
  add(name: PartName, part: Activation, receivedBytes: number): Arrival;
  /** The next lesson, when it is whole. */
  take(): WholeLesson | undefined;
  /** Goes on with this sequence: what is before it will not come. */
  skipTo(sequence: number): void;
}

interface Open {
  readonly parts: Partial<Record<PartName, Activation>>;
  teacher: number;
  receivedBytes: number;
}

/** @param start sequence after which it begins. */
export function createLessonDesk(start: number, { needs, depth }: LessonDeskOptions): LessonDesk {
  const open = new Map<number, Open>();
  let next = start + 1;
  let newest = start;
  return {
    get next() {
      return next;
    },
    get newest() {
      return newest;
    },
    add(name, part, receivedBytes) {
      const { sequence } = part.header;
      if (sequence < next) return "duplicate";
      if (!needs(part).includes(name)) return "unexpected";
      newest = Math.max(newest, sequence);
      const teacher = name === "own" ? undefined : (part.lesson?.teacher ?? 0);
      let lesson = open.get(sequence);
      if (lesson === undefined) {
        if (open.size >= depth) return "overflow";
        lesson = { parts: {}, teacher: 0, receivedBytes: 0 };
        open.set(sequence, lesson);
      }
      if (teacher !== undefined && teacher < lesson.teacher) return "duplicate";
      if (teacher !== undefined && teacher > lesson.teacher) {
        delete lesson.parts.input;
        delete lesson.parts.hint;
        lesson.teacher = teacher;
      }
      if (lesson.parts[name] !== undefined) return "duplicate";
      lesson.parts[name] = part;
      lesson.receivedBytes += receivedBytes;
      return "kept";
    },
    take() {
      const lesson = open.get(next);
      const [any] = Object.values(lesson?.parts ?? {});
      if (lesson === undefined || any === undefined) return undefined;
      if (!needs(any).every((name) => lesson.parts[name] !== undefined)) return undefined;
      open.delete(next);
      next += 1;
      return { sequence: next - 1, parts: lesson.parts, receivedBytes: lesson.receivedBytes };
    },
    skipTo(sequence) {
      if (sequence <= next) return;
      next = sequence;
      for (const old of open.keys()) if (old < sequence) open.delete(old);
    },
  };
}
