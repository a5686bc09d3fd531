/**
 * The lifecycle of a learner, pure.
 *
 * ```
 * opening   --opened--> following: waiting --RoundBegun--> judging --RoundEnded--> waiting
 * following --Stop--> draining: ends the round that it is at --> closing
 *           --Failed--> closing
 * closing   --> left | failed (with the error as output)
 * ```
 */
import { serviceLifecycle } from "../link/index.ts";

export const learnerLifecycle = serviceLifecycle({
  id: "learner",
  first: "following",
  open: {
    following: {
      on: { Stop: "draining" },
      initial: "waiting",
      states: {
        waiting: { on: { RoundBegun: "judging" } },
        judging: { on: { RoundEnded: "waiting" } },
      },
    },
  },
});
