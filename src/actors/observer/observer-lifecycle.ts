/**
 * The lifecycle of an observer, pure.
 *
 * ```
 * opening   --opened--> waiting: no release is live, so that no input can be judged
 * waiting   --NetworkKnown--> observing.recording
 * observing recording --StoreLost--> holding (what is chosen waits, within a bound) --StoreFound--> recording
 * waiting, observing --Stop--> draining: takes no input, appends what it has --> closing
 * closing   --> left | failed (with the error as output)
 * ```
 */
import { serviceLifecycle } from "../link/index.ts";

export const observerLifecycle = serviceLifecycle({
  id: "observer",
  first: "waiting",
  open: {
    waiting: { on: { NetworkKnown: "observing", Stop: "draining" } },
    observing: {
      on: { Stop: "draining" },
      initial: "recording",
      states: {
        recording: { on: { StoreLost: "holding" } },
        holding: { on: { StoreFound: "recording" } },
      },
    },
  },
});

/** Whether it takes inputs: those that come before it knows the network are counted. */
export function isTakingInputs(state: string): boolean {
  return state === "waiting" || state.startsWith("observing");
}
