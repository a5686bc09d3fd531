/**
 * The requests that wait in a gateway: interactive before bulk, and within a priority the clients by start-time fair
 * queueing (Goyal, Vin, Cheng 1997), a sample being the unit of work. Bounded; what exceeds the bound costs the client that
 * has the most samples waiting. Plain state.
 */
import { PRIORITIES, type Priority } from "./inference.ts";

export interface Waiting {
  readonly samples: number;
  readonly client: string;
  readonly priority: Priority;
}

export interface RequestQueueOptions {
  /** Samples of one priority that may wait. */
  readonly maxSamples: number;
}

export interface RequestQueue<R extends Waiting> {
  /** Requests, and samples, that wait. */
  readonly length: number;
  readonly samples: Readonly<Record<Priority, number>>;
  /** Clients that it remembers. */
  readonly clients: number;
  /** @returns the requests that have to leave for it; the request itself when its own client has the most. */
  push(request: R): readonly R[];
  /** Puts requests that were taken back to where they were, in their order; above the bound where it must be. */
  putBack(requests: readonly R[]): void;
  /** @returns whether it was there */
  remove(request: R): boolean;
  /** The next one of the priority that is due; of those that `fits` accepts, where it is given. It stays. */
  head(fits?: (request: R) => boolean): R | undefined;
  /**
   * Takes the head and those after it of its priority that `fits` accepts, up to `maxSamples`. What does not fit stays where
   * it is, and keeps nothing behind it from its batch.
   */
  take(maxSamples: number, fits: (request: R) => boolean): R[];
  /** Samples that would be computed before a new request of `client`. */
  samplesBefore(client: string, priority: Priority): number;
  clear(): readonly R[];
}

interface Client<R> {
  readonly name: string;
  readonly requests: R[];
  samples: number;
  /** Virtual time at which its next request starts. */
  tag: number;
}

interface Lane<R> {
  /** Clients with requests, and those without whose debt is remembered. */
  readonly clients: Map<string, Client<R>>;
  /** Clients with requests, in the order in which they began to wait. */
  readonly active: Set<Client<R>>;
  samples: number;
  /** Virtual time: the tag of the request that was taken last. */
  now: number;
}

/** Clients without requests that are remembered in a lane. */
const MAX_IDLE_CLIENTS = 1_000;
/** A new request waits for about one sample of each other client at least. */
const FAIR_LEAD = 1;

export function createRequestQueue<R extends Waiting>({ maxSamples }: RequestQueueOptions): RequestQueue<R> {
  const newLane = (): Lane<R> => ({ clients: new Map(), active: new Set(), samples: 0, now: 0 });
  const lanes: Record<Priority, Lane<R>> = { interactive: newLane(), bulk: newLane() };
  let length = 0;

  const clientOf = (lane: Lane<R>, name: string): Client<R> => {
    const known = lane.clients.get(name);
    if (known !== undefined) return known;
    if (lane.clients.size - lane.active.size >= MAX_IDLE_CLIENTS) forgetIdle(lane);
    const fresh: Client<R> = { name, requests: [], samples: 0, tag: lane.now };
    lane.clients.set(name, fresh);
    return fresh;
  };

  const enter = (lane: Lane<R>, client: Client<R>, { samples }: R): void => {
    length += 1;
    lane.samples += samples;
    client.samples += samples;
    lane.active.add(client);
  };

  /** Takes the request at `index` out. */
  const leave = (lane: Lane<R>, client: Client<R>, index: number): R | undefined => {
    const [request] = client.requests.splice(index, 1);
    if (request === undefined) return undefined;
    length -= 1;
    lane.samples -= request.samples;
    client.samples -= request.samples;
    if (client.requests.length === 0) lane.active.delete(client);
    // With nobody left the busy period ends, and with it every debt.
    if (lane.active.size === 0) lane.clients.clear();
    return request;
  };

  const remove = (request: R): boolean => {
    const lane = lanes[request.priority];
    const client = lane.clients.get(request.client);
    const index = client?.requests.indexOf(request) ?? -1;
    if (client === undefined || index < 0) return false;
    leave(lane, client, index);
    return true;
  };

  /** The client that pays for what is too much: the one with the most samples; of equals, the one that came now. */
  const heaviest = (lane: Lane<R>, newcomer: Client<R>): Client<R> => {
    let most = newcomer;
    for (const client of lane.active) if (client.samples > most.samples) most = client;
    return most;
  };

  const busyLane = (): Lane<R> | undefined => {
    for (const priority of PRIORITIES) if (lanes[priority].samples > 0) return lanes[priority];
    return undefined;
  };

  return {
    get length() {
      return length;
    },
    get samples() {
      return { interactive: lanes.interactive.samples, bulk: lanes.bulk.samples };
    },
    get clients() {
      return lanes.interactive.clients.size + lanes.bulk.clients.size;
    },
    push(request) {
      const lane = lanes[request.priority];
      const client = clientOf(lane, request.client);
      if (client.requests.length === 0) client.tag = Math.max(client.tag, lane.now);
      client.requests.push(request);
      enter(lane, client, request);
      const left: R[] = [];
      while (lane.samples > maxSamples) {
        const most = heaviest(lane, client);
        const last = leave(lane, most, most.requests.length - 1);
        if (last === undefined) break;
        left.push(last);
        if (last === request) break;
      }
      return left;
    },
    putBack(requests) {
      for (const request of [...requests].reverse()) {
        const lane = lanes[request.priority];
        const client = clientOf(lane, request.client);
        client.requests.unshift(request);
        client.tag -= request.samples;
        enter(lane, client, request);
      }
    },
    remove,
    head(fits) {
      let least: Client<R> | undefined;
      let head: R | undefined;
      for (const client of busyLane()?.active ?? []) {
        if (least !== undefined && client.tag >= least.tag) continue;
        const found = fits === undefined ? client.requests[0] : client.requests.find(fits);
        if (found === undefined) continue;
        least = client;
        head = found;
      }
      return head;
    },
    take(limit, fits) {
      const lane = busyLane();
      const taken: R[] = [];
      if (lane === undefined) return taken;
      const turns = createTurns(lane.active);
      let room = limit;
      for (let turn = turns.first(); turn !== undefined && room > 0; turn = turns.first()) {
        const { client } = turn;
        let at = turn.from;
        for (; at < client.requests.length; at += 1) {
          const each = client.requests[at];
          if (each !== undefined && each.samples <= room && fits(each)) break;
        }
        const request = leave(lane, client, at);
        if (request === undefined) {
          turns.end();
          continue;
        }
        taken.push(request);
        room -= request.samples;
        lane.now = Math.max(lane.now, client.tag);
        client.tag += request.samples;
        // Those before it did not fit, and do not fit now.
        if (client.requests.length > at) turns.again(at);
        else turns.end();
      }
      return taken;
    },
    samplesBefore(name, priority) {
      const lane = lanes[priority];
      const own = lane.clients.get(name);
      const ownSamples = own?.samples ?? 0;
      // In fair order another client has as many samples computed before it as this one has waiting.
      let before = ownSamples;
      for (const client of lane.active) if (client !== own) before += Math.min(client.samples, ownSamples + FAIR_LEAD);
      return priority === "bulk" ? before + lanes.interactive.samples : before;
    },
    clear() {
      const all = PRIORITIES.flatMap((each) => [...lanes[each].active].flatMap(({ requests }) => requests));
      for (const each of PRIORITIES) Object.assign(lanes[each], newLane());
      length = 0;
      return all;
    },
  };
}

/** Those without debt first; all, where so many have one: their names may be made up. */
function forgetIdle<R>({ clients, active, now }: Lane<R>): void {
  for (const isAll of [false, true]) {
    for (const client of clients.values())
      if (client.requests.length === 0 && (isAll || client.tag <= now)) clients.delete(client.name);
    if (clients.size - active.size < MAX_IDLE_CLIENTS / 2) return;
  }
}

interface Turn<R> {
  readonly client: Client<R>;
  /** Place in the order of equals. */
  readonly order: number;
  /** Its requests before this one are passed over. */
  from: number;
}

/** Clients by their tags: a binary heap, so that a batch costs little with many of them. */
function createTurns<R>(clients: ReadonlySet<Client<R>>) {
  const heap: Turn<R>[] = [];
  for (const client of clients) heap.push({ client, order: heap.length, from: 0 });

  const isBefore = (a: Turn<R>, b: Turn<R>): boolean =>
    a.client.tag < b.client.tag || (a.client.tag === b.client.tag && a.order < b.order);
  const sink = (from: number): void => {
    for (let at = from; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        const [a, b] = [heap[child], heap[least]];
        if (a !== undefined && b !== undefined && isBefore(a, b)) least = child;
      }
      const [a, b] = [heap[at], heap[least]];
      if (least === at || a === undefined || b === undefined) return;
      heap[at] = b;
      heap[least] = a;
      at = least;
    }
  };
  for (let at = Math.floor(heap.length / 2) - 1; at >= 0; at -= 1) sink(at);

  return {
    first: (): Turn<R> | undefined => heap[0],
    /** The first one has another tag now. */
    again(from: number): void {
      const [turn] = heap;
      if (turn !== undefined) turn.from = from;
      sink(0);
    },
    /** The first one has no more turns. */
    end(): void {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return;
      heap[0] = last;
      sink(0);
    },
  };
}
