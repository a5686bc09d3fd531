/**
 * The lifecycle of a student's section: the mail machine (src/runtime/actor/mail-machine.ts has the chart). A lesson
 * becomes mail when it is whole, so it never waits for an answer.
 */
import { mailMachine } from "../../runtime/actor/index.ts";

/** Who waits for its part goes first: nothing else moves meanwhile. */
const MAIL = ["save", "repeat", "lesson"] as const;

export const studentSectionMachine = mailMachine({ id: "student-section", idleMail: MAIL, awaitingMail: MAIL });
