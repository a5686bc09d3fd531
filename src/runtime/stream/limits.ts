/** Time without progress after which a sender repeats what is not consumed, ms. Well above a slow step's time. */
export const RESEND_AFTER_MS = 3_000;

/** Largest frame that an actor takes, bytes: eight times the widest boundary of the four-layer net at batch 1024. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
