/** Size and shape of a replay memory. */
import { z } from "zod";
import { parseOptions } from "../../data/index.ts";

const replayOptionsSchema = z
  .strictObject({
    seed: z.int().min(0).max(0xffffffff),
    classes: z.int().min(2),
    /** Of one input, without the batch. */
    sampleShape: z.array(z.int().min(1)).min(1).max(8).readonly(),
    dtype: z.enum(["u8", "f32"]).default("u8"),
    /** Samples, half recent and half from all of the past. 1,000: 3 MB of CIFAR-10 images. */
    capacity: z.int().min(250).max(2_000).default(1_000),
    /** Windows whose samples are recent. */
    recentWindows: z.int().min(1).max(1_000).default(2),
    /**
     * Digests of labelled inputs that are remembered when their samples are gone, so that they are not labelled again.
     * 65,536: 2 MB; 32 windows of 2,000.
     */
    ledgerDigests: z.int().min(1).max(4_194_304).default(65_536),
  })
  .refine(({ classes, capacity }) => classes <= Math.ceil(capacity / 2), {
    message: "half of it must hold a sample of each class",
    path: ["capacity"],
  });
export type ReplayOptions = z.infer<typeof replayOptionsSchema>;
export type ReplayInput = z.input<typeof replayOptionsSchema>;

/** @throws KnowledgeNetError KN_CONFIG that names the key. */
export function parseReplayOptions(value: unknown): ReplayOptions {
  return parseOptions(replayOptionsSchema, value, "make a replay memory");
}
