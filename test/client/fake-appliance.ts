// An appliance as its till sees it, in memory: src/realtime/README.md and the tickets' address, with all that can go wrong.
// An answer takes 1 ms, one that waited 5 ms.

import type { Socket } from '../../src/client/environment.ts';
import type { ManualClock } from './clock.ts';

export type TicketAnswer = {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
};

export type FakeAppliance = {
  readonly address: string;
  /** up; refuses connections; takes them and says nothing; answers 503 to all. */
  health: 'up' | 'refuses' | 'silent' | 'unready';
  webSocket: 'works' | 'refused' | 'silent';
  handshakeMs: number;
  /** A WebSocket is cut right after its greeting. */
  cutsAfterGreeting: boolean;
  readyStatus: number;
  pollStatus: number;
  /** Of GET /api/v1/appliances. */
  others: readonly unknown[];
  /** Undefined: it is stored. */
  answerTicket: (ticket: { id: string }) => TicketAnswer | 'cut' | undefined;
  publish(type: string, payload?: unknown): string;
  /** A resync goes out with the cursor after it, and the message itself does not. */
  publishUnheard(type: string, lost: string): string;
  /** All WebSockets end, or are never heard of again. */
  cutSockets(how: 'told' | 'silently'): void;
  readonly asked: string[];
  readonly requests: { url: URL; init: RequestInit }[];
  /** Ids of tickets, in the order in which they were posted, and those that are stored. */
  readonly posted: string[];
  readonly stored: Map<string, unknown>;
  socketCount(): number;
  pollCount(): number;
  fetch(url: URL, init: RequestInit): Promise<Response>;
  openSocket(url: URL, protocols: readonly string[]): Socket;
  readonly protocols: string[][];
  readonly openedAt: number[];
  readonly framesFromTill: unknown[];
};

type Message = { id: string; type: string; payload: unknown; timestamp: number; userId: null };
type Reader = { place: number; isGone: boolean; deliver(): void };

export function createFakeAppliance(clock: ManualClock, address: string): FakeAppliance {
  const name = new URL(address).hostname;
  const log: Message[] = [];
  const sockets = new Set<Reader & { tell(frame: unknown): void; end(): void; mute(): void }>();
  const polls = new Set<{ url: URL; resolve(response: Response): void; cancel(): void }>();
  const cursorAt = (place: number): string => `${name}/${place}`;
  const placeOf = (cursor: string | null): number | undefined =>
    cursor === null ? log.length : cursor.startsWith(`${name}/`) ? Number(cursor.split('/')[1]) : undefined;
  const resync = { type: 'resync', lost: 'data', detail: 'This place is in the list of another appliance.' };

  const appliance: FakeAppliance = {
    address,
    health: 'up',
    webSocket: 'works',
    handshakeMs: 10,
    cutsAfterGreeting: false,
    readyStatus: 200,
    pollStatus: 200,
    others: [],
    answerTicket: () => undefined,
    publish(type, payload = {}) {
      const id = `${name}-m${log.length}`;
      log.push({ id, type, payload, timestamp: 1, userId: null });
      for (const socket of sockets) socket.deliver();
      for (const poll of [...polls]) {
        polls.delete(poll);
        poll.cancel();
        // On its way for a while, so that it may be overtaken by a WebSocket.
        const answered = pollAnswer(poll.url);
        clock.after(5, () => poll.resolve(answered));
      }
      return id;
    },
    publishUnheard(type, lost) {
      const id = `${name}-m${log.length}`;
      log.push({ id, type, payload: {}, timestamp: 1, userId: null });
      for (const socket of sockets) socket.tell({ ...resync, lost, cursor: cursorAt(log.length) });
      return id;
    },
    cutSockets(how) {
      for (const socket of [...sockets]) how === 'told' ? socket.end() : socket.mute();
    },
    asked: [],
    requests: [],
    posted: [],
    stored: new Map(),
    protocols: [],
    openedAt: [],
    framesFromTill: [],
    socketCount: () => sockets.size,
    pollCount: () => polls.size,
    fetch: (url, init) =>
      new Promise((resolve, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason));
        appliance.asked.push(url.pathname);
        appliance.requests.push({ url, init });
        clock.after(1, () => {
          if (appliance.health === 'refuses') return reject(new TypeError('fetch failed'));
          if (appliance.health === 'silent') return;
          if (appliance.health === 'unready') return resolve(answer(503, { code: 'not_ready' }));
          respond(url, init, resolve, reject);
        });
      }),
    openSocket(url, protocols) {
      appliance.protocols.push([...protocols]);
      appliance.openedAt.push(clock.ms());
      const place = placeOf(url.searchParams.get('after'));
      const socket: Socket = { onmessage: null, onclose: null, onerror: null, send: hear, close: () => drop() };
      let isMute = false;
      const reader = {
        place: place ?? log.length,
        isGone: false,
        tell,
        deliver() {
          const messages = log.slice(reader.place);
          reader.place = log.length;
          messages.forEach((message, index) => {
            tell({ ...message, cursor: cursorAt(log.length - messages.length + index + 1) });
          });
        },
        end() {
          if (reader.isGone) return;
          drop();
          clock.after(1, () => socket.onclose?.({ code: 1006 }));
        },
        mute() {
          isMute = true;
          sockets.delete(reader);
        },
      };
      function tell(frame: unknown): void {
        clock.after(1, () => {
          if (!reader.isGone && !isMute) socket.onmessage?.({ data: JSON.stringify(frame) });
        });
      }
      function hear(text: string): void {
        const frame = JSON.parse(text);
        appliance.framesFromTill.push(frame);
        if (frame.type === 'ping' && appliance.health === 'up') tell({ type: 'pong', cursor: cursorAt(reader.place) });
      }
      function drop(): void {
        reader.isGone = true;
        sockets.delete(reader);
      }
      clock.after(appliance.handshakeMs, () => {
        if (reader.isGone) return;
        const isSilent = appliance.health === 'silent' || appliance.webSocket === 'silent';
        if (isSilent) return;
        if (appliance.health !== 'up' || appliance.webSocket === 'refused') return reader.end();
        if (url.searchParams.get('after') === null) reader.place = log.length;
        sockets.add(reader);
        tell({ type: 'connected', cursor: cursorAt(log.length) });
        if (appliance.cutsAfterGreeting) return void clock.after(2, reader.end);
        if (place === undefined) tell({ ...resync, cursor: cursorAt(reader.place) });
        reader.deliver();
      });
      return socket;
    },
  };

  function pollAnswer(url: URL): Response {
    const place = placeOf(url.searchParams.get('since'));
    const messages = log.slice(place ?? log.length);
    const lost = place === undefined ? { resync: true, lost: 'data' } : {};
    return answer(200, { success: true, messages, cursor: cursorAt(log.length), count: messages.length, ...lost });
  }

  function respond(url: URL, init: RequestInit, resolve: (response: Response) => void, reject: (error: Error) => void) {
    switch (url.pathname) {
      case '/readyz':
        return resolve(answer(appliance.readyStatus, { status: 'ready' }));
      case '/api/v1/appliances':
        return resolve(answer(200, { data: appliance.others }));
      case '/api/sync/poll':
        return poll(url, init, resolve);
      case '/api/v1/tickets':
        return takeTicket(JSON.parse(String(init.body)), resolve, reject);
      default:
        return resolve(answer(200, { messageId: 'm-1', timestamp: 7 }));
    }
  }

  function poll(url: URL, init: RequestInit, resolve: (response: Response) => void): void {
    if (appliance.pollStatus !== 200)
      return resolve(answer(appliance.pollStatus, {}, appliance.pollStatus === 429 ? { 'retry-after': '20' } : {}));
    const isNew = placeOf(url.searchParams.get('since')) !== log.length;
    const seconds = Number(url.searchParams.get('wait'));
    if (isNew || seconds === 0) return resolve(pollAnswer(url));
    const cancel = clock.after(seconds * 1000, () => {
      polls.delete(waiting);
      resolve(pollAnswer(url));
    });
    const waiting = { url, resolve, cancel };
    polls.add(waiting);
    init.signal?.addEventListener('abort', () => {
      cancel();
      polls.delete(waiting);
    });
  }

  function takeTicket(ticket: { id: string }, resolve: (response: Response) => void, reject: (error: Error) => void) {
    appliance.posted.push(ticket.id);
    const said = appliance.answerTicket(ticket);
    if (said === 'cut') {
      appliance.stored.set(ticket.id, ticket);
      return reject(new TypeError('fetch failed'));
    }
    if (said) return resolve(answer(said.status, said.body, said.headers));
    const status = appliance.stored.has(ticket.id) ? 200 : 201;
    appliance.stored.set(ticket.id, ticket);
    resolve(answer(status, { ...ticket, flags: [] }));
  }

  return appliance;
}

/** What the client reads of a Response, and nothing that takes a turn of the event loop. */
function answer(status: number, body: unknown = null, headers: Record<string, string> = {}): Response {
  const text = JSON.stringify(body);
  return {
    status,
    ok: status < 300,
    headers: new Headers(headers),
    text: async () => text,
    json: async () => JSON.parse(text),
  } as unknown as Response;
}
