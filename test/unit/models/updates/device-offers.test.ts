import { describe, expect, it } from "vitest";
import { newKeyPair, readSigner, readTrustedKey } from "../../../../src/models/index.ts";
import {
  openDeviceUpdates,
  promoteOffered,
  receiveOffer,
  receiveUpdate,
  settleUpdate,
  withOffered,
} from "../../../../src/models/updates/index.ts";
import { deviceOf, MOMENT, trainerOf } from "./device-scene.ts";

describe("receiveOffer", () => {
  it("plans the weights from those that are served, and counts nothing as seen", () => {
    const { state } = deviceOf();
    const { bytes, result } = trainerOf().promote("masked", 1);
    const decision = receiveOffer(state, bytes);
    expect(decision).toMatchObject({ kind: "prepare", plan: { start: state.kept[0], steps: [{}], result } });
    expect(state.newest).toBe(1);
  });

  it("ignores a number that was seen, and what is not made from the served weights", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    const second = trainer.promote("masked", 1);
    const third = trainer.promote("masked", 2);
    expect(receiveOffer(device.state, third.bytes)).toEqual({ kind: "ignore", reason: "other-base" });
    device.receive(second.bytes);
    device.work();
    expect(receiveOffer(device.state, second.bytes)).toEqual({ kind: "ignore", reason: "old" });
    expect(receiveOffer(device.state, trainer.anchor())).toEqual({ kind: "ignore", reason: "other-base" });
    expect(receiveOffer(device.state, third.bytes)).toMatchObject({ kind: "prepare" });
  });

  it("holds it while the device is behind", () => {
    const [trainer, device] = [trainerOf(), deviceOf()];
    trainer.promote("masked", 1);
    device.receive(trainer.promote("masked", 2).bytes);
    expect(receiveOffer(device.state, trainer.promote("masked", 3).bytes)).toEqual({ kind: "hold", reason: "behind" });
  });

  it("has the rules of updates for signers", () => {
    const [own, other] = [newKeyPair(), newKeyPair()];
    const trusted = [readTrustedKey(own.publicPem, "own.pub")];
    const offerOf = (pem?: string) =>
      receiveOffer(
        deviceOf().state,
        trainerOf(pem === undefined ? undefined : readSigner(pem, "key")).promote("masked", 1).bytes,
        { trusted },
      );
    expect(offerOf()).toMatchObject({ kind: "ignore", reason: "unsigned" });
    expect(offerOf(other.privatePem)).toMatchObject({ kind: "ignore", reason: "unknown-signer" });
    expect(offerOf(own.privatePem)).toMatchObject({ kind: "prepare" });
  });
});

describe("promoteOffered", () => {
  const offeredScene = () => {
    const trainer = trainerOf();
    const built = trainer.promote("masked", 1);
    return { trainer, built, state: withOffered(deviceOf().state, built.result) };
  };

  it("serves what was offered without a step, and does not keep the offer", () => {
    const { built, state } = offeredScene();
    const promoted = promoteOffered(state, built.result);
    expect(promoted).toMatchObject({ newest: 2, applying: { start: built.result, steps: [], result: built.result } });
    const settled = settleUpdate(promoted, "applied", MOMENT).state;
    expect(settled.kept.map(({ number }) => number)).toEqual([2, 1]);
    expect(settled.offered).toBeUndefined();
  });

  it("does so after a crash too, once the number was seen", () => {
    const { built, state } = offeredScene();
    const { model, kept, offered } = state;
    const opened = openDeviceUpdates({ model, kept, newest: 2, ...(offered === undefined ? {} : { offered }) }, MOMENT);
    expect(opened.decision).toMatchObject({ kind: "ask" });
    expect(promoteOffered(opened.state, built.result).applying).toMatchObject({ steps: [] });
  });

  it("leaves other weights, and a number that was passed, alone", () => {
    const { built, state } = offeredScene();
    for (const other of [
      { number: 3, digest: built.result.digest },
      { number: 2, digest: "0".repeat(64) },
    ]) {
      expect(promoteOffered(state, other)).toBe(state);
    }
    const passed = { ...state, newest: 3 };
    expect(promoteOffered(passed, built.result)).toBe(passed);
  });

  it("falls back on the updates when the weights of the offer are gone", () => {
    const { built, state } = offeredScene();
    const lost = settleUpdate(promoteOffered(state, built.result), "lost", MOMENT);
    expect(lost.state.offered).toBeUndefined();
    expect(receiveUpdate(lost.state, built.bytes, MOMENT).decision).toMatchObject({
      kind: "apply",
      plan: { start: state.kept[0], steps: [{}] },
    });
  });

  it("lets an update after the offered one start from the offered weights", () => {
    const { trainer, state } = offeredScene();
    const next = trainer.promote("masked", 2);
    expect(receiveUpdate(state, next.bytes, MOMENT).decision).toMatchObject({
      kind: "apply",
      plan: { start: state.offered, steps: [{}], result: next.result },
    });
  });
});
