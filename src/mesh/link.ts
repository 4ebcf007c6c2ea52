// One link: a connection, its session, and the carrying out of what the session says. Counters and the record of what
// was exchanged are kept here; decisions that concern other links are the mesh's.

import type { Heads } from '../core/heads.ts';
import { frameBytesMax, linkBufferBytesMax, socketBufferBytesMax } from '../core/limits.ts';
import type {
  AddressesMessage,
  LiveWireMessage,
  Role,
  SnapshotMessage,
  StraysMessage,
  WelcomeMessage,
} from '../core/message.ts';
import { step } from '../core/session.ts';
import {
  behindCount,
  type CloseReason,
  createSession,
  type Effect,
  type Event,
  type OwnSide,
  type Peer,
  pendingCount,
  type Session,
} from '../core/session-state.ts';
import type { Connection, Ports } from '../ports.ts';
import {
  type ChunkFrame,
  type CommitsFrame,
  decodeChunkFrame,
  decodeCommitsFrame,
  encodeCommitsFrame,
} from '../protocol/frames.ts';
import { encodeMessage, parseMessage } from '../protocol/messages.ts';
import type { Storage } from '../storage/storage.ts';

export type Counters = {
  messagesSent: number;
  messagesReceived: number;
  bytesSent: number;
  bytesReceived: number;
  /** Unix milliseconds. */
  lastPing: number | null;
  lastPong: number | null;
};

/** What went over the link since it was last written to the history. */
export type Exchange = {
  startedAt: number;
  itemsReceived: number;
  itemsSent: number;
  conflicts: number;
  bytes: number;
};

export type LinkEvents = {
  own(link: Link): OwnSide;
  greeted(link: Link, peer: Peer): void;
  peerHeads(link: Link, heads: Heads, hashes: Readonly<Record<string, string>>): void;
  commits(link: Link, frame: CommitsFrame, bytes: number): void;
  complained(link: Link, origins: readonly string[]): void;
  strays(link: Link, message: StraysMessage): void;
  newcomer(link: Link): void;
  welcomed(link: Link, message: WelcomeMessage): void;
  addresses(link: Link, message: AddressesMessage): void;
  live(link: Link, message: LiveWireMessage): void;
  snapshot(link: Link, message: SnapshotMessage): void;
  chunk(link: Link, frame: ChunkFrame): void;
  measured(link: Link, rttMs: number, offsetMs: number): void;
  compared(link: Link, equal: boolean, parts: readonly string[], ids: readonly string[]): void;
  refused(link: Link, reason: CloseReason, detail: string): void;
  /** Its socket has room again. */
  drained(link: Link): void;
  closed(link: Link, reason: string): void;
};

export type Link = {
  readonly connection: Connection;
  readonly role: Role;
  readonly peerKeyId: string;
  readonly counters: Counters;
  /** Replicas whose ops came broken over this link. */
  readonly refused: Set<string>;
  /** Origins whose history here and there is not one. */
  readonly forked: Set<string>;
  /** Of the other end's process; null before it has said so. */
  instance: string | null;
  exchange: Exchange;
  lastRecordedAt: number;
  peer: Peer | null;
  session(): Session;
  pending(): number;
  behind(): number;
  dispatch(event: Event): void;
  sendFrame(frame: Uint8Array): void;
  close(reason: string): void;
};

export function createLink(
  ports: Ports,
  storage: Storage,
  connection: Connection,
  peerKeyId: string,
  events: LinkEvents,
): Link {
  const { clock } = ports;
  const role: Role = connection.dialedByUs ? 'dialer' : 'listener';
  let session = createSession(role, clock.monotonic());
  const queue: Event[] = [];
  let isRunning = false;

  const link: Link = {
    connection,
    role,
    peerKeyId,
    counters: { messagesSent: 0, messagesReceived: 0, bytesSent: 0, bytesReceived: 0, lastPing: null, lastPong: null },
    refused: new Set(),
    forked: new Set(),
    instance: null,
    exchange: newExchange(clock.now()),
    lastRecordedAt: Number.NEGATIVE_INFINITY,
    peer: null,
    session: () => session,
    pending: () => pendingCount(session, storage.books.heads()),
    behind: () => behindCount(session, storage.books.heads()),
    dispatch,
    sendFrame: send,
    close: (reason) => connection.close(reason),
  };

  /** Events are taken one after another, also those that an effect brings about. */
  function dispatch(event: Event): void {
    queue.push(event);
    if (isRunning) return;
    isRunning = true;
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const stepped = step(session, next, events.own(link), clock.monotonic());
        session = stepped.session;
        for (const effect of stepped.effects) act(effect);
      }
    } catch (error) {
      ports.log.error('a link broke', { peer: peerKeyId, error: error instanceof Error ? error.stack : String(error) });
      queue.length = 0;
      connection.close('an error on our side');
    } finally {
      isRunning = false;
    }
  }

  function act(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        if (effect.message.type === 'ping') link.counters.lastPing = clock.now();
        send(encodeMessage(effect.message));
        return;
      case 'read':
        return sendCommits(effect.origin, effect.after, effect.bytesMax);
      case 'greeted':
        link.peer = effect.peer;
        return events.greeted(link, effect.peer);
      case 'peerHeads':
        return events.peerHeads(link, effect.heads, effect.hashes);
      case 'complained':
        return events.complained(link, effect.origins);
      case 'strays':
        return events.strays(link, effect.message);
      case 'newcomer':
        return events.newcomer(link);
      case 'welcomed':
        return events.welcomed(link, effect.message);
      case 'addresses':
        return events.addresses(link, effect.message);
      case 'live':
        return events.live(link, effect.message);
      case 'snapshot':
        return events.snapshot(link, effect.message);
      case 'measured':
        link.counters.lastPong = clock.now();
        return events.measured(link, effect.rttMs, effect.offsetMs);
      case 'compared':
        return events.compared(link, effect.equal, effect.parts, effect.ids);
      case 'close':
        events.refused(link, effect.reason, effect.detail);
        return connection.close(effect.detail);
    }
  }

  function sendCommits(origin: string, after: number, bytesMax: number): void {
    if (connection.bufferedBytes() > socketBufferBytesMax) return;
    const commits = storage.readCommits(origin, after, bytesMax);
    const [first] = commits;
    const last = commits[commits.length - 1];
    if (!first || !last) return dispatch({ kind: 'sent', origin, last: after, bytes: 0 });
    const frame = encodeCommitsFrame(
      origin,
      first.publicKey,
      commits.map((commit) => commit.bytes),
    );
    link.exchange.itemsSent += last.last - after;
    send(frame);
    dispatch({ kind: 'sent', origin, last: last.last, bytes: frame.length });
  }

  function send(frame: string | Uint8Array): void {
    // It may ask and ping without reading a word: what it is answered must not pile up.
    if (connection.bufferedBytes() > linkBufferBytesMax) return connection.close('it does not read what it is sent');
    const bytes = typeof frame === 'string' ? Buffer.byteLength(frame) : frame.length;
    link.counters.messagesSent += 1;
    link.counters.bytesSent += bytes;
    link.exchange.bytes += bytes;
    connection.send(frame);
  }

  function receive(frame: string | Uint8Array): void {
    const bytes = typeof frame === 'string' ? Buffer.byteLength(frame) : frame.length;
    link.counters.messagesReceived += 1;
    link.counters.bytesReceived += bytes;
    link.exchange.bytes += bytes;
    if (bytes > frameBytesMax) return malformed('a frame larger than agreed');
    if (typeof frame === 'string') {
      const message = parseMessage(frame);
      if (message === 'malformed') return malformed('a message that cannot be read');
      if (message !== 'unknown') dispatch({ kind: 'message', message });
      return;
    }
    const chunk = decodeChunkFrame(frame);
    if (chunk === 'malformed') return malformed('a chunk that cannot be read');
    if (chunk) {
      dispatch({ kind: 'commitsReceived' });
      if (session.phase === 'open') events.chunk(link, chunk);
      return;
    }
    const commits = decodeCommitsFrame(frame);
    if (!commits) return malformed('a frame of commits that cannot be read');
    dispatch({ kind: 'commitsReceived' });
    if (session.phase === 'open') events.commits(link, commits, bytes);
  }

  function malformed(detail: string): void {
    events.refused(link, 'malformed', `it sent ${detail}`);
    connection.close(detail);
  }

  connection.listen({
    frame: receive,
    drained() {
      dispatch({ kind: 'wake' });
      events.drained(link);
    },
    closed: (reason) => events.closed(link, reason),
  });
  return link;
}

export const newExchange = (now: number): Exchange => ({
  startedAt: now,
  itemsReceived: 0,
  itemsSent: 0,
  conflicts: 0,
  bytes: 0,
});
