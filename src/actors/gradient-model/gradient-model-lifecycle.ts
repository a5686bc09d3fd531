/**
 * The lifecycle of a gradient model, pure: the common chart (runtime/actor/message-lifecycle.ts) with this activity.
 *
 * ```
 * warmingUp --it has learnt from a gradient, now or before a restart--> predicting
 * ```
 *
 * It never awaits an answer: a gradient that does not arrive is a prediction without a target.
 */
import { messageLifecycle } from "../../runtime/actor/index.ts";

export const gradientModelLifecycle = messageLifecycle({
  id: "gradient-model",
  initial: "warmingUp",
  activity: { warmingUp: { on: { WarmedUp: "predicting" } }, predicting: {} },
});

/** A prediction goes before a gradient to learn from: the block may be about to give its batch up. */
export const GRADIENT_MODEL_ORDER = { idleKinds: ["save", "batch", "gradient"] } as const;
