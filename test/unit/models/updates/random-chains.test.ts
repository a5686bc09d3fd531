/**
 * Random schedules of promotions, rollbacks, losses, repeats, reordering, replays, damage, crashes: the device serves the
 * trainer's weights, of numbers that only go up, and once it has seen the newest number it has it or asks for it.
 */
import assert from "node:assert/strict";
import { describe, expect, it } from "vitest";
import { newKeyPair, readSigner, readTrustedKey } from "../../../../src/models/index.ts";
import { digestOfTensors } from "../../../../src/models/updates/index.ts";
import { seededDraws } from "../../messages/model-update/update-samples.ts";
import { type Change, deviceOf, trainerOf } from "./device-scene.ts";

const CHAINS = 10_000;
const STEPS = 24;

const pair = newKeyPair();
const signer = readSigner(pair.privatePem, "own");
const trusted = [readTrustedKey(pair.publicPem, "own.pub")];
const KINDS: readonly Change[] = ["masked", "masked", "masked", "channels", "batch-norm", "full", "restore"];

const counts = { inOrder: 0, together: 0, restored: 0, asked: 0, crashed: 0, failed: 0, replayed: 0, damaged: 0 };

function damaged(bytes: Uint8Array, below: (limit: number) => number): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (let times = 1 + below(3); times > 0; times -= 1) {
    const at = below(copy.length);
    copy[at] = (copy[at] as number) ^ (1 << below(8));
  }
  return below(4) === 0 ? copy.subarray(0, below(copy.length)) : copy;
}

function runChain(seed: number): void {
  const draw = seededDraws(seed);
  const below = (limit: number): number => Math.floor(draw() * limit);
  // Signatures cost most of the time: some chains have them.
  const isSigned = seed % 20 === 0;
  const trainer = trainerOf(isSigned ? signer : undefined);
  const device = deviceOf({ ...(isSigned ? { trusted } : {}), maxPending: 1 + below(8) });
  const wire: Uint8Array[] = [];
  const sent: Uint8Array[] = [];
  let newestDelivered = 1;
  const numberOf = new Map<Uint8Array, number>();

  /** @returns what the trainer made now */
  const made = (bytes: Uint8Array): Uint8Array => {
    sent.push(bytes);
    numberOf.set(bytes, trainer.newest());
    return bytes;
  };
  const send = (bytes: Uint8Array): void => {
    made(bytes);
    if (below(5) > 0) wire.push(bytes);
  };
  const deliver = (bytes: Uint8Array): void => {
    const decision = device.receive(bytes);
    newestDelivered = Math.max(newestDelivered, numberOf.get(bytes) ?? 0);
    if (decision.kind === "ask") counts.asked += 1;
    if (decision.kind !== "apply") return;
    const { start, steps } = decision.plan;
    if (start !== undefined && steps.length === 0) counts.restored += 1;
    else counts[steps.length > 1 ? "together" : "inOrder"] += 1;
  };
  const assertSound = (): void => {
    const { kept, newest } = device.state;
    const [held] = kept;
    if (held === undefined) return;
    assert(
      held.digest === digestOfTensors(trainer.weights(held.number)),
      "it serves the trainer's weights of its number",
    );
    assert(digestOfTensors(device.disk.weights.get(held.digest) ?? {}) === held.digest, "they have its digest");
    const { served } = device;
    assert(
      served.every((number, at) => at === 0 || number > (served[at - 1] as number)),
      "its numbers only go up",
    );
    assert(newest === newestDelivered, "it remembers the newest number");
  };

  for (let step = 0; step < STEPS; step += 1) {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        send(trainer.promote(KINDS[below(KINDS.length)] as Change, seed + step).bytes);
        break;
      case 4:
      case 5:
      case 6: {
        // Any of what is under way, and in one of four cases once more later.
        const at = below(wire.length);
        const bytes = wire[at];
        if (bytes === undefined) break;
        if (below(4) > 0) wire.splice(at, 1);
        deliver(bytes);
        break;
      }
      case 7:
        if (sent.length > 0) deliver(sent[below(sent.length)] as Uint8Array);
        counts.replayed += 1;
        break;
      case 8: {
        const bytes = sent.at(-1);
        if (bytes === undefined) break;
        const copy = damaged(bytes, below);
        if (Buffer.compare(copy, bytes) === 0) break; // one bit, twice
        assert(device.receive(copy).kind === "ignore", "it ignores damaged bytes");
        counts.damaged += 1;
        break;
      }
      case 9:
        if (device.state.applying !== undefined) counts.crashed += 1;
        device.crash();
        break;
      case 10: {
        device.pass(1000 * 2 ** below(8));
        if (device.request() !== undefined) send(trainer.anchor());
        break;
      }
      default: {
        if (below(10) === 0) device.disk.weights.delete(device.disk.durable.kept[1]?.digest ?? "");
        if (device.work().kind === "ask") counts.failed += 1;
        assertSound();
      }
    }
  }

  // The newest number arrives: the device has it, or it asks for it, and gets it.
  deliver(made(trainer.promote("masked", seed).bytes));
  device.work();
  assertSound();
  const hasNewest = (): boolean => device.state.kept[0]?.digest === trainer.digest;
  assert(hasNewest() || device.state.request !== undefined, "it has the newest number or asks for it");
  if (!hasNewest()) {
    device.pass(1e9);
    assert(device.request()?.newest === trainer.newest(), "it asks for the newest number");
    deliver(made(trainer.anchor()));
    device.work();
    assertSound();
    assert(hasNewest(), "a full one brings the newest number");
  }
  assert(device.state.request === undefined && device.state.pending.length === 0, "nothing is left over");
}

describe("a device", () => {
  it(`has the trainer's weights or asks for them, after each of ${CHAINS} random chains`, () => {
    for (let seed = 1; seed <= CHAINS; seed += 1) {
      try {
        runChain(seed);
      } catch (error) {
        throw new Error(`chain of seed ${seed}`, { cause: error });
      }
    }
    // Each must happen often, or the chains test nothing.
    for (const [what, count] of Object.entries(counts)) expect([what, count > 100]).toEqual([what, true]);
  }, 240_000);
});
