/** The observations of a site with a store of its own, which may be away when the learner starts. */
import { type ObservationLog, openObservationLog } from "../../models/observations/index.ts";
import type { FollowedStore } from "../serve/follow-learner.ts";

/** Opens the log at the first look that the site's store answers. Until then a look rejects with KN_UNAVAILABLE. */
export function siteObservations(site: Pick<FollowedStore, "open">, model: string): Pick<ObservationLog, "read"> {
  let opening: Promise<ObservationLog> | undefined;
  const open = async (): Promise<ObservationLog> => openObservationLog(await site.open(), model);
  return {
    read: (options) => ({
      async *[Symbol.asyncIterator]() {
        opening ??= open().catch((error: unknown) => {
          opening = undefined;
          throw error;
        });
        yield* (await opening).read(options);
      },
    }),
  };
}
