/** Options and collaborators of a student's section. */
import type { SectionHandle } from "../../compute/index.ts";
import type { TensorCodec } from "../../messages/index.ts";
import type { SectionsPhaseSpec } from "../../run-spec/index.ts";
import type { ActorMemory } from "../../runtime/artifacts/index.ts";
import type { ActorDeps, StreamActorOptions } from "../link/index.ts";

export interface StudentSectionActorOptions extends StreamActorOptions {
  /** Sections of the student that it holds: one, or from the first to the last all of them. */
  readonly first: number;
  readonly last: number;
  /** Sections of the student. */
  readonly sections: number;
  /** Whether there is a teacher. */
  readonly isTaught: boolean;
  /** How the share of its own input moves over the phase. */
  readonly ownInput: SectionsPhaseSpec["ownInput"];
  /** Training steps of the phase, and the sequence after which it begins. */
  readonly totalSteps: number;
  readonly startAfter: number;
  readonly activationCodec: TensorCodec;
  /** Batches between the feeder and the slowest section. */
  readonly window: number;
  readonly feeder: string;
  /** Actor of the student's next section; undefined: there is none. */
  readonly next: string | undefined;
}

export interface StudentSectionActorDeps extends ActorDeps {
  readonly memory: ActorMemory;
  /** Opens the mathematics; called once at the start. */
  readonly openUnit: () => Promise<SectionHandle>;
}
