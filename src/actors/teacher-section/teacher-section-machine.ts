/**
 * The lifecycle of a teacher's section: the mail machine (src/runtime/actor/mail-machine.ts has the chart). It never waits
 * for an answer, and has nothing to save.
 */
import { mailMachine } from "../../runtime/actor/index.ts";

const MAIL = ["lesson"] as const;

export const teacherSectionMachine = mailMachine({ id: "teacher-section", idleMail: MAIL, awaitingMail: MAIL });
