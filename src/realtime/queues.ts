// Messages that are in no books, while they wait for whoever has not heard them: numbered in the order in which they were
// said here. A queue is of all, of one user or of one topic; it lets go of its oldest by age, count and bytes, and knows up
// to which number it did, so that nobody misses anything without being told.

import {
  liveBytesMax,
  liveIdsMax,
  liveQueueBytesMax,
  liveQueueMessagesMax,
  liveQueueMs,
  liveQueuesMax,
} from '../core/limits.ts';
import type { Audience, Interest, LiveMessage } from './message.ts';

export type Queued = {
  readonly number: number;
  readonly message: LiveMessage;
  /** Cursor of the feed when it was said: it comes after all that had changed by then. */
  readonly anchor: string;
  /** Monotonic milliseconds at which its time is over. */
  readonly until: number;
  readonly bytes: number;
  /** Queues that still hold it. */
  holders: number;
};

type Queue = {
  readonly waiting: Queued[];
  bytes: number;
  /** Of those let go of before they were old, or because they were. */
  lostUpTo: number;
};

export type Queues = {
  /** `ageMs`: how long ago it was said. Undefined where it is known already, or too old. */
  add(message: LiveMessage, anchor: string, ageMs?: number): Queued | undefined;
  /** Those after a number, in order. */
  after(number: number): readonly Queued[];
  /** Of the last that was ever said; 0 when none was. */
  lastNumber(): number;
  /** Whether somebody who has heard all up to `number` has missed one of his. */
  hasLost(number: number, interest: Interest): boolean;
  /** Lets go of what is old. */
  sweep(): void;
  /** Still waiting, the latest first. */
  latest(): Iterable<Queued>;
  /** Since it was said, ms. */
  ageMs(queued: Queued): number;
  /** Queues in which something waits. `held`: messages in memory, with those let go of that are not yet taken out. */
  counts(): { queues: number; messages: number; held: number };
  /** Nothing waits, and no id is known: a sweep would change nothing. */
  isEmpty(): boolean;
};

export function createQueues(monotonic: () => number): Queues {
  /** The one used last stands last. That of all is always there. */
  const queues = new Map<string, Queue>([[ofAll, { waiting: [], bytes: 0, lostUpTo: 0 }]]);
  /** In the order of numbers. Those that no queue holds any more are taken out by the sweep, or where they are half of it. */
  let log: Queued[] = [];
  /** When each id that was ever taken in is forgotten. */
  const ids = new Map<string, number>();
  let last = 0;
  let bytes = 0;
  let messages = 0;
  /** The highest number that any queue has let go of, or a queue that is no more. */
  let lostUpTo = 0;
  let lostWithQueues = 0;

  function add(message: LiveMessage, anchor: string, ageMs = 0): Queued | undefined {
    const now = monotonic();
    if (ids.has(message.id) || ageMs >= liveQueueMs) return undefined;
    remember(message.id, now + 2 * liveQueueMs);
    const size = bytesOf(message);
    const until = now + liveQueueMs - ageMs;
    const queued: Queued = { number: ++last, message, anchor, until, bytes: size, holders: 0 };
    log.push(queued);
    messages += 1;
    bytes += size;
    for (const key of new Set(keysOf(message.audience))) put(key, queued);
    while (bytes > liveBytesMax) letGo(largest());
    if (log.length > 2 * messages + spareMax) compact();
    return queued;
  }

  function compact(): void {
    log = log.filter(({ holders }) => holders > 0);
  }

  function put(key: string, queued: Queued): void {
    let queue = queues.get(key);
    if (!queue) {
      if (queues.size > liveQueuesMax) dropIdlest();
      queue = { waiting: [], bytes: 0, lostUpTo: lostWithQueues };
    }
    queues.delete(key);
    queues.set(key, queue);
    queue.waiting.push(queued);
    queue.bytes += queued.bytes;
    queued.holders += 1;
    while (queue.waiting.length > liveQueueMessagesMax || queue.bytes > liveQueueBytesMax) letGo(queue);
  }

  /** Of the oldest in a queue. */
  function letGo(queue: Queue): void {
    const oldest = queue.waiting.shift();
    if (!oldest) return;
    queue.bytes -= oldest.bytes;
    queue.lostUpTo = oldest.number;
    lostUpTo = Math.max(lostUpTo, oldest.number);
    oldest.holders -= 1;
    if (oldest.holders > 0) return;
    messages -= 1;
    bytes -= oldest.bytes;
  }

  function largest(): Queue {
    let found: Queue | undefined;
    for (const queue of queues.values()) if (!found || queue.bytes > found.bytes) found = queue;
    return found ?? { waiting: [], bytes: 0, lostUpTo: 0 };
  }

  /** What is forgotten with a queue counts for everybody whose queue is not there: rather told too often than never. */
  function dropIdlest(): void {
    const [first, second] = queues;
    const idlest = first?.[0] === ofAll ? second : first;
    if (!idlest) return;
    const [key, queue] = idlest;
    while (queue.waiting.length > 0) letGo(queue);
    lostWithQueues = Math.max(lostWithQueues, queue.lostUpTo);
    queues.delete(key);
  }

  function remember(id: string, until: number): void {
    const [oldest] = ids.size >= liveIdsMax ? ids.keys() : [];
    if (oldest !== undefined) ids.delete(oldest);
    ids.set(id, until);
  }

  return {
    add,
    after: (number) => (number >= last ? [] : log.slice(firstAfter(log, number)).filter(({ holders }) => holders > 0)),
    lastNumber: () => last,
    hasLost(number, { user, topics }) {
      if (number >= lostUpTo) return false;
      const keys = [ofAll, userKey(user), ...[...topics].map(topicKey)];
      return keys.some((key) => number < (queues.get(key)?.lostUpTo ?? lostWithQueues));
    },
    sweep() {
      const now = monotonic();
      for (const queue of queues.values()) {
        while (queue.waiting[0] && queue.waiting[0].until <= now) letGo(queue);
      }
      compact();
      for (const [id, until] of ids) if (until <= now) ids.delete(id);
    },
    *latest() {
      for (let index = log.length - 1; index >= 0; index--) {
        const queued = log[index];
        if (queued && queued.holders > 0) yield queued;
      }
    },
    ageMs: ({ until }) => Math.max(0, monotonic() - (until - liveQueueMs)),
    counts: () => ({
      queues: [...queues.values()].filter(({ waiting }) => waiting.length > 0).length,
      messages,
      held: log.length,
    }),
    isEmpty: () => messages === 0 && ids.size === 0,
  };
}

/** Let go of, and still in the log. */
const spareMax = 16;

const ofAll = 'all';
const userKey = (user: string): string => `user ${user}`;
const topicKey = (topic: string): string => `topic ${topic}`;

const keysOf = (audience: Audience): string[] =>
  audience === 'all' ? [ofAll] : 'user' in audience ? [userKey(audience.user)] : audience.topics.map(topicKey);

/** Memory that it takes, about: texts of JavaScript have up to two bytes a character. */
const bytesOf = ({ payload, id, type, correlationId = '' }: LiveMessage): number =>
  2 * (payload.length + id.length + type.length + correlationId.length) + 200;

function firstAfter(log: readonly Queued[], number: number): number {
  let [low, high] = [0, log.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((log[middle]?.number ?? 0) > number) high = middle;
    else low = middle + 1;
  }
  return low;
}
