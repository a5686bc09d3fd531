/** What a stream of drifting images is made of: its changes, its schedule, its size. */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import { parseOptions } from "../parse-options.ts";

const ATTEMPT = "make a stream of drifting images";

/** Corruptions of CIFAR-10-C with five published severities. */
export const CORRUPTIONS = [
  "gaussian-noise",
  "shot-noise",
  "salt-and-pepper",
  "speckle-noise",
  "gaussian-blur",
  "contrast",
  "brightness",
  "saturate",
  "pixelate",
  "zoom-blur",
  "fog",
] as const;
export type Corruption = (typeof CORRUPTIONS)[number];

const share = z.number().min(0).max(1);
const changeSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.enum(CORRUPTIONS),
    /** 1 to 5 as published; between them and down to 0 (none), constants are interpolated. */
    severity: z.number().min(0).max(5),
  }),
  /** About the centre; positive turns counter-clockwise. */
  z.strictObject({ kind: z.literal("rotation"), degrees: z.number().min(-360).max(360) }),
  /** 1: the negative; 0.5: plain grey. */
  z.strictObject({ kind: z.literal("inversion"), amount: share }),
  /** Radius of the morphology, pixels: positive thickens bright strokes, negative thins them. */
  z.strictObject({ kind: z.literal("thickness"), pixels: z.number().min(-8).max(8) }),
]);
export type Change = z.infer<typeof changeSchema>;

/** Changes in their order; none: the images as they are. */
const domainSchema = z.array(changeSchema).max(8).readonly();
export type Domain = z.infer<typeof domainSchema>;

const window = z.int().min(1);
const scheduleSchema = z.discriminatedUnion("kind", [
  /** From nothing in window 0 to the whole of `domain` in the last window, in equal steps. */
  z.strictObject({ kind: z.literal("ramp"), domain: domainSchema }),
  /** All of `domain` from window `at` on. */
  z.strictObject({ kind: z.literal("abrupt"), domain: domainSchema, at: window }),
  /** A B A B: `periodWindows` windows each. */
  z.strictObject({
    kind: z.literal("recurring"),
    first: domainSchema.default([]),
    second: domainSchema,
    periodWindows: window,
  }),
  /**
   * Class shares of each window from a symmetric Dirichlet distribution; window 0 has equal shares.
   * A small `concentration` gives few classes much.
   */
  z.strictObject({
    kind: z.literal("label-shift"),
    concentration: z.number().min(0.01).max(1e4).default(0.5),
    /** From window 1 on. */
    domain: domainSchema.default([]),
  }),
  /** `classes` do not occur before window `at`; then all classes do, equally often. */
  z.strictObject({
    kind: z.literal("new-class"),
    classes: z.array(z.int().min(0)).min(1),
    at: window,
    /** From window `at` on. */
    domain: domainSchema.default([]),
  }),
  /** From window `at` on, the share `share` of the images is in one of `domains`, each as likely; the rest is unchanged. */
  z.strictObject({
    kind: z.literal("mixture"),
    domains: z.array(domainSchema).min(1).max(16),
    share: share.default(1),
    at: window.default(1),
  }),
]);
export type Schedule = z.infer<typeof scheduleSchema>;

/** Images of a stream, over all windows: their sources are a table in memory. */
const MAX_IMAGES = 10_000_000;

const driftOptionsSchema = z
  .strictObject({
    seed: z.int().min(0).max(0xffffffff),
    /** Length of the stream. 20: serving.md's. */
    windows: z.int().min(2).default(20),
    /** Live images of one window. */
    samples: z.int().min(1).default(2_000),
    /** Images of one window that measure. They come from the test pool. */
    testSamples: z.int().min(1).default(1_000),
    /** Share of the source images in the test pool, over the whole stream. */
    testShare: z.number().gt(0).lt(1).default(0.3),
    schedule: scheduleSchema,
  })
  .refine(({ windows, samples, testSamples }) => windows * (samples + testSamples) <= MAX_IMAGES, {
    message: `all windows must have at most ${MAX_IMAGES} images together`,
  })
  .refine(({ windows, schedule }) => !("at" in schedule) || schedule.at < windows, {
    message: "must be a window of the stream",
    path: ["schedule", "at"],
  });
export type DriftOptions = z.infer<typeof driftOptionsSchema>;
export type DriftInput = z.input<typeof driftOptionsSchema>;

/** @throws KnowledgeNetError KN_CONFIG that names the key. */
export function parseDriftOptions(value: unknown): DriftOptions {
  return parseOptions(driftOptionsSchema, value, ATTEMPT);
}

export function refuseDrift(rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: ATTEMPT,
    rule,
    value,
    remedy: "correct it and try again",
  });
}
