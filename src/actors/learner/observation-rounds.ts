/** The observations of the log as rounds: those that do not fit or came too late are counted and left out. */
import type { ObservedInput } from "../../messages/index.ts";
import type { ObservationLog } from "../../models/observations/index.ts";
import type { FollowedInput, FollowerOptions } from "./follower-options.ts";

/** Why an observation is not followed. `lost`: it never came to the log, or left it unread. */
export const NOT_FOLLOWED = ["undecodable", "otherShape", "expired", "repeated", "lost"] as const;
export type ObservationCounts = Readonly<Record<(typeof NOT_FOLLOWED)[number] | "followed", number>>;

export interface ObservationRounds {
  readonly counts: ObservationCounts;
  /**
   * The next observations after `position`, once there are enough for a round; those of an incomplete round are read again.
   * Rejects with KN_UNAVAILABLE when the log is away.
   */
  next(position: number): Promise<readonly FollowedInput[] | undefined>;
}

export function createObservationRounds(
  log: Pick<ObservationLog, "read">,
  { sampleShape, dtype, window }: Pick<FollowerOptions, "sampleShape" | "dtype" | "window">,
  wallTimeMs: () => number,
): ObservationRounds {
  const counts = Object.fromEntries([...NOT_FOLLOWED, "followed"].map((each) => [each, 0])) as Record<
    keyof ObservationCounts,
    number
  >;
  /** Number of the newest observation of each start of an observer. */
  const newest = new Map<string, number>();

  const causeOf = (observed: ObservedInput | undefined, seen: ReadonlyMap<string, number>) => {
    if (observed === undefined) return "undecodable";
    const { input, epoch, number, expiresAtMs } = observed;
    if (number <= (seen.get(epoch) ?? -1)) return "repeated";
    const [own, wanted] = [input.shape.join(), sampleShape.join()];
    if (own !== wanted || (dtype === "u8" && !areBytes(input.values))) return "otherShape";
    return expiresAtMs <= wallTimeMs() ? "expired" : undefined;
  };

  return {
    counts,
    async next(position) {
      const seen = new Map(newest);
      const left = { undecodable: 0, otherShape: 0, expired: 0, repeated: 0, lost: 0 };
      const taken: FollowedInput[] = [];
      for await (const entry of log.read({ from: position + 1 })) {
        const { observation } = entry;
        const cause = causeOf(observation, seen);
        if (observation !== undefined && cause !== "repeated") {
          const { epoch, number } = observation;
          left.lost += Math.max(0, number - (seen.get(epoch) ?? number - 1) - 1);
          seen.set(epoch, number);
        }
        if (cause !== undefined || observation === undefined) {
          left[cause ?? "undecodable"] += 1;
          continue;
        }
        const { input, stratum } = observation;
        const values = valuesAs(dtype, input);
        const { comparison, epoch } = observation;
        taken.push({
          ...{ position: entry.position, values, stratum },
          ...(comparison === undefined ? {} : { comparison: { epoch, ...comparison } }),
        });
        if (taken.length === window.roundObservations) break;
      }
      if (taken.length < window.roundObservations) return undefined;
      for (const [cause, count] of Object.entries(left)) counts[cause as keyof typeof left] += count;
      counts.followed += taken.length;
      for (const [epoch, number] of seen) newest.set(epoch, number);
      return taken;
    },
  };
}

const areBytes = (values: Uint8Array | Float32Array): boolean =>
  values instanceof Uint8Array || values.every((each) => Number.isInteger(each) && each >= 0 && each <= 255);

/** A view on the entry's bytes, which are ours, or a copy in the other type: equal inputs then have one label. */
function valuesAs(dtype: "u8" | "f32", input: ObservedInput["input"]): Uint8Array | Float32Array {
  if (dtype === input.dtype) return input.values;
  return dtype === "u8" ? Uint8Array.from(input.values) : Float32Array.from(input.values);
}
