/**
 * The exclusive use of a run's name on a bus. All messages of a run go over `kn.v1.<run>.*`, so that two runs of one
 * name would train on each other's messages; a process claims the name before it publishes anything there.
 *
 * Protocol, on core NATS alone: a claimant subscribes to `kn.v1.<run>.ctl.claim`, then sends its rank there. Each rank
 * is compared with the receiver's own, and the lower one yields; a holder ranks above every claimant, and an older
 * holder above a younger one. Of two claimants, the first to subscribe receives the rank of the other, so one of them
 * yields. The claim ends with the subscription, hence with the process. After a reconnection the rank is sent again:
 * another process may have claimed the name while this one was disconnected.
 *
 * A run of a fleet has no claim; it is detected by the services of its actors.
 */
import { randomBytes } from "node:crypto";
import { KnowledgeNetError } from "../../errors/index.ts";
import { runSubject } from "../../messages/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";

export interface RunClaim extends AsyncDisposable {
  /** Resolves with KN_FENCED when an older holder turned up after a reconnection. Never rejects. */
  readonly lost: Promise<KnowledgeNetError>;
}

export interface ClaimOptions {
  /** Also refuses while actors of a run of that name are on the bus. @default true */
  readonly isActorRefused?: boolean;
}

export interface ClaimDeps {
  readonly bus: Bus;
  readonly clock: Clock;
}

interface Rank {
  readonly id: string;
  /** ms since 1970; absent while it is only claimed. */
  readonly heldSinceMs?: number;
}

/** Time limit for objections, ms: several round trips over a wide-area network. */
const OBJECTION_MS = 750;

/** Rejects with KN_CONFIG when another process uses the name. */
export async function claimRun(
  run: string,
  { isActorRefused = true }: ClaimOptions,
  { bus, clock }: ClaimDeps,
): Promise<RunClaim> {
  const subject = runSubject(run, "ctl", "claim");
  const inbox = `_INBOX.${randomBytes(11).toString("hex")}`;
  let own: Rank = { id: randomBytes(8).toString("hex") };
  let yieldTo: (owner: string) => void = () => undefined;
  const yielded = new Promise<string>((resolve) => {
    yieldTo = resolve;
  });
  const subscriptions = [
    bus.subscribe(subject, (message) => {
      const other = decode(message.data);
      if (other === undefined || other.id === own.id) return;
      if (isAbove(own, other)) message.respond(new TextEncoder().encode("claimed"));
      else yieldTo("another process");
    }),
    bus.subscribe(inbox, ({ data }) => {
      const text = new TextDecoder().decode(data);
      if (text === "claimed") yieldTo("another process");
      else if (isActorRefused && own.heldSinceMs === undefined && isActorOf(run, text)) yieldTo("actors on the bus");
    }),
  ];
  const sendRank = (): void => {
    bus.publish(subject, new TextEncoder().encode(JSON.stringify(own)), { reply: inbox });
  };
  const release = (): void => {
    for (const subscription of subscriptions) subscription.unsubscribe();
  };
  try {
    await bus.flush();
    sendRank();
    bus.publish("$SRV.PING", new Uint8Array(0), { reply: inbox });
    const waiting = new AbortController();
    const owner = await Promise.race([yielded, clock.sleep(OBJECTION_MS, waiting.signal).catch(() => undefined)]);
    waiting.abort();
    if (owner !== undefined) throw taken(run, bus, owner);
  } catch (error) {
    release();
    throw error;
  }
  own = { ...own, heldSinceMs: clock.wallTimeMs() };
  const forget = bus.on("reconnected", sendRank);
  return {
    lost: yielded.then(
      () =>
        new KnowledgeNetError("KN_FENCED", {
          attempt: `continue ${run}`,
          rule: `its name must be unique at ${bus.description}`,
          value: "another process claimed it while this one was disconnected",
          remedy: "this process has ended; resume its run on another server, or after the other run has ended",
        }),
    ),
    [Symbol.asyncDispose]() {
      forget();
      release();
      return Promise.resolve();
    },
  };
}

function taken(run: string, bus: Bus, owner: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `run ${run} at ${bus.description}`,
    rule: "a run's name must be unique on a server",
    value: `in use by ${owner}`,
    remedy: "choose another name: --name, or wait until the other run has ended",
  });
}

function isAbove(own: Rank, other: Rank): boolean {
  const [ownMs, otherMs] = [own, other].map(({ heldSinceMs = Number.POSITIVE_INFINITY }) => heldSinceMs);
  return ownMs === otherMs ? own.id < other.id : Number(ownMs) < Number(otherMs);
}

function decode(data: Uint8Array): Rank | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(data)) as Rank | null;
    return typeof value?.id === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @param answer of a service to `$SRV.PING` */
function isActorOf(run: string, answer: string): boolean {
  try {
    const { name = "", metadata } = JSON.parse(answer) as { name?: string; metadata?: { run?: string } };
    return name.startsWith("kn-") && metadata?.run === run;
  } catch {
    return false;
  }
}
