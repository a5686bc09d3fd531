/** Block 1 of 3 without its neighbours: the test sends what they would, and hears what they would. */
import { type BlockActorDeps, type BlockActorOptions, createBlockActor } from "../../../../src/actors/block/index.ts";
import {
  type Command,
  type CommandReply,
  decodeFrame,
  type Header,
  type Progress,
} from "../../../../src/messages/index.ts";
import type { Actor } from "../../../../src/runtime/actor/index.ts";
import {
  type BatchOptions,
  batchFrame,
  createScene,
  gapFrame,
  gradientFrame,
  memoryOf,
  RUN,
  type Scene,
} from "../actor-scene.ts";
import { type FakeBlock, fakeBlock, type FakeBlockOptions } from "../fake-units.ts";

export const INPUT = `kn.v1.${RUN}.act.0`;
export const OUTPUT = `kn.v1.${RUN}.act.1`;
export const INPUT_GRADIENT = `kn.v1.${RUN}.grad.0`;
export const OUTPUT_GRADIENT = `kn.v1.${RUN}.grad.1`;

/** A block that waits for nobody, saves when it is told to, and whose neighbours are as quick as it is. */
export const PLAIN_BLOCK = {
  activationCodec: "raw",
  gradientCodec: "raw",
  window: 4,
  isGating: false,
  appliesReturned: false,
  isGradientModelElsewhere: false,
  isPreviousGating: false,
  isDropping: false,
} as const satisfies Partial<BlockActorOptions>;

export interface MiddleBlock {
  readonly scene: Scene;
  readonly actor: Actor;
  readonly unit: FakeBlock;
  /** Frames on the subject of its output, gaps among them. */
  readonly activations: Uint8Array[];
  readonly gradients: Uint8Array[];
  /** Sends batches and lets them be worked off. */
  send(...sequences: readonly number[]): Promise<void>;
  sendFrom(options: BatchOptions, ...sequences: readonly number[]): Promise<void>;
  /** Word from the block before of what will not come. */
  skip(first: number, last: number, fence?: number): Promise<void>;
  /** Gradients from the next block. */
  sendGradients(...sequences: readonly number[]): Promise<void>;
  /** Of its last progress. */
  drops(): Readonly<Record<string, number>>;
  /** Of each progress. */
  consumed(): number[];
  /** In what it has sent and said so far. */
  fences(): { activations: number[]; gradients: number[]; facts: number[] };
  /** Sends a command and lets it be answered. */
  command(command: Command): Promise<CommandReply>;
  prepare(generation: number): Promise<CommandReply>;
  /** The figures that the actor itself reports, whether or not it had reason to publish them. */
  reported(): Promise<Progress>;
}

export interface MiddleBlockOptions extends Partial<BlockActorOptions> {
  readonly unit?: FakeBlockOptions;
  readonly policy?: NonNullable<BlockActorDeps["policy"]>;
}

/** @param past scene of the incarnation before, where there is one. */
export async function middleBlock(options: MiddleBlockOptions = {}, past?: Scene): Promise<MiddleBlock> {
  const scene = past ?? (await createScene());
  const { unit: unitOptions, policy, isGating = false, appliesReturned = isGating, ...changes } = options;
  const unit = fakeBlock({ isLater: appliesReturned, ...unitOptions });
  const activations = scene.listen(OUTPUT);
  const gradients = scene.listen(INPUT_GRADIENT);
  const actor = createBlockActor(
    { ...scene.options("block-1"), ...PLAIN_BLOCK, index: 1, blocks: 3, isGating, appliesReturned, ...changes },
    {
      ...scene.deps,
      memory: memoryOf("block-1", scene.checkpoints, changes),
      openUnit: () => Promise.resolve(unit.handle),
      ...(policy === undefined ? {} : { policy }),
    },
  );
  await actor.start();
  await scene.settle();
  const sendFrom: MiddleBlock["sendFrom"] = async (frameOptions, ...sequences) => {
    for (const sequence of sequences) scene.publish(INPUT, batchFrame(sequence, frameOptions));
    await scene.settle();
  };
  const command: MiddleBlock["command"] = async (order) => {
    const answer = scene.order("block-1", order);
    answer.catch(() => undefined); // the caller awaits it below
    await scene.settle();
    return answer;
  };
  return {
    scene,
    actor,
    unit,
    command,
    prepare: (generation) => command({ kind: "PrepareCheckpoint", generation }),
    activations,
    gradients,
    send: (...sequences) => sendFrom({}, ...sequences),
    sendFrom,
    async skip(first, last, fence) {
      scene.publish(INPUT, gapFrame(first, last, fence));
      await scene.settle();
    },
    async sendGradients(...sequences) {
      for (const sequence of sequences) scene.publish(OUTPUT_GRADIENT, gradientFrame(sequence));
      await scene.settle();
    },
    drops: () => scene.facts("block-1", "Progress").at(-1)?.drops ?? {},
    consumed: () => scene.facts("block-1", "Progress").map(({ consumed }) => consumed),
    fences: () => ({
      activations: activations.map((frame) => headerIn(frame).fence),
      gradients: gradients.map((frame) => headerIn(frame).fence),
      facts: scene.events.flatMap(({ header, fact }) => (fact.kind === "Progress" ? [header.fence] : [])),
    }),
    async reported() {
      const answer = scene.order("block-1", { kind: "ReportState" });
      await scene.settle();
      const reply = await answer;
      if (reply.kind !== "ActorState") throw new Error(`answered with ${reply.kind}`);
      return reply.progress;
    },
  };
}

export function sequenceOf(frame: Uint8Array): number {
  return headerIn(frame).sequence;
}

/** A batch as its sequence, a gap as "3-5". */
export function told(frames: readonly Uint8Array[]): (number | string)[] {
  return frames.map((bytes) => {
    const frame = decodeFrame(bytes, { maxBytes: 1e6 });
    return frame.kind === "gap" ? `${frame.gap.first}-${frame.gap.header.sequence}` : sequenceOf(bytes);
  });
}

function headerIn(bytes: Uint8Array): Header {
  const frame = decodeFrame(bytes, { maxBytes: 1e6 });
  if (frame.kind === "activation") return frame.activation.header;
  if (frame.kind === "gradient") return frame.gradient.header;
  throw new Error(`a ${frame.kind}`);
}
