/**
 * The lifecycle of a gradient model: the mail machine (src/runtime/actor/mail-machine.ts has the chart). It never waits
 * for an answer: a gradient that does not come is a prediction that is not learnt from.
 */
import { mailMachine } from "../../runtime/actor/index.ts";

/** A prediction before a lesson: the block may be about to give its batch up. */
const IDLE_MAIL = ["save", "batch", "gradient"] as const;

export const gradientModelMachine = mailMachine({ id: "gradient-model", idleMail: IDLE_MAIL, awaitingMail: IDLE_MAIL });
