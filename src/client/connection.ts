// The connection manager: puts stream, whereabouts, outbox and sender together, and tells how it stands. What to do is decided
// by those; what to say, by standing.ts.

import { createAsking } from './asking.ts';
import type { ConnectionManager, ConnectionState, LiveMessage, OutboxEvent, Resync } from './contract.ts';
import { createDiscovery } from './discovery.ts';
import type { Cancel, Environment } from './environment.ts';
import { fetchAnywhere, sendMessage } from './fetching.ts';
import { callSafely, createListeners } from './listeners.ts';
import { createLive, type LiveFailure, type Transport } from './live.ts';
import { asObject } from './messages.ts';
import { createOutbox } from './outbox.ts';
import { createSender } from './sender.ts';
import type { Settings } from './settings.ts';
import { levelOf, stateOf } from './standing.ts';
import { rejectedTicket, terminalIdOf } from './ticket.ts';
import { uuidV7 } from './uuid.ts';
import { createWhereabouts } from './whereabouts.ts';

/** Appliances are asked who else there is; other pages' tickets are counted again. */
const lookAroundMs = 5 * 60_000;
const recountMs = 60_000;

export function createConnectionManager(
  settings: Settings,
  environment: Environment,
  onClosed: () => void = () => undefined,
): ConnectionManager {
  const [own] = settings.appliances;
  const hasToken = settings.token !== undefined;
  const messages = createListeners<LiveMessage | Resync>(environment.report);
  const states = createListeners<ConnectionState>(environment.report);
  const outboxEvents = createListeners<OutboxEvent>(environment.report);
  const topics = new Set(settings.topics);
  const cancels = new Set<Cancel>();
  let phase: 'idle' | 'started' | 'closed' = 'idle';
  let transport: Transport | null = null;
  const seen = { wasReached: false, isRefused: false, isPollRefused: false, hasWebSocketFailed: false };
  let heardAt: number | null = null;
  let pongMs: number | null = null;
  let [reconnects, moves] = [0, 0];
  let arrivals: (() => void)[] = [];
  let told = '';
  let isTelling = false;

  const asking = createAsking(environment, settings.token);
  const outbox = createOutbox(environment, settings.outbox, terminalIdOf(settings.token), {
    changed() {
      if (phase === 'started') sender.wake(false);
      update();
    },
    told: outboxEvents.tell,
  });
  const opened = outbox.opened().then((remembered) => discovery.recall(remembered));
  const mayMove = hasToken || !environment.isPage;
  const whereabouts = createWhereabouts(environment, asking, settings.appliances, mayMove, opened, {
    moved(address) {
      moves += 1;
      transport = null;
      Object.assign(seen, { isRefused: false, isPollRefused: false, hasWebSocketFailed: false });
      if (phase === 'started') {
        live.begin(address);
        sender.wake(true);
      }
      update();
    },
    isHearing: () => transport !== null,
    changed: update,
    returned() {
      if (phase !== 'started') return;
      live.hurry(false);
      sender.wake(true);
    },
  });
  const discovery = createDiscovery(asking, whereabouts, outbox);
  const sender = createSender(environment, asking, outbox, whereabouts, update);
  const live = createLive(environment, asking, settings, { message: onMessage, heard, failed, rtt: onRtt });

  function onMessage(message: LiveMessage | Resync): void {
    if (phase === 'closed') return;
    const section = message.type === 'data.updated' && asObject((message as LiveMessage).payload)?.section;
    if (section === 'appliances') discovery.look();
    messages.tell(message);
  }

  function onRtt(ms: number): void {
    pongMs = ms;
  }

  function heard(address: string, by: Transport): void {
    heardAt = environment.now();
    Object.assign(seen, { wasReached: true, isRefused: false, isPollRefused: false });
    if (by === 'websocket') seen.hasWebSocketFailed = false;
    whereabouts.heard(address);
    if (transport === by) return;
    const isBack = transport === null;
    transport = by;
    if (isBack) {
      discovery.look();
      sender.wake(true);
    }
    update();
  }

  function failed(address: string, failure: LiveFailure, wasAlive: boolean): void {
    if (wasAlive) {
      reconnects += 1;
      transport = null;
    }
    if (failure === 'credential') {
      Object.assign(seen, { isRefused: true });
      whereabouts.heard(address);
    }
    if (failure === 'credential' || failure === 'other') Object.assign(seen, { wasReached: true, isPollRefused: true });
    if (failure === 'websocket' && !wasAlive) seen.hasWebSocketFailed = true;
    // While polls are answered it is there; should it go, they tell.
    if (failure === 'websocket' && transport === null) void whereabouts.doubt(address, 'silent');
    if (failure === 'silent') void whereabouts.doubt(address, 'silent').then(() => mute(address));
    update();
  }

  /** After a poll that failed it is clear where we are: the appliance is there, and yet no messages come. */
  function mute(address: string): void {
    if (phase !== 'started' || transport !== null || whereabouts.isOffline() || whereabouts.current() !== address)
      return;
    Object.assign(seen, { wasReached: true, isPollRefused: true });
    update();
  }

  const state = (): ConnectionState =>
    stateOf({
      ...seen,
      phase,
      transport,
      own,
      current: whereabouts.current(),
      isAway: whereabouts.isAway(),
      isOffline: whereabouts.isOffline(),
      pending: outbox.waiting().length,
      rejected: outbox.rejected().length,
      isOutboxDurable: outbox.isDurable(),
      outboxTrouble: outbox.trouble(),
      hasToken,
      obstacle: sender.obstacle(),
    });

  /** A listener may change how it stands: then all are told that after this, none of them the older after the newer. */
  function update(): void {
    if (isTelling) return;
    isTelling = true;
    for (let now = state(); JSON.stringify(now) !== told; now = state()) {
      told = JSON.stringify(now);
      if (now.state !== 'idle' && now.state !== 'connecting') arrive();
      states.tell(now);
    }
    isTelling = false;
  }

  function arrive(): void {
    for (const resolve of arrivals) resolve();
    arrivals = [];
  }

  function every(ms: number, run: () => void): void {
    const cancel = environment.after(ms, () => {
      cancels.delete(cancel);
      run();
      every(ms, run);
    });
    cancels.add(cancel);
  }

  function start(): void {
    phase = 'started';
    every(lookAroundMs, discovery.look);
    every(recountMs, () => void outbox.recount());
    cancels.add(
      environment.onNetwork(() => {
        whereabouts.hurry();
        live.hurry(true);
        sender.wake(true);
      }),
    );
    live.begin(own);
    // A dead appliance lets a WebSocket wait as long as this question: beside it, nobody waits for both.
    void whereabouts.doubt(own, 'silent');
    sender.wake(false);
    update();
  }

  function changeTopics(change: (topic: string) => unknown, named: readonly string[]): void {
    for (const topic of named) change(topic);
    live.setTopics([...topics]);
  }

  told = JSON.stringify(state());
  return {
    connect() {
      if (phase === 'closed') return Promise.reject(new Error('This connection was closed. Get another one.'));
      if (phase === 'idle') start();
      const { state: word } = state();
      return word === 'connecting' ? new Promise((resolve) => arrivals.push(resolve)) : Promise.resolve();
    },
    close() {
      if (phase === 'closed') return;
      phase = 'closed';
      transport = null;
      for (const cancel of cancels) cancel();
      live.stop();
      sender.stop();
      whereabouts.stop();
      asking.close();
      outbox.close();
      onClosed();
      update();
    },
    onMessage: messages.add,
    onState(listener) {
      const remove = states.add(listener);
      callSafely(() => listener(state()), environment.report);
      return remove;
    },
    state,
    send: (message) =>
      sendMessage(asking, whereabouts, message, uuidV7(environment.now(), environment.randomBytes(16))),
    subscribe: (...named) => changeTopics((topic) => topics.add(topic), named),
    unsubscribe: (...named) => changeTopics((topic) => topics.delete(topic), named),
    quality() {
      const rttMs = transport === 'websocket' && pongMs !== null ? pongMs : asking.rttMs();
      const times = [heardAt, asking.answeredAt()].filter((time) => time !== null);
      const lastHeardAt = times.length > 0 ? Math.max(...times) : null;
      return { level: levelOf(state().state, transport, rttMs), transport, rttMs, lastHeardAt, reconnects, moves };
    },
    sell: outbox.sell,
    pending: () => outbox.waiting().length,
    rejected: () => outbox.rejected().map(rejectedTicket),
    retry: outbox.retry,
    discard: outbox.discard,
    onOutbox: outboxEvents.add,
    fetch: (path, init = {}) => fetchAnywhere(asking, whereabouts, path, init),
    appliances: whereabouts.known,
  };
}
