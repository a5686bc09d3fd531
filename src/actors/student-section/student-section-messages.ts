/** Messages that wait for a student's section in its mailbox. */
import type { Activation } from "../../messages/index.ts";
import type { GapCause } from "../../runtime/stream/index.ts";
import type { JoinedInputs } from "./input-joiner.ts";

export interface InputsMessage {
  readonly kind: "inputs";
  readonly inputs: JoinedInputs;
  /** Why batches before it were skipped. */
  readonly gap: GapCause | undefined;
}

/** The batch was learnt from, and the next section lacks its part of it: an incarnation before had sent it. */
export interface RecomputeMessage {
  readonly kind: "recompute";
  readonly input: Activation;
}

export type StudentSectionMessage = InputsMessage | RecomputeMessage;
