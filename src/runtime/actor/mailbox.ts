/**
 * Messages that wait for an actor: one bounded queue per kind, taken one at a time and only when the actor is ready.
 * Kinds are taken in the order in which the actor names them, so that a gradient can go before the next batch.
 */

export interface Message {
  readonly kind: string;
  /** Called when the mailbox closes before the message is taken: the sender waits for an answer. */
  readonly reject?: (reason: Error) => void;
}

export interface MailboxOptions {
  /** Messages of one kind that may wait. */
  readonly depth: number;
}

export interface Mailbox<M extends Message> {
  /** Messages that wait. */
  readonly size: number;
  /** Fill level of the fullest queue: 0 empty, 1 when the next message of its kind is refused. */
  readonly load: number;
  /** Queues `message`. @returns false when its queue is full or the mailbox is closed: the caller counts the drop. */
  put(message: M): boolean;
  /** Calls `onAvailable` once, now or later, when a message of one of `kinds` waits. Replaces the call before. */
  whenAvailable(kinds: readonly M["kind"][], onAvailable: () => void): void;
  /** Removes and returns the first message of the first kind that has one. */
  take(kinds: readonly M["kind"][]): M | undefined;
  /** Ends it: rejects the messages that wait, and every later one is refused. @returns how many messages were lost. */
  close(reason: Error): number;
}

export function createMailbox<M extends Message>({ depth }: MailboxOptions): Mailbox<M> {
  const queues = new Map<string, M[]>();
  let waiting: { readonly kinds: readonly string[]; readonly onAvailable: () => void } | undefined;
  let isClosed = false;

  const size = (): number => [...queues.values()].reduce((sum, queue) => sum + queue.length, 0);
  const notify = (): void => {
    if (waiting === undefined || !waiting.kinds.some((kind) => (queues.get(kind)?.length ?? 0) > 0)) return;
    const { onAvailable } = waiting;
    waiting = undefined;
    onAvailable();
  };

  return {
    get size() {
      return size();
    },
    get load() {
      return Math.max(0, ...[...queues.values()].map((queue) => queue.length)) / depth;
    },
    put(message) {
      if (isClosed) return false;
      const queue = queues.get(message.kind) ?? [];
      queues.set(message.kind, queue);
      if (queue.length >= depth) return false;
      queue.push(message);
      notify();
      return true;
    },
    whenAvailable(kinds, onAvailable) {
      waiting = { kinds, onAvailable };
      notify();
    },
    take(kinds) {
      for (const kind of kinds) {
        const message = queues.get(kind)?.shift();
        if (message !== undefined) return message;
      }
      return undefined;
    },
    close(reason) {
      isClosed = true;
      waiting = undefined;
      const left = [...queues.values()].flat();
      queues.clear();
      for (const message of left) message.reject?.(reason);
      return left.length;
    },
  };
}
