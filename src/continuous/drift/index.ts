/** Detectors of a moved distribution: they ask for labels and training, never for a swap. */
export { type Adwin, type AdwinOptions, type AdwinState, openAdwin } from "./adwin.ts";
export { type RoundAnswers, suddenFall } from "./sudden-fall.ts";
