/**
 * The gradient source of a block whose spec says `auto`: gradient model or auxiliary head, by the model's quality as its
 * actor reports it. The choice is part of the block's checkpoint.
 */
import type { AutoChoice, AutoPolicy, AutoSwitch, BlockHandle } from "../../compute/index.ts";
import type { Event } from "../../messages/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface BlockSourceDeps {
  readonly policy: AutoPolicy;
  readonly unit: () => BlockHandle;
  /** The unit uses the other source from now on. */
  readonly onSwitched: (change: AutoSwitch) => void;
  readonly log: Logger;
}

export interface BlockSource {
  /** Changes the source when the gradient model has become good or bad enough. */
  onModelEvent(event: Event): Promise<void>;
  /** For a checkpoint's metadata. */
  save(): Readonly<Record<string, string>>;
  /** Continues what `save` gave. Rejects with KN_INVARIANT when the unit has no such source. */
  restore(saved: Readonly<Record<string, string>>): Promise<void>;
}

export function createBlockSource(id: string, { policy, unit, onSwitched, log }: BlockSourceDeps): BlockSource {
  return {
    async onModelEvent({ header: of, fact }) {
      if (fact.kind !== "Progress" || fact.quality === undefined) return;
      const { cosine, updates } = fact.quality;
      const change = policy.observe({ step: of.step, cosine, updates });
      if (change === undefined) return;
      try {
        await unit().use(change.to);
      } catch (error) {
        policy.resume(change.from); // so that it may try again
        log.warn({ actor: id, ...change, err: error }, "gradient source not switched");
        return;
      }
      log.info({ actor: id, ...change }, "gradient source switched");
      onSwitched(change);
    },
    save: () => ({ source: policy.current }),
    async restore({ source }) {
      if (source === undefined) return;
      policy.resume(source as AutoChoice);
      await unit().use(source as AutoChoice);
    },
  };
}
