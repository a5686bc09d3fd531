/**
 * The lifecycle of a gateway, pure.
 *
 * ```
 * opening  --opened--> waiting: no release has a replica for each slice
 * waiting  --Covered--> ready.steady            ready --Uncovered--> waiting
 * ready    steady --SwapBegun--> swapping (another release is live, and not loaded everywhere) --SwapEnded--> steady
 * waiting, ready --Stop--> draining: takes no request from the bus, answers those that it has --> closing
 * closing  --> left | failed (with the error as output)
 * ```
 */
import { serviceLifecycle } from "../link/index.ts";

export const gatewayLifecycle = serviceLifecycle({
  id: "gateway",
  first: "waiting",
  open: {
    waiting: { on: { Covered: "ready", Stop: "draining" } },
    ready: {
      on: { Uncovered: "waiting", Stop: "draining" },
      initial: "steady",
      states: {
        steady: { on: { SwapBegun: "swapping" } },
        swapping: { on: { SwapEnded: "steady" } },
      },
    },
  },
});

/** Whether it is open: it takes requests, and refuses them while no release can be computed. */
export function isOpen(state: string): boolean {
  return state === "waiting" || state.startsWith("ready");
}
