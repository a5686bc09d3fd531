/** The actor that makes a learner's updates live on a site. */
export { createUpdaterActor } from "./updater-actor.ts";
export type { UpdaterActorDeps, UpdaterActorOptions } from "./updater-options.ts";
export { newestOnSite } from "./updater-record.ts";
