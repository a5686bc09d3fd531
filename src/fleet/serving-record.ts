/**
 * A model that is served by the nodes of a fleet: the desired state, written and renewed by the process that serves it
 * (`kn serve --nodes fleet`) and followed by the nodes. It expires with that process, and the replicas end.
 *
 * Not a run (ADR 0018): it has no steps, no checkpoints and no end, and its replicas have no state to fence.
 */
import { z } from "zod";
import { servingSpecSchema } from "../run-spec/index.ts";

export const SERVING_BUCKET = "kn-serving";

const count = z.int().min(0);

export const servingRecordSchema = z.object({
  format: z.literal(1),
  /** Name of the serving job: `serve-<model>`. */
  run: z.string(),
  wireVersion: count,
  spec: servingSpecSchema,
  /** Slices of the network: 1, or the number of its blocks. */
  slices: z.int().min(1),
  /** Node of each replica. */
  replicas: z.record(z.string(), z.string()),
  /** The process that serves it. */
  holder: z.string(),
});
export type ServingRecord = z.infer<typeof servingRecordSchema>;
