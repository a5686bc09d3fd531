/** Time without progress after which a sender retransmits what is not acknowledged, ms. Well above the time of a slow step. */
export const RETRANSMIT_AFTER_MS = 3_000;

/** Largest frame that an actor accepts, bytes: eight times the widest boundary of the four-layer net at batch 1024. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
