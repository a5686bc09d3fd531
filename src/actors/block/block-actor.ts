/**
 * A block: takes batches in order, computes and sends on its activation, updates by the gradient that its source gives, and
 * sends the gradient at its input back.
 *
 * Exactly once on a lossy bus: activations (and, where the block before is gating, gradients) stay in an outbox until the
 * receiver has consumed them; the input stream takes each sequence once and in order.
 *
 * A batch is consumed when its forward is done; of a gating source, when its gradient was applied. A later gradient
 * (`delayed`, `mixed`, a gradient model elsewhere) meets the batch in the compute unit, which keeps a bounded number.
 */
import type { BlockHandle } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Activation, runSubject } from "../../messages/index.ts";
import { blockActor, COORDINATOR, gradientActor } from "../../run-spec/index.ts";
import { type Actor, createMessageActor, type Position } from "../../runtime/actor/index.ts";
import { createDropCounters, createFrameReceiver, createInputStream } from "../../runtime/stream/index.ts";
import { askMeasurement } from "../link/index.ts";
import { BLOCK_ORDER, blockLifecycle } from "./block-lifecycle.ts";
import type { BlockMessage } from "./block-messages.ts";
import type { BlockActorDeps, BlockActorOptions } from "./block-options.ts";
import { createBlockOutput } from "./block-output.ts";
import { createBlockReturns } from "./block-returns.ts";
import { createBlockSource } from "./block-source.ts";
import { createBlockState } from "./block-state.ts";
import { createBlockWork } from "./block-work.ts";

export function createBlockActor(options: BlockActorOptions, deps: BlockActorDeps): Actor {
  const { run, id, fence, maxFrameBytes, index, blocks, isGating, isPreviousGating, window } = options;
  const { clock, log, policy } = deps;
  const isFirst = index === 0;
  const isLast = index === blocks - 1;
  const drops = createDropCounters();
  const state = createBlockState(drops);
  const { awaited, learner } = state;
  let opened: BlockHandle | undefined;
  const unit = (): BlockHandle => {
    if (opened !== undefined) return opened;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  return createMessageActor<BlockMessage>(
    { ...options, kind: "kn-block", description: `block ${index} of ${blocks}`, mailboxDepth: 2 * window },
    { ...deps, drops },
    ({ mailbox, channel, reached, fail, tell }) => {
      const here = (): Position => ({ sequence: learner.consumed, step: learner.step, version: learner.version });
      const emitProgress = (): void => {
        channel.emit(state.progress(), here());
      };
      const output = createBlockOutput(options, deps, learner, fail);
      const { activations, gradients, drain } = output;
      const input = createInputStream<Activation>(
        { depth: 2 * window, isDropping: options.isDropping && !isFirst },
        {
          clock,
          drops,
          queue: {
            get size() {
              return mailbox.size;
            },
            // The stream has room for it; a mailbox that is closed belongs to an actor that leaves.
            put: (activation, receivedBytes) => mailbox.put({ kind: "batch", activation, receivedBytes }),
            putGap: (end, cause) => mailbox.put({ kind: "batch", end, cause }),
          },
          acknowledge: emitProgress,
          onDuplicate(sequence) {
            // Our progress was lost, or the gradient that a gating block awaits. The gradient goes first: a progress
            // without it means that there is none.
            gradients.retransmit(sequence);
            emitProgress();
          },
        },
      );

      const returns = createBlockReturns(isGating, { state, output, drops, put: (message) => mailbox.put(message) });
      const source =
        policy &&
        createBlockSource(id, {
          policy,
          unit,
          log,
          onSwitched(change) {
            tell({ type: "SourceMoved", to: change.to });
            channel.emit({ kind: "SourceSwitched", ...change }, here());
          },
        });

      const receive = createFrameReceiver(
        { run, fence, maxFrameBytes },
        { clock, drops, log, fail, onActivation: input.accept, onGap: input.skip, onGradient: returns.onGradient },
      );
      const inputSubject = isFirst ? runSubject(run, "batch", "0") : runSubject(run, "act", String(index - 1));
      const gradientSubject = runSubject(run, "grad", String(index));
      const syntheticSubject = runSubject(run, "syn", String(index));
      const emitMeasured = channel.emit.bind(channel);

      return {
        lifecycle: blockLifecycle,
        order: BLOCK_ORDER,
        endpoints: [
          { name: "activation", subject: inputSubject, handler: receive },
          ...(options.appliesReturned ? [{ name: "gradient", subject: gradientSubject, handler: receive }] : []),
          ...(options.isGradientModelElsewhere
            ? [{ name: "synthetic", subject: syntheticSubject, handler: receive }]
            : []),
        ],
        watches: [
          ...(isLast ? [] : [{ actor: blockActor(index + 1), listener: returns.onNextEvent }]),
          ...(isPreviousGating ? [{ actor: blockActor(index - 1), listener: output.onPreviousEvent }] : []),
          ...(source === undefined ? [] : [{ actor: gradientActor(index), listener: source.onModelEvent }]),
        ],
        async open(saved) {
          opened = await deps.openUnit();
          if (saved !== undefined) {
            const { metadata, tensors } = saved;
            state.restore(metadata);
            await opened.restore({ version: learner.version, tensors });
            await source?.restore(metadata);
          }
          if (isLast) learner.evaluations.adopt(await askMeasurement(channel, COORDINATOR));
          input.begin(learner.consumed, saved !== undefined);
          if (!isLast) activations.begin(here());
        },
        perform: createBlockWork(options, { state, output, drops, unit, emitProgress, emitMeasured, reached }),
        async snapshot() {
          const { tensors } = await unit().snapshot();
          return { metadata: { actor: id, ...state.save(isGating), ...source?.save() }, tensors };
        },
        isAwaiting: () => awaited.batch !== undefined,
        // A batch whose gradient is awaited is not consumed: its sender has it, and sends it to the next incarnation.
        drain: () => (isLast ? Promise.resolve() : drain.drain(learner.consumed)),
        async close() {
          input.close();
          output.close();
          // Pending batches get no gradient any more: they are counted as unanswered.
          const given = await opened?.forget().catch(() => 0);
          if (given !== undefined && given > 0) {
            state.giveUp(given);
            emitProgress();
          }
          await opened?.dispose();
        },
        progress: () => state.progress(),
        position: () => learner.position(),
        evaluation: () => learner.evaluations.current,
        onReconnected() {
          activations.retransmit();
          gradients.retransmit();
          emitProgress();
        },
      };
    },
  );
}
