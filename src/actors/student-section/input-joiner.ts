/**
 * Joins the parts of a section's inputs: a batch, the teacher's hint and the student's own activation arrive on different
 * subjects, in any order, some twice. Inputs are taken once they are complete, once each, in the order of sequences. Pure.
 */
import type { Activation } from "../../messages/index.ts";

/** The batch or hint that goes in, the hint to learn from, and the activation of the student's section before. */
export type PartName = "input" | "hint" | "own";

export interface JoinedInputs {
  readonly sequence: number;
  readonly parts: Readonly<Partial<Record<PartName, Activation>>>;
  readonly receivedBytes: number;
}

export interface InputJoinerOptions {
  /** Parts that a batch needs, by its phase and step: every part carries them. */
  readonly needs: (part: Activation) => readonly PartName[];
  /** Batches that may wait for a part. */
  readonly depth: number;
}

export type Arrival = "kept" | "duplicate" | "overflow" | "unexpected";

export interface InputJoiner {
  /** Sequence of the next inputs. */
  readonly next: number;
  /** Newest sequence of which a part arrived. */
  readonly newest: number;
  /** The part that the next inputs lack, the batch first. */
  readonly missing: PartName;
  /**
   * Keeps a part. Parts from the teacher belong to one version: a part of a newer version replaces those that are there, a
   * part of an older one is a duplicate. The student's own activation has no version.
   */
  add(name: PartName, part: Activation, receivedBytes: number): Arrival;
  /** The next inputs, when they are complete. */
  take(): JoinedInputs | undefined;
  /** Continues at this sequence: nothing before it will arrive. */
  skipTo(sequence: number): void;
}

interface Open {
  readonly parts: Partial<Record<PartName, Activation>>;
  teacher: number;
  receivedBytes: number;
}

/** @param start sequence after which it begins. */
export function createInputJoiner(start: number, { needs, depth }: InputJoinerOptions): InputJoiner {
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
    get missing() {
      const parts = open.get(next)?.parts;
      const [any] = Object.values(parts ?? {});
      if (any === undefined) return "input";
      return needs(any).find((name) => parts?.[name] === undefined) ?? "input";
    },
    add(name, part, receivedBytes) {
      const { sequence } = part.header;
      if (sequence < next) return "duplicate";
      if (!needs(part).includes(name)) return "unexpected";
      newest = Math.max(newest, sequence);
      const teacher = name === "own" ? undefined : (part.provenance?.teacher ?? 0);
      let inputs = open.get(sequence);
      if (inputs === undefined) {
        if (open.size >= depth) return "overflow";
        inputs = { parts: {}, teacher: 0, receivedBytes: 0 };
        open.set(sequence, inputs);
      }
      if (teacher !== undefined && teacher < inputs.teacher) return "duplicate";
      if (teacher !== undefined && teacher > inputs.teacher) {
        delete inputs.parts.input;
        delete inputs.parts.hint;
        inputs.teacher = teacher;
      }
      if (inputs.parts[name] !== undefined) return "duplicate";
      inputs.parts[name] = part;
      inputs.receivedBytes += receivedBytes;
      return "kept";
    },
    take() {
      const inputs = open.get(next);
      const [any] = Object.values(inputs?.parts ?? {});
      if (inputs === undefined || any === undefined) return undefined;
      if (!needs(any).every((name) => inputs.parts[name] !== undefined)) return undefined;
      open.delete(next);
      next += 1;
      return { sequence: next - 1, parts: inputs.parts, receivedBytes: inputs.receivedBytes };
    },
    skipTo(sequence) {
      if (sequence <= next) return;
      next = sequence;
      for (const old of open.keys()) if (old < sequence) open.delete(old);
    },
  };
}
