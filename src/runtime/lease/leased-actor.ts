/**
 * An actor that lives under a lease: it begins when the lease is ours, bears its fence, and ends when another has taken it
 * (it was suspended, or cut off, and its place was given away).
 */
import type { Actor } from "../actor/actor.ts";
import type { Lease } from "./lease.ts";

export interface LeasedActorOptions {
  readonly id: string;
  /** Waits for the lease. */
  readonly acquire: (signal: AbortSignal) => Promise<Lease>;
  /** Makes the actor. */
  readonly create: (fence: number) => Actor;
}

export function createLeasedActor({ id, acquire, create }: LeasedActorOptions): Actor {
  const stopping = new AbortController();
  let actor: Actor | undefined;
  let isLost = false;
  let finish: (outcome: void | Error) => void = () => undefined;
  const ended = new Promise<void | Error>((resolve) => {
    finish = resolve;
  });

  const follow = async (started: Actor, held: Lease): Promise<void> => {
    const lost = held.ended.then(async (error) => {
      if (!(error instanceof Error)) return undefined;
      isLost = true;
      await started.stop();
      return error;
    });
    const outcome = await started.ended;
    await held.release();
    finish((await lost) ?? outcome);
  };

  return {
    id,
    get state() {
      return actor?.state ?? "waiting";
    },
    ended,
    async start() {
      let lease: Lease | undefined;
      try {
        lease = await acquire(stopping.signal);
        stopping.signal.throwIfAborted(); // it may have become ours in the very moment of the stop
        actor = create(lease.fence);
        await actor.start();
      } catch (error) {
        await lease?.release();
        finish(error instanceof Error ? error : new Error(String(error)));
        throw error;
      }
      void follow(actor, lease);
    },
    async stop() {
      stopping.abort(new Error(`${id} was stopped`));
      if (actor === undefined) {
        finish();
        return;
      }
      // Whoever has the lease next goes on from what we leave. One who has lost it must not save: the next may have begun.
      await actor.stop({ isSaving: !isLost });
      await ended;
    },
  };
}
