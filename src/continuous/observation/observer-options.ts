/** What an observer may upload, and how it chooses. */
import { z } from "zod";
import { parseOptions } from "../../data/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { MINUTE_MS } from "./sliding-budget.ts";

const ATTEMPT = "observe live inputs";

const weight = z.number().min(0).max(1e6);

const observerOptionsSchema = z
  .strictObject({
    seed: z.int().min(0).max(0xffffffff),
    classes: z.int().min(2),
    budget: z.strictObject({
      /** Uploaded in any minute. */
      inputsPerMinute: z.int().min(1),
      /** Of their payloads, in any minute. */
      bytesPerMinute: z.int().min(1),
    }),
    /** The largest payload; larger inputs are not observed. */
    maxInputBytes: z.int().min(1),
    /**
     * Slots of equal length that a minute is divided into; each has its part of the budget. More slots upload sooner,
     * fewer choose among more inputs. 12: five seconds.
     */
    slotsPerMinute: z.int().min(1).max(600).default(12),
    /** Share of the budget for inputs chosen with equal probability. They alone decide estimates of accuracy. */
    uniformShare: z.number().gt(0).max(1).default(0.2),
    /** Weights of the parts of an input's interest, unless a candidate computed it: then disagreement alone counts. */
    interest: z
      .strictObject({ disagreement: weight.default(1), uncertainty: weight.default(1), novelty: weight.default(1) })
      .prefault({}),
    /** Chance of an input without any interest, against 1 for one that has all. 0.01: a hundred of them weigh as one. */
    floor: z.number().gt(0).max(1).default(0.01),
    /** Age at which an input is not uploaded any more. One hour: a window of the learner. */
    ttlMs: z.int().min(1).default(3_600_000),
  })
  .refine(({ slotsPerMinute }) => MINUTE_MS % slotsPerMinute === 0, {
    message: "must divide a minute into whole milliseconds",
    path: ["slotsPerMinute"],
  })
  .refine(({ ttlMs, slotsPerMinute }) => ttlMs > MINUTE_MS / slotsPerMinute, {
    message: "must be longer than a slot",
    path: ["ttlMs"],
  });
export type ObserverOptions = z.infer<typeof observerOptionsSchema>;
export type ObserverInput = z.input<typeof observerOptionsSchema>;

/** @throws KnowledgeNetError KN_CONFIG that names the key. */
export function parseObserverOptions(value: unknown): ObserverOptions {
  return parseOptions(observerOptionsSchema, value, ATTEMPT);
}

export function refuseObserver(rule: string, value: string, remedy: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", { attempt: ATTEMPT, rule, value, remedy });
}
