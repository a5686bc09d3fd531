/**
 * An actor whose unit is open in a compute worker. When the worker dies the unit is lost, also that of an idle actor:
 * the actor ends with the error, and its supervisor restarts it from its last checkpoint. So all actors on one
 * worker restart together, a block and the gradient model beside it included.
 */
import type { Actor } from "../runtime/actor/index.ts";
import type { ComputeSite } from "./compute-site.ts";

export function createWorkerBoundActor(actor: Actor, site: Pick<ComputeSite, "onWorkerLost">): Actor {
  let lost: Error | undefined;
  const unsubscribe = site.onWorkerLost((error) => {
    lost = error;
    void actor.stop();
  });
  const ended = actor.ended.then((outcome) => {
    unsubscribe();
    return outcome instanceof Error ? outcome : lost;
  });
  return {
    id: actor.id,
    get state() {
      return actor.state;
    },
    ended,
    start: () => actor.start(),
    stop: (options) => actor.stop(options),
  };
}
