// The sync session of one link, pure: (session, event) → {session, effects}. It proves, greets, answers what the other
// side wants, keeps a window of unacknowledged bytes, pings, and compares heads and books. It keeps no ops and no
// queue: what to send next is always read from the journal, from where the other side is known to be.

import { compare, headsMessage, onBooks, onRanges, onRows } from './comparison.ts';
import { type Heads, joinHeads, numberAt, replicaOf } from './heads.ts';
import {
  batchBytesTarget,
  handshakeMs,
  originsMax,
  pingIntervalMs,
  pongMs,
  resendMs,
  stallMs,
  windowBytesMax,
} from './limits.ts';
import type { HelloMessage, Message, PingMessage, PongMessage, ProofMessage, WantMessage } from './message.ts';
import type { CloseReason, Effect, Event, OwnSide, Peer, Session, Stepped } from './session-state.ts';

type Subscribe = Extract<Event, { kind: 'subscribe' }>;
type Applied = Extract<Event, { kind: 'applied' }>;

/** Frames already under way arrive within this time. */
const gapAskMs = 500;

export function step(session: Session, event: Event, own: OwnSide, now: number): Stepped {
  if (session.phase === 'closed') return { session, effects: [] };
  switch (event.kind) {
    case 'opened':
      return {
        session,
        effects: [{ kind: 'send', message: own.proof() }],
      };
    case 'message':
      return bounded(onMessage({ ...session, lastFrameAt: now }, event.message, own, now));
    case 'commitsReceived':
      return session.phase === 'open'
        ? { session: { ...session, lastFrameAt: now, lastProgressAt: now }, effects: [] }
        : close(session, 'malformed', 'commits before the greeting');
    case 'came':
      return { session: holding(session, event.heads), effects: [] };
    case 'applied':
      return onApplied(session, event, own, now);
    case 'sent':
      return onSent(session, event, own);
    case 'askAgain':
      return askAgain(session, own, now);
    case 'subscribe':
      return onSubscribe(session, event, own, now);
    case 'syncRequested':
      return onSyncRequested(session, event.bidirectional, own, now);
    case 'announce':
      return { session, effects: session.phase === 'open' ? [{ kind: 'send', message: headsMessage(own) }] : [] };
    case 'tell':
      return { session, effects: mayHear(session, event.message) ? [{ kind: 'send', message: event.message }] : [] };
    case 'wake':
      return { session, effects: nextRead(session, own) };
    case 'tick':
      return onTick(session, own, now);
  }
}

/** Heads are joined message by message: each may be within bounds, and all of them are not. */
function bounded(stepped: Stepped): Stepped {
  if (Object.keys(stepped.session.peerHeads).length <= originsMax) return stepped;
  return close(stepped.session, 'malformed', 'it names more origins than there can be');
}

// Proving and greeting

function onMessage(session: Session, message: Message, own: OwnSide, now: number): Stepped {
  if (message.type === 'bye') return { session, effects: [] };
  if (session.phase === 'proving') {
    if (message.type !== 'proof') return close(session, 'malformed', `${message.type} before a proof`);
    return onProof(session, message, own);
  }
  if (session.phase === 'asking') {
    if (message.type !== 'welcome') return close(session, 'malformed', `${message.type} instead of a welcome`);
    return { session, effects: [{ kind: 'welcomed', message }] };
  }
  if (session.phase === 'greeting') {
    if (message.type !== (session.role === 'dialer' ? 'hello_ack' : 'hello'))
      return close(session, 'malformed', `${message.type} before the greeting`);
    return onHello(session, message as HelloMessage, own, now);
  }
  return onOpenMessage(session, message, own, now);
}

function onProof(session: Session, message: ProofMessage, own: OwnSide): Stepped {
  const admission = own.judge(message);
  if (admission.kind === 'refused') return close(session, admission.reason, admission.detail);
  const range = message.protocol;
  const protocol = Math.min(range.max, own.protocol.max);
  if (protocol < range.min || protocol < own.protocol.min) {
    const older = range.max < own.protocol.min ? 'that appliance' : 'this appliance';
    const detail = `it speaks protocol ${range.min} to ${range.max}, we speak ${own.protocol.min} to ${own.protocol.max}: update ${older}`;
    return close(session, 'protocol_mismatch', detail);
  }
  if (admission.kind === 'host') return { session: { ...session, phase: 'asking', protocol }, effects: [] };
  if (admission.kind === 'newcomer') return { session: { ...session, protocol }, effects: [{ kind: 'newcomer' }] };
  const greeting: Session = { ...session, phase: 'greeting', protocol };
  return {
    session: greeting,
    effects: session.role === 'dialer' ? [{ kind: 'send', message: hello('hello', own) }] : [],
  };
}

/** A welcome is for whoever is not in yet; all else for who is. */
const mayHear = (session: Session, message: Message): boolean =>
  message.type === 'welcome' ? session.phase === 'proving' : session.phase === 'open';

const hello = (type: 'hello' | 'hello_ack', own: OwnSide): HelloMessage => ({
  type,
  id: own.id,
  name: own.name,
  version: own.version,
  shop: own.shop,
  meshPort: own.meshPort,
  origins: own.origins(),
  heads: own.heads,
  hashes: own.hashes,
});

function onHello(session: Session, message: HelloMessage, own: OwnSide, now: number): Stepped {
  if (message.id !== own.peerKeyId) return close(session, 'identity_mismatch', 'its id is not that of its certificate');
  if (message.shop !== own.shop) return close(session, 'not_of_this_shop', 'it is of another shop');
  const { id, name, version, meshPort, origins = [] } = message;
  const peer: Peer = { id, name, version, meshPort, origins, protocol: session.protocol };
  const open: Session = {
    ...session,
    phase: 'open',
    peer,
    peerHeads: message.heads,
    openedAt: now,
    lastProgressAt: now,
    pingAt: now - pingIntervalMs,
  };
  const effects: Effect[] = [];
  if (session.role === 'listener') effects.push({ kind: 'send', message: hello('hello_ack', own) });
  effects.push({ kind: 'greeted', peer }, { kind: 'peerHeads', heads: message.heads, hashes: message.hashes });
  return { session: open, effects };
}

// Open

function onOpenMessage(session: Session, message: Message, own: OwnSide, now: number): Stepped {
  switch (message.type) {
    case 'want':
      return onWant(session, message, own);
    case 'ack':
      return acknowledged(session, message.heads, own);
    case 'heads':
      return onHeads(session, message.heads, message.hashes, own, now);
    case 'ping':
      return onPing(session, message, own);
    case 'pong':
      return onPong(session, message, own, now);
    case 'sync_request':
      return onSyncAsked(session, message.bidirectional, own, now);
    case 'books':
      return onBooks(session, message, own, now);
    case 'ranges':
      return onRanges(session, message, own, now);
    case 'rows':
      return onRows(session, message, own);
    case 'addresses':
      return { session, effects: [{ kind: 'addresses', message }] };
    case 'strays':
      return { session, effects: [{ kind: 'strays', message }] };
    case 'live':
      return { session, effects: [{ kind: 'live', message }] };
    case 'snapshot_request':
    case 'snapshot_making':
    case 'snapshot_offer':
    case 'snapshot_refused':
    case 'snapshot_chunks':
    case 'snapshot_end':
    case 'snapshot_check':
    case 'snapshot_checked':
      return { session, effects: [{ kind: 'snapshot', message }] };
    default:
      return close(session, 'malformed', `${message.type} on an open link`);
  }
}

function onWant(session: Session, { replicas, heads, again, without }: WantMessage, own: OwnSide): Stepped {
  const sent = again ? { ...session.sent, ...restart(session, replicas, heads, own) } : joinHeads(session.sent, heads);
  const next: Session = {
    ...session,
    peerWants: replicas,
    peerWithout: without,
    sent,
    // What cannot be placed is never acknowledged: it must not fill the window.
    inFlight: again ? [] : session.inFlight.filter((frame) => !without.includes(frame.origin)),
    peerHeads: joinHeads(session.peerHeads, heads),
  };
  const ours = without.filter((origin) => replicaOf(origin) === own.id && !session.peerWithout.includes(origin));
  const complaint: Effect[] = ours.length > 0 ? [{ kind: 'complained', origins: ours }] : [];
  return { session: next, effects: [...complaint, ...nextRead(next, own)] };
}

/** Positions for sending again: where the other side says it is. */
function restart(session: Session, replicas: readonly string[], heads: Heads, own: OwnSide): Heads {
  const origins = Object.keys({ ...session.sent, ...own.heads }).filter((origin) =>
    replicas.includes(replicaOf(origin)),
  );
  return Object.fromEntries(origins.map((origin) => [origin, numberAt(heads, origin)]));
}

function acknowledged(session: Session, heads: Heads, own: OwnSide): Stepped {
  const peerHeads = joinHeads(session.peerHeads, heads);
  const inFlight = session.inFlight.filter((frame) => numberAt(peerHeads, frame.origin) < frame.last);
  const next = { ...session, peerHeads, inFlight };
  return { session: next, effects: nextRead(next, own) };
}

/** In full, and durable there: what was thought before no longer counts, should a branch have been let go of. */
function onHeads(session: Session, heads: Heads, hashes: HelloMessage['hashes'], own: OwnSide, now: number): Stepped {
  // What it has only just told may be on its way.
  const asked = askAgainIfStuck(session, own, now);
  const after = acknowledged({ ...asked.session, peerHeads: {} }, heads, own);
  return {
    session: after.session,
    effects: [{ kind: 'peerHeads', heads, hashes }, ...asked.effects, ...after.effects],
  };
}

/** What we want did not come although the other side has it: frames were lost on the way. */
function askAgainIfStuck(session: Session, own: OwnSide, now: number): Stepped {
  const lacking = Object.keys(session.peerHeads).some(
    (origin) =>
      session.wants.includes(replicaOf(origin)) &&
      !session.without.includes(origin) &&
      numberAt(session.peerHeads, origin) > numberAt(own.heads, origin),
  );
  const isSearching = Object.keys(own.askFrom).length > 0;
  if ((!lacking && !isSearching) || now - session.lastProgressAt < resendMs) return { session, effects: [] };
  return askAgain(session, own, now);
}

function askAgain(session: Session, own: OwnSide, now: number): Stepped {
  return {
    session: { ...session, lastProgressAt: now, lastAskedAt: now },
    effects: [{ kind: 'send', message: want(session, own, true) }],
  };
}

function onSubscribe(session: Session, { replicas, without }: Subscribe, own: OwnSide, now: number): Stepped {
  const isSame = isSameList(session.wants, replicas) && isSameList(session.without, without);
  if (session.phase !== 'open' || isSame) return { session, effects: [] };
  // An origin that can be placed again comes from where its histories part.
  const again = session.without.some((origin) => !without.includes(origin));
  const next: Session = { ...session, wants: replicas, without, lastProgressAt: now };
  return { session: next, effects: [{ kind: 'send', message: want(next, own, again) }] };
}

const want = ({ wants, without }: Session, { heads, askFrom }: OwnSide, again: boolean): Message => ({
  type: 'want',
  replicas: wants,
  heads: Object.fromEntries(Object.entries({ ...heads, ...askFrom }).filter(([, number]) => number > 0)),
  again,
  without,
});

/** What came from there never goes back there. */
const holding = (session: Session, came: Heads): Session => ({
  ...session,
  peerHeads: joinHeads(session.peerHeads, came),
  sent: joinHeads(session.sent, came),
});

function onApplied(session: Session, event: Applied, own: OwnSide, now: number): Stepped {
  const { heads, came, gap } = event;
  if (session.phase !== 'open') return { session, effects: [] };
  const acked = holding(session, came);
  const ack: Effect = { kind: 'send', message: { type: 'ack', heads } };
  // Frames that were under way when we asked last are gaps, too: once is enough.
  if (!gap || now - session.lastAskedAt < gapAskMs) return { session: acked, effects: [ack] };
  const again = askAgain(acked, own, now);
  return { session: again.session, effects: [ack, ...again.effects] };
}

function onSyncRequested(session: Session, bidirectional: boolean, own: OwnSide, now: number): Stepped {
  if (session.phase !== 'open') return { session, effects: [] };
  const again = askAgain(session, own, now);
  const effects: Effect[] = [
    { kind: 'send', message: headsMessage(own) },
    { kind: 'send', message: { type: 'sync_request', bidirectional } },
    ...again.effects,
  ];
  return { session: again.session, effects };
}

/** Asked to compare: our heads are the answer; asked for both ways, we fetch too. Never a request in return. */
function onSyncAsked(session: Session, bidirectional: boolean, own: OwnSide, now: number): Stepped {
  const answer: Effect = { kind: 'send', message: headsMessage(own) };
  if (!bidirectional) return { session, effects: [answer] };
  const again = askAgain(session, own, now);
  return { session: again.session, effects: [answer, ...again.effects] };
}

// Sending

/** The next piece to read from the journal and send, while the window has room. */
function nextRead(session: Session, own: OwnSide): Effect[] {
  if (session.phase !== 'open') return [];
  const unacknowledged = session.inFlight.reduce((sum, frame) => sum + frame.bytes, 0);
  if (unacknowledged >= windowBytesMax) return [];
  const bytesMax = Math.min(batchBytesTarget, windowBytesMax - unacknowledged);
  for (const origin in own.heads) {
    const after = numberAt(session.sent, origin);
    if (after >= numberAt(own.heads, origin) || !isWanted(session, origin)) continue;
    return [{ kind: 'read', origin, after, bytesMax }];
  }
  return [];
}

const isWanted = ({ peerWants, peerWithout }: Session, origin: string): boolean =>
  peerWants.includes(replicaOf(origin)) && !peerWithout.includes(origin);

function onSent(session: Session, event: { origin: string; last: number; bytes: number }, own: OwnSide): Stepped {
  if (event.bytes === 0) return { session, effects: [] };
  const next: Session = {
    ...session,
    sent: { ...session.sent, [event.origin]: event.last },
    inFlight: [...session.inFlight, { origin: event.origin, last: event.last, bytes: event.bytes }],
  };
  return { session: next, effects: nextRead(next, own) };
}

// Heartbeat and comparison

function onTick(session: Session, own: OwnSide, now: number): Stepped {
  const late = now - session.lastTickAt > stallMs;
  const ticked: Session = { ...session, lastTickAt: now };
  if (session.phase !== 'open') {
    if (now - session.openedAt < handshakeMs || late) return { session: ticked, effects: [] };
    return close(ticked, 'handshake_timeout', 'no greeting in time');
  }
  if (session.awaitingPong && now - session.pingAt >= pongMs && session.lastFrameAt < session.pingAt) {
    // Our own loop or disk was stalled: what the other side said may be waiting unread.
    if (late) return { session: { ...ticked, pingAt: now }, effects: [] };
    return close(ticked, 'heartbeat_timeout', 'it did not answer');
  }
  if (now - session.pingAt < pingIntervalMs) return { session: ticked, effects: [] };
  const stuck = askAgainIfStuck({ ...ticked, pingAt: now, awaitingPong: true }, own, now);
  const ping: Effect = {
    kind: 'send',
    message: { type: 'ping', at: own.wallMs, heads: own.headsDigest, books: own.booksDigest },
  };
  return { session: stuck.session, effects: [ping, ...stuck.effects] };
}

function onPing(session: Session, ping: PingMessage, own: OwnSide): Stepped {
  const message: Message = {
    type: 'pong',
    at: own.wallMs,
    echo: ping.at,
    heads: own.headsDigest,
    books: own.booksDigest,
  };
  const compared = compare(session, ping.heads, ping.books, own);
  return { session: compared.session, effects: [{ kind: 'send', message }, ...compared.effects] };
}

function onPong(session: Session, pong: PongMessage, own: OwnSide, now: number): Stepped {
  const rttMs = Math.max(0, now - session.pingAt);
  // Cristian's algorithm: the other side's clock was read about half a round trip ago.
  const offsetMs = Math.round(pong.at + rttMs / 2 - own.wallMs);
  const compared = compare({ ...session, awaitingPong: false }, pong.heads, pong.books, own);
  return { session: compared.session, effects: [{ kind: 'measured', rttMs, offsetMs }, ...compared.effects] };
}

const isSameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

function close(session: Session, reason: CloseReason, detail: string): Stepped {
  const goodbye: Effect[] =
    session.phase === 'open' || reason === 'protocol_mismatch'
      ? [{ kind: 'send', message: { type: 'bye', reason: detail } }]
      : [];
  return { session: { ...session, phase: 'closed' }, effects: [...goodbye, { kind: 'close', reason, detail }] };
}
