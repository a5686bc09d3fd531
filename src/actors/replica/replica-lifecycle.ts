/**
 * The lifecycle of a replica, pure.
 *
 * ```
 * opening   --opened--> loading: no release can be computed yet
 * loading   --ReleaseReady--> serving (parallel)
 *   activity   ready: idle --BatchTaken--> computing --BatchesDone--> idle
 *   releases   steady --LoadBegun--> loading --WarmBegun--> warming --LoadEnded--> steady
 * loading, serving --Stop--> draining: answers the batches that it has --> closing
 *                  --Failed--> closing
 * closing   --> left | failed (with the error as output)
 * ```
 */
import { serviceLifecycle } from "../link/index.ts";

export const replicaLifecycle = serviceLifecycle({
  id: "replica",
  first: "loading",
  open: {
    loading: { on: { ReleaseReady: "serving", Stop: "draining" } },
    serving: {
      type: "parallel",
      on: { Stop: "draining" },
      states: {
        activity: {
          initial: "ready",
          states: {
            ready: {
              initial: "idle",
              states: {
                idle: { tags: "brief", on: { BatchTaken: "computing" } },
                computing: { tags: "brief", on: { BatchesDone: "idle" } },
              },
            },
          },
        },
        releases: {
          initial: "steady",
          states: {
            steady: { on: { LoadBegun: "loading" } },
            loading: { on: { WarmBegun: "warming", LoadEnded: "steady" } },
            warming: { on: { LoadEnded: "steady" } },
          },
        },
      },
    },
  },
});

/** Whether it takes batches: also before a release is ready, which it then reports. */
export function isTakingBatches(state: string): boolean {
  return state === "loading" || state.startsWith("ready");
}
