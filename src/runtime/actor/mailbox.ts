/**
 * What waits for an actor: one bounded queue per kind of mail, taken one at a time and only when the actor asks.
 * Kinds are served in the order in which the actor names them, so that a gradient can go before the next batch.
 */
export interface Mail {
  readonly kind: string;
}

export interface MailboxOptions {
  /** Messages of one kind that may wait. */
  readonly depth: number;
}

export interface Mailbox<M extends Mail> {
  /** Messages that wait. */
  readonly size: number;
  /** Queues `mail`. @returns false when that queue is full: the caller counts the drop. */
  put(mail: M): boolean;
  /**
   * Asks for the next mail of one of `kinds`; `receive` is called once, at once or later. A new request replaces the
   * one before.
   */
  request(kinds: readonly M["kind"][], receive: (mail: M) => void): void;
  /** Forgets everything, the request too. @returns how many messages were lost. */
  clear(): number;
}

export function createMailbox<M extends Mail>({ depth }: MailboxOptions): Mailbox<M> {
  const queues = new Map<string, M[]>();
  let waiting: { readonly kinds: readonly string[]; readonly receive: (mail: M) => void } | undefined;

  const deliver = (): void => {
    if (waiting === undefined) return;
    for (const kind of waiting.kinds) {
      const mail = queues.get(kind)?.shift();
      if (mail === undefined) continue;
      const { receive } = waiting;
      waiting = undefined;
      receive(mail);
      return;
    }
  };

  return {
    get size() {
      let size = 0;
      for (const queue of queues.values()) size += queue.length;
      return size;
    },
    put(mail) {
      const queue = queues.get(mail.kind) ?? [];
      queues.set(mail.kind, queue);
      if (queue.length >= depth) return false;
      queue.push(mail);
      deliver();
      return true;
    },
    request(kinds, receive) {
      waiting = { kinds, receive };
      deliver();
    },
    clear() {
      const { size } = this;
      queues.clear();
      waiting = undefined;
      return size;
    },
  };
}
