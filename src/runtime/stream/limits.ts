/**
 * Time without progress after which a sender retransmits what is not acknowledged, ms. Well above the time of a slow
 * step.
 */
export const RETRANSMIT_AFTER_MS = 3_000;
