/** Which inputs of a served model are observed, and how much of them is uploaded. Inputs are users' data: off unless given. */
import { z } from "zod";
import { positive } from "./run-parts.ts";

export const observeSchema = z.strictObject({
  /** Inputs of all requests, or of those that ask for it (`observe: true`). */
  requests: z.enum(["all", "asked"]).default("all"),
  /** Uploaded in any minute. 120: two a second, of which a window of an hour has enough for a gate. */
  inputsPerMinute: positive.default(120),
  /** Of their tensors, in any minute. 2 MiB: 35 KB/s, 170 CIFAR-10 images in f32. */
  bytesPerMinute: positive.default(2 * 1024 * 1024),
  /** Share of inputs chosen with equal probability: they alone decide estimates of accuracy. */
  uniformShare: z.number().gt(0).max(1).default(0.2),
  /** Slots of a minute, each with its part of the budget; 12: a choice each five seconds. */
  slotsPerMinute: positive.max(600).default(12),
  /** Age beyond which an input is not used any more, ms. An hour: a window of the learner. */
  ttlMs: positive.default(3_600_000),
  /** The log keeps the newest observations, at least so many. 5,000: some windows of the learner. */
  keepEntries: positive.max(1_000_000).default(5_000),
});
export type ObserveSpec = z.infer<typeof observeSchema>;
