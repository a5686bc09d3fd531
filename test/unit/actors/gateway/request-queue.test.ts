/** The queue of a gateway against the definition of start-time fair queueing, written out plainly. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PRIORITIES, type Priority } from "../../../../src/actors/gateway/inference.ts";
import { createRequestQueue, type RequestQueue, type Waiting } from "../../../../src/actors/gateway/request-queue.ts";

interface Request extends Waiting {
  readonly id: number;
  readonly release: number;
}

let ids = 0;
const request = (client: string, samples = 1, { priority = "interactive" as Priority, release = 1 } = {}): Request => {
  ids += 1;
  return { id: ids, client, samples, priority, release };
};
const idsOf = (requests: readonly Request[]): number[] => requests.map(({ id }) => id);
const any = (): boolean => true;
const queueOf = (maxSamples = 1_000): RequestQueue<Request> => createRequestQueue<Request>({ maxSamples });

/** Every rule looks at all requests: slow, and with nothing to go wrong. */
class Reference {
  private waiting: Request[] = [];
  private readonly tags = new Map<string, number>();
  private readonly now = { interactive: 0, bulk: 0 };
  /** Clients in the order in which they began to wait. */
  private order: string[] = [];

  constructor(private readonly maxSamples: number) {}

  private key({ client, priority }: Waiting): string {
    return `${priority}/${client}`;
  }
  private of(priority: Priority): Request[] {
    return this.waiting.filter((each) => each.priority === priority);
  }
  private samplesOf(requests: readonly Request[]): number {
    return requests.reduce((sum, { samples }) => sum + samples, 0);
  }
  private settle(priority: Priority): void {
    this.order = this.order.filter((key) => this.waiting.some((each) => this.key(each) === key));
    if (this.of(priority).length > 0) return;
    for (const key of [...this.tags.keys()]) if (key.startsWith(`${priority}/`)) this.tags.delete(key);
  }
  private add(each: Request, isFront: boolean): void {
    const key = this.key(each);
    const isIdle = !this.waiting.some((other) => this.key(other) === key);
    const now = this.now[each.priority];
    const tag = this.tags.get(key) ?? now;
    this.tags.set(key, isFront ? tag - each.samples : isIdle ? Math.max(tag, now) : tag);
    if (isIdle) this.order.push(key);
    this.waiting = isFront ? [each, ...this.waiting] : [...this.waiting, each];
  }

  push(each: Request): Request[] {
    this.add(each, false);
    const left: Request[] = [];
    while (this.samplesOf(this.of(each.priority)) > this.maxSamples) {
      const weight = (key: string): number => this.samplesOf(this.waiting.filter((other) => this.key(other) === key));
      const most = this.order
        .filter((key) => key.startsWith(`${each.priority}/`))
        .reduce((a, b) => (weight(b) > weight(a) ? b : a), this.key(each));
      const last = this.waiting.filter((other) => this.key(other) === most).at(-1);
      if (last === undefined) break;
      this.remove(last);
      left.push(last);
      if (last === each) break;
    }
    return left;
  }
  putBack(requests: readonly Request[]): void {
    for (const each of [...requests].reverse()) this.add(each, true);
  }
  remove(each: Request): boolean {
    if (!this.waiting.includes(each)) return false;
    this.waiting = this.waiting.filter((other) => other !== each);
    this.settle(each.priority);
    return true;
  }
  private next(priority: Priority, fits: (each: Request) => boolean): Request | undefined {
    const tag = (key: string): number => this.tags.get(key) ?? 0;
    const firsts = this.order
      .filter((key) => key.startsWith(`${priority}/`))
      .flatMap((key) => this.waiting.find((each) => this.key(each) === key && fits(each)) ?? []);
    return firsts.reduce<Request | undefined>(
      (a, b) => (a === undefined || tag(this.key(b)) < tag(this.key(a)) ? b : a),
      undefined,
    );
  }
  private busy(): Priority | undefined {
    return PRIORITIES.find((priority) => this.of(priority).length > 0);
  }
  head(): Request | undefined {
    const priority = this.busy();
    return priority === undefined ? undefined : this.next(priority, any);
  }
  take(limit: number, fits: (each: Request) => boolean): Request[] {
    const priority = this.busy();
    const taken: Request[] = [];
    if (priority === undefined) return taken;
    // A client that has been passed over within a batch does not come again in it.
    for (let room = limit; room > 0; ) {
      const bound = room;
      const each = this.next(priority, (other) => other.samples <= bound && fits(other));
      if (each === undefined) break;
      const key = this.key(each);
      const tag = this.tags.get(key) ?? 0;
      this.now[priority] = Math.max(this.now[priority], tag);
      this.tags.set(key, tag + each.samples);
      this.remove(each);
      taken.push(each);
      room -= each.samples;
    }
    return taken;
  }
  get samples() {
    return { interactive: this.samplesOf(this.of("interactive")), bulk: this.samplesOf(this.of("bulk")) };
  }
  get length() {
    return this.waiting.length;
  }
}

type Step =
  | {
      readonly kind: "push";
      readonly client: string;
      readonly samples: number;
      readonly priority: Priority;
      readonly release: number;
    }
  | { readonly kind: "take"; readonly limit: number }
  | { readonly kind: "putBack"; readonly share: number }
  | { readonly kind: "remove"; readonly which: number };

const client = fc.constantFrom("a", "b", "c", "d");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      client,
      samples: fc.integer({ min: 1, max: 8 }),
      priority: fc.constantFrom(...PRIORITIES),
      release: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("take" as const), limit: fc.integer({ min: 1, max: 16 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("putBack" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), which: fc.nat(50) }) },
);

describe("createRequestQueue", () => {
  it("is start-time fair queueing whatever is done to it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = queueOf(24);
        const reference = new Reference(24);
        const pushed: Request[] = [];
        let taken: Request[] = [];
        for (const each of steps) {
          switch (each.kind) {
            case "push": {
              const { client: name, samples, priority, release } = each;
              const made = request(name, samples, { priority, release });
              pushed.push(made);
              expect(idsOf(queue.push(made))).toEqual(idsOf(reference.push(made)));
              break;
            }
            case "take": {
              const head = queue.head();
              const fits = (other: Request): boolean => other.release === head?.release;
              const limit = Math.max(each.limit, head?.samples ?? 0);
              taken = queue.take(limit, fits);
              expect(idsOf(taken)).toEqual(idsOf(reference.take(limit, fits)));
              break;
            }
            case "putBack": {
              const back = taken.slice(0, Math.round(each.share * taken.length));
              taken = [];
              queue.putBack(back);
              reference.putBack(back);
              break;
            }
            case "remove": {
              const found = pushed[each.which];
              if (found !== undefined) expect(queue.remove(found)).toBe(reference.remove(found));
              break;
            }
          }
          expect(queue.head()?.id).toBe(reference.head()?.id);
          expect({ ...queue.samples, length: queue.length }).toEqual({
            ...reference.samples,
            length: reference.length,
          });
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives two clients that both wait the same, to within their two largest requests", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 30, maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 30, maxLength: 60 }),
        (a, b) => {
          const queue = queueOf();
          for (const samples of a) queue.push(request("a", samples));
          for (const samples of b) queue.push(request("b", samples));
          const served = { a: 0, b: 0 };
          // As long as both are backlogged.
          for (let rest = { a: a.length, b: b.length }; rest.a > 0 && rest.b > 0; ) {
            const [next] = queue.take(queue.head()?.samples ?? 1, any);
            if (next === undefined) break;
            served[next.client as "a" | "b"] += next.samples;
            rest = { ...rest, [next.client]: rest[next.client as "a" | "b"] - 1 };
            expect(Math.abs(served.a - served.b)).toBeLessThanOrEqual(16);
          }
        },
      ),
    );
  });

  it("keeps the order of one client", () => {
    const queue = queueOf();
    const pushed = [1, 2, 3, 4].map((samples) => request("a", samples));
    for (const each of pushed) queue.push(each);
    expect(idsOf(queue.take(6, any))).toEqual(idsOf(pushed.slice(0, 3)));
    expect(queue.head()).toBe(pushed[3]);
  });

  it("takes interactive requests before bulk ones, and never both at a time", () => {
    const queue = queueOf();
    const [bulk, interactive] = [request("a", 1, { priority: "bulk" }), request("a")];
    queue.push(bulk);
    queue.push(interactive);
    expect(queue.take(8, any)).toEqual([interactive]);
    expect(queue.take(8, any)).toEqual([bulk]);
  });

  it("take fills a batch from behind what does not fit, which is the next head", () => {
    const queue = queueOf();
    const [live, canary, next] = [request("a"), request("a", 1, { release: 2 }), request("a")];
    for (const each of [live, canary, next]) queue.push(each);
    expect(queue.take(8, ({ release }) => release === 1)).toEqual([live, next]);
    expect(queue.head()).toBe(canary);
  });

  it("take leaves a request that is too large for the rest of the batch to the next one", () => {
    const queue = queueOf();
    const [first, large, small] = [request("a", 4), request("a", 6), request("a", 2)];
    for (const each of [first, large, small]) queue.push(each);
    expect(queue.take(8, any)).toEqual([first, small]);
    expect(queue.take(8, any)).toEqual([large]);
  });

  it("putBack restores what was taken, in front of what came meanwhile", () => {
    const queue = queueOf();
    const pushed = [request("a", 2), request("b", 2), request("a", 2)];
    for (const each of pushed) queue.push(each);
    const taken = queue.take(6, any);
    const later = request("a");
    queue.push(later);
    queue.putBack(taken);
    const again = queue.take(7, any);
    expect(new Set(idsOf(again.slice(0, 3)))).toEqual(new Set(idsOf(pushed)));
    expect(idsOf(again.filter((each) => each.client === "a"))).toEqual(
      idsOf([...pushed.filter((each) => each.client === "a"), later]),
    );
  });

  it("push drops the last request of the client that has the most samples waiting", () => {
    const queue = queueOf(8);
    const heavy = [request("heavy", 3), request("heavy", 3)];
    for (const each of heavy) queue.push(each);
    expect(queue.push(request("light", 2))).toEqual([]);
    expect(queue.push(request("other", 2))).toEqual([heavy[1]]);
    const own = request("heavy", 6);
    expect(queue.push(own)).toEqual([own]);
    expect(queue.samples.interactive).toBe(7);
  });

  it("push of clients that have equally much refuses the newest, not the one that has waited longest", () => {
    const queue = queueOf(4);
    const waiting = ["a", "b", "c", "d"].map((name) => request(name));
    for (const each of waiting) queue.push(each);
    const late = request("e");
    expect(queue.push(late)).toEqual([late]);
    expect(queue.take(8, any)).toEqual(waiting);
  });

  it("push bounds each priority by itself", () => {
    const queue = queueOf(4);
    queue.push(request("a", 4));
    expect(queue.push(request("a", 4, { priority: "bulk" }))).toEqual([]);
    expect(queue.samples).toEqual({ interactive: 4, bulk: 4 });
  });

  it("push refuses a request that is larger than the bound, and no other", () => {
    const queue = queueOf(4);
    const waiting = request("a", 4);
    queue.push(waiting);
    const large = request("b", 5);
    expect(queue.push(large)).toEqual([large]);
    expect(queue.head()).toBe(waiting);
  });

  it("samplesBefore counts own requests whole, and others up to the fair share", () => {
    const queue = queueOf();
    queue.push(request("a", 2));
    queue.push(request("b", 20));
    queue.push(request("c", 20, { priority: "bulk" }));
    expect(queue.samplesBefore("a", "interactive")).toBe(2 + 3);
    expect(queue.samplesBefore("new", "interactive")).toBe(1 + 1);
    expect(queue.samplesBefore("c", "bulk")).toBe(20 + 22);
  });

  it("clear empties it", () => {
    const queue = queueOf();
    const pushed = [request("a"), request("b", 3, { priority: "bulk" })];
    for (const each of pushed) queue.push(each);
    expect(queue.clear()).toEqual(pushed);
    expect([queue.length, queue.head(), queue.samples]).toEqual([0, undefined, { interactive: 0, bulk: 0 }]);
  });

  it("remembers a bounded number of clients, whatever names they have", () => {
    const queue = queueOf(1_000_000);
    queue.push(request("steady", 500_000)); // the busy period does not end
    const seen = new Set<string>();
    for (let index = 0; index < 20_000; index += 1) {
      queue.push(request(`name-${index}`));
      for (const each of queue.take(1, ({ client: name }) => name !== "steady")) seen.add(each.client);
    }
    expect(seen.size).toBe(20_000);
    expect(queue.clients).toBeLessThanOrEqual(1_001);
  });

  it("costs few looks at requests with 1,000 clients, also when no request fits", () => {
    const queue = queueOf(1_000_000);
    for (let round = 0; round < 3; round += 1)
      for (let index = 0; index < 1_000; index += 1) queue.push(request(`client-${index}`, 2));
    let looks = 0;
    const fits = (isFit: boolean) => (): boolean => {
      looks += 1;
      return isFit;
    };
    expect(queue.take(64, fits(true))).toHaveLength(32);
    expect(looks).toBe(32);
    looks = 0;
    expect(queue.take(64, fits(false))).toEqual([]);
    expect(looks).toBe(3_000 - 32);
  });
});
