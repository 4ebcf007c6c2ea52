// The stream of messages from the appliance that is spoken to: by WebSocket, and by polling while there is none. Both read
// from one cursor and know what was delivered, so no message is lost and none told twice when they take turns.

import { addressesMax } from './addresses.ts';
import type { Asking } from './asking.ts';
import { reconnectDelayMs } from './backoff.ts';
import type { LiveMessage, Resync } from './contract.ts';
import type { Cancel, Environment } from './environment.ts';
import type { Frame, PollAnswer } from './messages.ts';
import { createPolling, type PollFailure } from './polling.ts';
import { createRecentIds } from './recent-ids.ts';
import type { Settings } from './settings.ts';
import { closedForCredential, type LiveSocket, openLiveSocket, protocolsFor } from './socket.ts';
import { uuidV7 } from './uuid.ts';

export type Transport = 'websocket' | 'polling';

/** Of a WebSocket a browser does not say why it was refused. */
export type LiveFailure = PollFailure | 'websocket';

export type LiveEvents = {
  message(message: LiveMessage | Resync): void;
  /** Anything came; by which way messages come now. */
  heard(address: string, transport: Transport): void;
  /** One of the ways failed; `wasAlive`: by which messages came until now. */
  failed(address: string, failure: LiveFailure, wasAlive: boolean): void;
  rtt(ms: number): void;
};

export type Live = {
  /** From this appliance from now on. */
  begin(address: string): void;
  stop(): void;
  /** Tries again at once. `isAnew`: whatever failed before, so that the pace begins anew, too. */
  hurry(isAnew: boolean): void;
  setTopics(topics: readonly string[]): void;
};

type Addresses = { websocket(address: string): string; polling(address: string): string };

export function createLive(environment: Environment, asking: Asking, settings: Settings, events: LiveEvents): Live {
  const recent = createRecentIds();
  /** Of each appliance where we were; another one's is of no use to it, and it says so. */
  const cursors = new Map<string, string>();
  const places = addressesOf(settings);
  let topics: readonly string[] = settings.topics;
  let address = settings.appliances[0];
  let cursor: string | null = null;
  let socket: LiveSocket | null = null;
  let failures = 0;
  let cancelRetry: Cancel = () => undefined;
  /** The last poll was answered. */
  let isPolled = false;
  const polling = createPolling(environment, asking, settings.pollingIntervalMs, {
    url: (isPatient) => {
      const seconds = Math.ceil(settings.pollingIntervalMs / 1000);
      return withQuery(places.polling(address), { since: cursor, topics, wait: String(isPatient ? seconds : 0) });
    },
    hasCursor: () => cursor !== null,
    answered,
    cursorRefused() {
      if (cursor === null) return;
      moveTo(null);
      tellResync({ type: 'resync', lost: 'data', detail: 'Read anew what you show of the books.' });
    },
    failed(failure) {
      const wasAlive = isPolled;
      isPolled = false;
      events.failed(address, failure, wasAlive);
    },
  });

  function moveTo(place: string | null): void {
    cursor = place;
    if (place === null) cursors.delete(address);
    else cursors.set(address, place);
    if (cursors.size > addressesMax) for (const [oldest] of cursors) return void cursors.delete(oldest);
  }

  function answered({ cursor: next, resync, messages }: PollAnswer): boolean {
    const isFurther = next !== null && next !== cursor;
    if (next !== null) moveTo(next);
    isPolled = true;
    events.heard(address, 'polling');
    if (resync) tellResync(resync);
    for (const message of messages) deliver(message);
    return isFurther && messages.length > 0;
  }

  /** Places in the list may be used again for other changes, as when the books were put back to an earlier day. */
  function tellResync(resync: Resync): void {
    if (resync.lost === 'data') recent.clear();
    events.message(resync);
  }

  function deliver(message: LiveMessage): void {
    if (recent.add(message.id)) events.message(message);
  }

  function openSocket(): void {
    cancelRetry();
    socket?.close();
    const [at, after, named] = [address, cursor, topics];
    const url = withQuery(places.websocket(at), { after, topics });
    const own = openLiveSocket(environment, url, protocolsFor(settings.token), {
      opened(begins) {
        // It begins now, while a poll has found an earlier place: between the two there may be messages.
        if (after === null && cursor !== null) return openSocket();
        if (cursor === null && begins !== null) moveTo(begins);
        tellTopics(own, named);
        polling.stop();
        isPolled = false;
        events.heard(at, 'websocket');
      },
      frame: (frame) => onFrame(at, frame),
      pong(ms) {
        failures = 0;
        events.rtt(ms);
      },
      ended: ({ wasOpen, code }) => onEnd(at, wasOpen, code),
    });
    socket = own;
  }

  /** The appliance adds and takes away. */
  function tellTopics(to: LiveSocket | null, before: readonly string[]): void {
    const [gone, added] = [topicsOnlyIn(before, topics), topicsOnlyIn(topics, before)];
    if (added.length > 0) to?.send({ type: 'subscribe', topics: added });
    if (gone.length > 0) to?.send({ type: 'unsubscribe', topics: gone });
  }

  function onFrame(at: string, frame: Frame): void {
    if (frame.cursor !== null && !isAhead(frame)) moveTo(frame.cursor);
    events.heard(at, 'websocket');
    if (frame.kind === 'message') deliver(frame.message);
    if (frame.kind === 'resync') tellResync(frame.resync);
    if (frame.kind === 'refusal') events.message(ownError(frame));
  }

  /** The answer to a frame of ours has no id, and is told to nobody else. */
  function ownError({ payload, correlationId }: Extract<Frame, { kind: 'refusal' }>): LiveMessage {
    const now = environment.now();
    const id = uuidV7(now, environment.randomBytes(16));
    const named = correlationId === undefined ? {} : { correlationId };
    return { id, type: 'sync.error', payload, timestamp: now, userId: null, ...named };
  }

  function onEnd(at: string, wasOpen: boolean, code: number): void {
    socket = null;
    failures += 1;
    const delayMs = reconnectDelayMs(failures, settings.reconnectAttemptsMax, environment.fraction());
    cancelRetry = environment.after(delayMs, openSocket);
    polling.start();
    events.failed(at, code === closedForCredential ? 'credential' : 'websocket', wasOpen);
  }

  function stop(): void {
    cancelRetry();
    polling.stop();
    isPolled = false;
    socket?.close();
    socket = null;
  }

  return {
    begin(next) {
      stop();
      address = next;
      cursor = cursors.get(next) ?? cursor;
      failures = 0;
      openSocket();
    },
    stop,
    hurry(isAnew) {
      if (socket) return;
      if (isAnew) failures = 0;
      polling.hurry();
      openSocket();
    },
    setTopics(next) {
      const before = topics;
      topics = next;
      tellTopics(socket, before);
      polling.hurry();
    },
  };
}

const topicsOnlyIn = (these: readonly string[], those: readonly string[]): string[] =>
  these.filter((topic) => !those.includes(topic));

/** Its cursor may stand behind messages that come after it: were the connection cut between, they would be skipped. */
const isAhead = (frame: Frame): boolean => frame.kind === 'resync' && frame.resync.lost === 'messages';

function addressesOf({ appliances: [own], websocketUrl, pollingUrl }: Settings): Addresses {
  return {
    websocket: (address) => (address === own && websocketUrl) || `${address.replace(/^http/, 'ws')}/ws`,
    polling: (address) => (address === own && pollingUrl) || `${address}/api/sync/poll`,
  };
}

type Query = { since?: string | null; after?: string | null; topics: readonly string[]; wait?: string };

function withQuery(address: string, { topics, ...single }: Query): string {
  const url = new URL(address);
  for (const [name, value] of Object.entries(single)) if (value !== null) url.searchParams.set(name, value);
  if (topics.length > 0) url.searchParams.set('topics', topics.join(','));
  return url.href;
}
