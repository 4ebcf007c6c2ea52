// The one place where something is said to tills and people, and where they hear it together with what changes in the books.
// How they are connected is not known here: a WebSocket and a poll are listeners alike.

import type { Books } from '../core/books.ts';
import { type Failure, failure } from '../core/command.ts';
import { base32 } from '../core/identity.ts';
import type { Json } from '../core/json.ts';
import {
  correlationIdCharsMax,
  livePageMax,
  livePayloadBytesMax,
  liveReplayBytesMax,
  liveSweepMs,
  liveTypePattern,
  messageTopicsMax,
} from '../core/limits.ts';
import type { Feed } from '../feed/feed.ts';
import type { Ports, TimerHandle } from '../ports.ts';
import { createHub, type Hub } from './hub.ts';
import {
  type Audience,
  claimsBooks,
  type Interest,
  isAudience,
  isCorrelationId,
  isSound,
  isTypeFree,
  type LiveMessage,
  typeOfErrors,
  typeOfUpdates,
} from './message.ts';
import { createQueues, type Queued } from './queues.ts';
import { createStream, type Entry, isForInterest, type Lost, type Place, type Stream } from './stream.ts';
import { createTimes } from './times.ts';

export type Publication = {
  readonly type: string;
  readonly payload: Json;
  readonly to: Audience;
  readonly correlationId?: string | undefined;
};

export type Published = { readonly ok: true; readonly message: LiveMessage };

export type PlaceFound = { readonly ok: true; readonly place: Place; readonly lost?: Lost | undefined };

export type Realtime = {
  /** To those connected here, and by way of the mesh to those of the shop's other appliances. */
  publish(publication: Publication): Published | Failure;
  /** That something which is not of the books has changed; to one user, or all. */
  publishDataUpdate(section: string, data: Json, userId?: string): Published | Failure;
  /** Something went wrong that whoever is connected here should know; it stays at this appliance. */
  publishError(code: string, detail: string): void;
  /** That a section which only this appliance knows has changed: whoever shows it reads it anew. */
  tellHere(section: string): void;
  /** What a peer passed on. False for what is known already, or could not have been said. */
  receive(message: LiveMessage, ageMs: number): boolean;
  /** What waits for other appliances and has a higher number, in order, with its age. */
  waitingAfter(number: number): readonly { number: number; message: LiveMessage; ageMs: number }[];
  lastNumber(): number;
  /** The number from which a bounded number of bytes waits: for a peer that was away. */
  replayFrom(): number;
  /** Where a reader begins: at a cursor, after a time (Unix ms), now. */
  placeOf(since: string | undefined): PlaceFound | Failure;
  cursorOf(place: Place): string;
  /** What is there now after a place, up to a page; of it what is of interest, which may be nothing though there is more. */
  read(place: Place, interest: Interest): { entries: Entry[]; place: Place; lost?: Lost };
  readonly listen: Hub['listen'];
  readonly recheck: Hub['recheck'];
  /** Who listens now. */
  listening(): number;
  /** For an answer that is given now (Unix ms): everything later has a later time. */
  tellTime(): number;
  status(): { queues: number; messages: number; sweptAt: number };
};

export type RealtimeEvents = {
  /** Something was said here: for the other appliances. */
  published(): void;
};

export type RunningRealtime = Realtime & {
  /** After each commit. */
  wake(): void;
  stop(): void;
};

type RealtimeConfig = { readonly replicaId: string; readonly newId: () => string };

export function createRealtime(
  ports: Pick<Ports, 'clock' | 'timers' | 'random' | 'log'>,
  { feed, books }: { feed: Feed; books: Books },
  { replicaId, newId }: RealtimeConfig,
  events: RealtimeEvents,
): RunningRealtime {
  const { clock, timers, log } = ports;
  const queues = createQueues(clock.monotonic);
  let instance: string | undefined;
  const instanceOf = (): string => {
    instance ??= base32(ports.random.bytes(5));
    return instance;
  };
  const stream: Stream = createStream(feed, queues, instanceOf);
  const times = createTimes(clock.now, stream.end());
  const hub = createHub({ timers, log, stream, queues }, () => void times.tell());
  let revision = books.recordRevision();
  let sweptAt = clock.now();
  let sweeping: TimerHandle | undefined;

  /** Who is logged in no longer is noticed then, too. Where there is nothing to sweep, nothing is swept. */
  function sweepLater(): void {
    sweeping ??= timers.after(liveSweepMs, () => {
      sweeping = undefined;
      queues.sweep();
      hub.recheck();
      sweptAt = clock.now();
      if (!queues.isEmpty() || hub.count() > 0) sweepLater();
    });
  }

  function add(message: LiveMessage, ageMs = 0): Queued | undefined {
    const queued = queues.add(message, feed.end(), ageMs);
    if (!queued) return undefined;
    times.stamp(stream.end());
    sweepLater();
    hub.wake();
    return queued;
  }

  function say({ type, payload, to, correlationId }: Publication, staysHere: boolean): Published | Failure {
    const text = JSON.stringify(payload ?? null);
    if (!liveTypePattern.test(type) || !isTypeFree(type)) return typeRefused(type);
    if (claimsBooks(type, payload)) return booksClaimed;
    if (!isAudience(to)) return audienceMalformed;
    if (Buffer.byteLength(text) > livePayloadBytesMax) return payloadTooLarge;
    if (correlationId !== undefined && !isCorrelationId(correlationId)) return correlationMalformed;
    const timestamp = Math.trunc(clock.now());
    // What stays here needs no chance in its id.
    const id = staysHere ? `${replicaId}-${timestamp}-${queues.lastNumber()}` : newId();
    const facts = { id, timestamp, author: replicaId, staysHere };
    const message: LiveMessage = { ...facts, type, payload: text, audience: to, correlationId };
    add(message);
    // Whoever has this time from us hears all that comes after it.
    times.tell();
    return { ok: true, message };
  }

  function publish(publication: Publication): Published | Failure {
    const said = say(publication, false);
    if (said.ok) events.published();
    return said;
  }

  function placeOf(since: string | undefined): PlaceFound | Failure {
    if (since === undefined || since === '') return { ok: true, place: stream.end() };
    if (!/^[0-9]{1,15}$/.test(since)) return stream.placeOf(since);
    const place = times.placeAt(Number(since));
    return place ? { ok: true, place } : { ok: true, place: { ...stream.end(), number: 0 }, lost: 'data' };
  }

  function read(start: Place, interest: Interest): { entries: Entry[]; place: Place; lost?: Lost } {
    const page = stream.read(start, livePageMax);
    const entries = page.entries.filter((entry) => isForInterest(entry, interest));
    const lost = page.lost ?? (queues.hasLost(start.number, interest) ? 'messages' : undefined);
    return { entries, place: page.next, ...(lost && { lost }) };
  }

  return {
    publish,
    publishDataUpdate: (section, data, userId) =>
      publish({
        type: typeOfUpdates,
        payload: { section, data },
        to: userId === undefined ? 'all' : { user: userId },
      }),
    publishError(code, detail) {
      say({ type: typeOfErrors, payload: { code, detail }, to: 'all' }, true);
    },
    tellHere(section) {
      say({ type: typeOfUpdates, payload: { section, data: null }, to: 'all' }, true);
    },
    receive: (message, ageMs) => isSound(message) && add(message, ageMs) !== undefined,
    waitingAfter: (after) =>
      queues
        .after(after)
        .filter(({ message }) => !message.staysHere)
        .map((queued) => ({ number: queued.number, message: queued.message, ageMs: queues.ageMs(queued) })),
    lastNumber: queues.lastNumber,
    replayFrom() {
      let bytes = 0;
      for (const queued of queues.latest()) {
        bytes += queued.bytes;
        if (bytes > liveReplayBytesMax) return queued.number;
      }
      return 0;
    },
    placeOf,
    cursorOf: stream.cursorOf,
    read,
    listen(...words) {
      sweepLater();
      return hub.listen(...words);
    },
    recheck: hub.recheck,
    listening: hub.count,
    tellTime: times.tell,
    status() {
      const { queues: count, messages } = queues.counts();
      return { queues: count, messages, sweptAt };
    },
    wake() {
      times.stamp(stream.end());
      const now = books.recordRevision();
      if (now !== revision && hub.recheck()) revision = now;
      hub.wake();
    },
    stop() {
      hub.stop();
      sweeping?.cancel();
    },
  };
}

const typeRefused = (type: string): Failure =>
  failure('type_reserved', `"${type.slice(0, 64)}" is no name that a message may have. Choose another type.`);
const audienceMalformed = failure('malformed', `Name up to ${messageTopicsMax} topics, a user, or nobody for all.`);
const correlationMalformed = failure('malformed', `A correlationId has 1 to ${correlationIdCharsMax} characters.`);
const booksClaimed = failure(
  'type_reserved',
  'What is in the books is told by the appliance alone: write it there. For something else name another section.',
);
const payloadTooLarge = failure(
  'payload_too_large',
  `A message holds at most ${livePayloadBytesMax} bytes. Say where the rest is to be had.`,
);
