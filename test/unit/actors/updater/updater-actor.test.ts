import { describe, expect, it } from "vitest";
import { readSigner, readTrustedKey } from "../../../../src/models/index.ts";
import { BEGIN, FACTS, newKeyPair, updaterScene, weights } from "./updater-scene.ts";

describe("createUpdaterActor", () => {
  it("makes each update live as a release of its own, with its number in the manifest", async () => {
    const { learner, site, truth, caughtUp } = await updaterScene();
    await learner.put(learner.anchor());
    await site.start();
    for (const value of [2, 3]) {
      await learner.put(learner.next(value));
      await caughtUp();
    }
    const live = await truth.live();
    expect(live.last).toMatchObject({ by: "kn-updater", reason: "update 3" });
    const { manifest } = await truth.release(live.live ?? 0);
    expect(manifest.origin).toMatchObject({ kind: "continuous", generation: 3, run: FACTS.origin.run });
    expect(manifest.network).toEqual(FACTS.network);
    expect(site.figures).toMatchObject({ state: "following.current", number: 3, newest: 3, applied: 3, refused: {} });
    await site.stop();
  });

  it("makes several updates that it missed live in one go", async () => {
    const { learner, site, truth, caughtUp } = await updaterScene();
    await learner.put(learner.anchor());
    await site.start();
    await caughtUp();
    await site.stop();
    for (const value of [2, 3, 4]) await learner.put(learner.next(value));
    await site.start();
    await caughtUp();
    expect((await truth.history()).map(({ reason }) => reason)).toEqual(["", "update 1", "update 4"]);
    await site.stop();
  });

  it("catches up over a chain that is longer than what may wait on a device", async () => {
    const { learner, site, truth, caughtUp } = await updaterScene();
    await learner.put(learner.anchor());
    await site.start();
    await caughtUp();
    await site.stop();
    for (let number = 2; number <= 70; number += 1) await learner.put(learner.next(number));
    await site.start();
    await caughtUp();
    expect((await truth.history()).map(({ reason }) => reason).slice(2)).toEqual([
      "update 31",
      "update 61",
      "update 70",
    ]);
    expect(site.figures).toMatchObject({ fullAsked: 0 });
    await site.stop();
  });

  it("begins with the full update and those after it when it has no weights, and waits for a release to build on", async () => {
    const { learner, site, truth, until, caughtUp } = await updaterScene({ hasRelease: false });
    await learner.put(learner.anchor());
    await learner.put(learner.next(2));
    await site.start();
    await until(() => site.actor.state === "following.waiting", "it waits");
    await truth.publish(FACTS, weights(9));
    await caughtUp();
    await site.stop();
  });

  it("gets no full update of the weights that the site serves already", async () => {
    const { learner, site, truth, until, caughtUp } = await updaterScene({ begin: 1 });
    await learner.put(learner.anchor());
    await site.start();
    await until(() => site.actor.state === "following.current", "it is current");
    expect(site.figures).toMatchObject({ number: 1, applied: 0, appliedBytes: 0 });
    const next = learner.next(2);
    await learner.put(next);
    await caughtUp();
    expect(site.figures).toMatchObject({ number: 2, applied: 1, appliedBytes: next.bytes.length });
    expect((await truth.history()).map(({ reason }) => reason)).toEqual(["", "update 2"]);
    await site.stop();
  });

  it("gets it all the same where keys are trusted: what the shelf says is not signed", async () => {
    const keys = newKeyPair();
    const trusted = [readTrustedKey(keys.publicPem, "key.pub")];
    const signer = readSigner(keys.privatePem, "key");
    const { learner, site, until, caughtUp } = await updaterScene({ signer, trusted, begin: 1 });
    await learner.put(learner.anchor());
    await site.start();
    await caughtUp();
    await until(() => site.figures["applied"] === 1, "it applies the full update");
    await site.stop();
  });

  it("asks for a full update when the shelf has none that it can use, and takes the one that comes", async () => {
    const { learner, site, shelf, until, caughtUp } = await updaterScene();
    learner.anchor(); // never put
    await learner.put(learner.next(2));
    await site.start();
    await until(() => site.figures["fullAsked"] === 1, "it asks");
    for await (const request of shelf.asked()) {
      expect(request).toEqual({ model: "digits", newest: 0 });
      break;
    }
    await learner.put(learner.anchor());
    await caughtUp();
    expect(site.figures).toMatchObject({ state: "following.current", number: 2 });
    await site.stop();
  });

  it("makes weights live again that it keeps, without a new release", async () => {
    const { learner, site, truth, caughtUp } = await updaterScene();
    await learner.put(learner.anchor());
    await site.start();
    await caughtUp();
    const first = (await truth.live()).live;
    await learner.put(learner.next(2));
    await caughtUp();
    await learner.put(learner.next(BEGIN, { kind: "restore" }));
    await caughtUp();
    expect((await truth.live()).live).toBe(first);
    await site.stop();
  });

  it("counts what is not by a trusted key, and leaves what is live as it is", async () => {
    const [own, other] = [newKeyPair(), newKeyPair()];
    const trusted = [readTrustedKey(own.publicPem, "own.pub")];
    const { learner, site, truth, until } = await updaterScene({
      signer: readSigner(other.privatePem, "other"),
      trusted,
    });
    await learner.put(learner.anchor());
    await site.start();
    await until(() => (site.figures["refused"] as Record<string, number>)["unknown-signer"] === 1, "it refuses it");
    expect((await truth.live()).live).toBe(1);
    await site.stop();
  });

  it("keeps two of its own releases, what is live and pinned, and every release of others", async () => {
    const { learner, site, truth, caughtUp } = await updaterScene();
    await truth.publish(FACTS, weights(7));
    await learner.put(learner.anchor());
    await site.start();
    await caughtUp();
    await truth.setPinned((await truth.live()).live ?? 0, true);
    for (const value of [2, 3, 4, 5]) {
      await learner.put(learner.next(value));
      await caughtUp();
    }
    await site.stop();
    const left = (await truth.releases()).map(({ manifest, release }) =>
      manifest.origin.kind === "continuous" ? manifest.origin.generation : `release ${release}`,
    );
    expect(left).toEqual(expect.arrayContaining([5, 4, 1, "release 2", "release 1"]));
    expect(left.length).toBeLessThanOrEqual(7);
  });
});

describe("createUpdaterActor, when somebody else makes a release live", () => {
  it("pauses, also over a restart, until the next newer update", async () => {
    const { learner, site, truth, until, caughtUp } = await updaterScene();
    await learner.put(learner.anchor());
    await site.start();
    await learner.put(learner.next(2));
    await caughtUp();
    await truth.promote(1, { by: "kn promote" });
    await until(() => site.actor.state === "following.paused", "it pauses");
    await site.stop();
    await site.start();
    await until(() => site.actor.state === "following.paused", "it still pauses");
    expect((await truth.live()).live).toBe(1);
    await learner.put(learner.next(3));
    await caughtUp();
    await until(() => site.actor.state === "following.current", "it goes on");
    await site.stop();
  });

  it("goes on when the release that it had made live is live again", async () => {
    const { learner, site, truth, until, caughtUp } = await updaterScene();
    await learner.put(learner.anchor());
    await site.start();
    await caughtUp();
    const { live = 0 } = await truth.live();
    await truth.rollback({ by: "gateway-0" });
    await until(() => site.actor.state === "following.paused", "it pauses");
    await truth.promote(live, { by: "kn promote" });
    await until(() => site.actor.state === "following.current", "it goes on");
    await site.stop();
  });
});

describe("createUpdaterActor, twice on one site", () => {
  it("makes each update live once, and neither takes the other for somebody else", async () => {
    const scene = await updaterScene();
    const { learner, site, truth, until, caughtUp } = scene;
    await learner.put(learner.anchor());
    const second = scene.another();
    await site.start();
    await second.start();
    for (const value of [2, 3, 4]) {
      await learner.put(learner.next(value));
      await caughtUp();
    }
    const isCurrent = () => [site, second].every(({ actor }) => actor.state === "following.current");
    await until(isCurrent, "both rest");
    const updates = (await truth.history()).filter(({ by }) => by === "kn-updater").map(({ to }) => to);
    expect(updates).toEqual([...new Set(updates)]);
    expect((await truth.history()).at(-1)).toMatchObject({ reason: "update 4" });
    await site.stop();
    await second.stop();
  });
});

describe("createUpdaterActor, of stores that fail", () => {
  it.each(["cloud", "site"] as const)(
    "any one call of the %s's store fails: it catches up all the same",
    async (side) => {
      for (const kind of ["refused", "unanswered"] as const) {
        let calls = 1;
        for (let failing = 0; failing < calls; failing += 1) {
          const { learner, site, faults, caughtUp } = await updaterScene();
          await learner.put(learner.anchor());
          await learner.put(learner.next(2));
          calls = 0;
          faults[side].now = () => (calls++ === failing ? { kind } : undefined);
          await site.start();
          await caughtUp();
          await site.stop();
        }
      }
    },
  );

  it.each(["masked", "restore"] as const)(
    "a crash at any write while it makes a %s update live: after the restart its digest is the trainer's",
    async (change) => {
      for (const kind of ["refused", "unanswered"] as const) {
        for (let writes = 0, isOver = false; !isOver; writes += 1) {
          const { learner, site, truth, faults, until, caughtUp } = await updaterScene();
          await learner.put(learner.anchor());
          await site.start();
          await caughtUp();
          await learner.put(learner.next(2));
          await caughtUp();
          const before = (await truth.history()).length;
          let left = writes;
          let isDown = false;
          faults.site.now = ({ isChange }) => {
            if (isDown) return { kind: "refused" };
            if (!isChange || left-- > 0) return undefined;
            isDown = true;
            return { kind };
          };
          await learner.put(change === "restore" ? learner.next(BEGIN, { kind: "restore" }) : learner.next(3));
          await until(async () => isDown || (await site.digest()) === learner.digest, "a crash, or the end");
          isOver = !isDown;
          await site.stop();
          faults.site.now = undefined;
          await site.start();
          await caughtUp();
          await until(() => site.actor.state === "following.current", "it is current");
          const after = (await truth.history()).slice(before);
          expect(after).toMatchObject([{ by: "kn-updater", reason: "update 3" }]);
          await learner.put(learner.next(4));
          await caughtUp();
          await site.stop();
        }
      }
    },
  );

  it("takes the full update and those after it when the weights that it keeps are gone", async () => {
    const { learner, site, plain, caughtUp } = await updaterScene();
    await learner.put(learner.anchor());
    await site.start();
    await caughtUp();
    await site.stop();
    const blobs = await plain.site.blobs("kn-artifacts");
    for (const { name } of await blobs.list()) await blobs.delete(name);
    await learner.put(learner.next(2));
    await site.start();
    await caughtUp();
    expect(site.figures).toMatchObject({ fullAsked: 0 });
    await site.stop();
  });
});
