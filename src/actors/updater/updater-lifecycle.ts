/**
 * The lifecycle of an updater, pure.
 *
 * ```
 * opening    --opened--> following (its state is what the last look at the shelf and at the live record found)
 *   waiting    nothing to follow yet: no update, no release to build on, or a store is away
 *   current    the newest update is live
 *   applying   a newer one is being made, published and promoted
 *   paused     a person has made another release live: the next newer update ends that
 * following  --Stop--> draining: ends the work at hand --> closing --> left | failed (with the error as output)
 * ```
 */
import { serviceLifecycle } from "../link/index.ts";

export const updaterLifecycle = serviceLifecycle({
  id: "updater",
  first: "following",
  open: {
    following: {
      initial: "waiting",
      on: {
        Stop: "draining",
        Waits: ".waiting",
        IsCurrent: ".current",
        Applies: ".applying",
        Pauses: ".paused",
      },
      states: { waiting: {}, current: {}, applying: {}, paused: {} },
    },
  },
});

export function isFollowing(state: string): boolean {
  return state.startsWith("following");
}
