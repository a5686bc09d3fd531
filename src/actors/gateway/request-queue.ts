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
  /** @returns the requests that have to leave for it; the request itself when its own client has the most. */
  push(request: R): readonly R[];
  /** Puts requests that were taken back to where they were, in their order. */
  putBack(requests: readonly R[]): void;
  /** @returns whether it was there */
  remove(request: R): boolean;
  /** The next one; it stays. */
  head(): R | undefined;
  /**
   * Takes the head and those after it of its priority that `fits` accepts, up to `maxSamples`. A client whose next request
   * does not fit is passed over.
   */
  take(maxSamples: number, fits: (request: R) => boolean): R[];
  /** Samples that would be computed before a new request of `client`. */
  samplesBefore(client: string, priority: Priority): number;
  clear(): readonly R[];
}

interface Client<R> {
  readonly requests: R[];
  samples: number;
  /** Virtual time at which its next request starts. */
  tag: number;
}

interface Lane<R> {
  readonly clients: Map<string, Client<R>>;
  samples: number;
  /** Virtual time: the tag of the request that was taken last. */
  now: number;
}

export function createRequestQueue<R extends Waiting>({ maxSamples }: RequestQueueOptions): RequestQueue<R> {
  const newLane = (): Lane<R> => ({ clients: new Map(), samples: 0, now: 0 });
  const lanes: Record<Priority, Lane<R>> = { interactive: newLane(), bulk: newLane() };
  let length = 0;

  const clientOf = (lane: Lane<R>, name: string): Client<R> => {
    const known = lane.clients.get(name);
    if (known !== undefined) return known;
    const fresh: Client<R> = { requests: [], samples: 0, tag: lane.now };
    lane.clients.set(name, fresh);
    return fresh;
  };

  const count = (lane: Lane<R>, client: Client<R>, samples: number): void => {
    lane.samples += samples;
    client.samples += samples;
    length += Math.sign(samples);
  };

  const remove = (request: R): boolean => {
    const lane = lanes[request.priority];
    const client = lane.clients.get(request.client);
    const index = client?.requests.indexOf(request) ?? -1;
    if (client === undefined || index < 0) return false;
    client.requests.splice(index, 1);
    count(lane, client, -request.samples);
    forgetIfIdle(lane, request.client, client);
    return true;
  };

  /** A client that has nothing waiting and no debt is like a new one. */
  const forgetIfIdle = (lane: Lane<R>, name: string, client: Client<R>): void => {
    if (client.requests.length === 0 && client.tag <= lane.now) lane.clients.delete(name);
  };

  const next = (lane: Lane<R>, passed: ReadonlySet<Client<R>>): [string, Client<R>] | undefined => {
    let first: [string, Client<R>] | undefined;
    for (const entry of lane.clients) {
      const [, client] = entry;
      if (client.requests.length === 0 || passed.has(client)) continue;
      if (first === undefined || client.tag < first[1].tag) first = entry;
    }
    return first;
  };

  const busyLane = (): Lane<R> | undefined => PRIORITIES.map((each) => lanes[each]).find(({ samples }) => samples > 0);

  const takeFirst = (lane: Lane<R>, name: string, client: Client<R>): R | undefined => {
    const request = client.requests.shift();
    if (request === undefined) return undefined;
    count(lane, client, -request.samples);
    lane.now = Math.max(lane.now, client.tag);
    client.tag += request.samples;
    forgetIfIdle(lane, name, client);
    return request;
  };

  /** Forgets clients whose debt is paid by now; called rarely, since each is small. */
  const sweep = (lane: Lane<R>): void => {
    for (const [name, client] of lane.clients) forgetIfIdle(lane, name, client);
  };

  return {
    get length() {
      return length;
    },
    get samples() {
      return { interactive: lanes.interactive.samples, bulk: lanes.bulk.samples };
    },
    push(request) {
      const lane = lanes[request.priority];
      if (lane.clients.size > MAX_IDLE_CLIENTS) sweep(lane);
      const client = clientOf(lane, request.client);
      client.tag = Math.max(client.tag, lane.now);
      client.requests.push(request);
      count(lane, client, request.samples);
      const left: R[] = [];
      while (lane.samples > maxSamples) {
        const most = [...lane.clients.values()].reduce((a, b) => (b.samples > a.samples ? b : a));
        const last = most.requests.at(-1);
        if (last === undefined) break;
        remove(last);
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
        client.tag = Math.max(0, client.tag - request.samples);
        count(lane, client, request.samples);
      }
    },
    remove,
    head() {
      const lane = busyLane();
      return lane === undefined ? undefined : next(lane, NOBODY)?.[1].requests[0];
    },
    take(limit, fits) {
      const lane = busyLane();
      const taken: R[] = [];
      if (lane === undefined) return taken;
      const passed = new Set<Client<R>>();
      let room = limit;
      for (let entry = next(lane, passed); entry !== undefined && room > 0; entry = next(lane, passed)) {
        const [name, client] = entry;
        const [first] = client.requests;
        if (first === undefined || first.samples > room || !fits(first)) {
          passed.add(client);
          continue;
        }
        taken.push(first);
        room -= first.samples;
        takeFirst(lane, name, client);
      }
      return taken;
    },
    samplesBefore(name, priority) {
      const lane = lanes[priority];
      const own = lane.clients.get(name);
      const ownSamples = own?.samples ?? 0;
      // In fair order another client has as many samples computed before it as this one has waiting.
      let before = ownSamples;
      for (const client of lane.clients.values())
        if (client !== own) before += Math.min(client.samples, ownSamples + FAIR_LEAD);
      return priority === "bulk" ? before + lanes.interactive.samples : before;
    },
    clear() {
      const all = PRIORITIES.flatMap((each) => [...lanes[each].clients.values()].flatMap(({ requests }) => requests));
      for (const each of PRIORITIES) Object.assign(lanes[each], newLane());
      length = 0;
      return all;
    },
  };
}

const NOBODY: ReadonlySet<never> = new Set<never>();
/** Clients remembered in a lane before those without requests are forgotten. */
const MAX_IDLE_CLIENTS = 1_000;
/** A new request waits for about one sample of each other client at least. */
const FAIR_LEAD = 1;
