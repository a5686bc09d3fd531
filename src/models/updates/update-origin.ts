/** `origin.kind` of a release that an update made; its `origin.generation` is the number of the update. */
export const UPDATE_ORIGIN = "continuous";
