/**
 * The lifecycle of a block: the mail machine (src/runtime/actor/mail-machine.ts has the chart) with its own mail.
 * `awaiting` is entered after the forward of a batch whose gradient source is gating (`locked`): the block then takes
 * nothing but the gradient, a command to save, or the news that no gradient will come.
 */
import { mailMachine } from "../../runtime/actor/index.ts";

/** A gradient goes before the next batch: it belongs to an older one and frees what is kept for it. */
const IDLE_MAIL = ["save", "gradient", "batch"] as const;
const AWAITING_MAIL = ["save", "gradient", "give-up"] as const;

export const blockMachine = mailMachine({ id: "block", idleMail: IDLE_MAIL, awaitingMail: AWAITING_MAIL });
