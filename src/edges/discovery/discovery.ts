// The Discovery port by mDNS (`_tillmesh._tcp.local`, IPv4): announces this appliance and tells where others are said to
// be. It only ever says "seen at": who is there is proved by dialing. Whatever comes from the network, and whatever the
// network is like, it goes on; every two seconds it looks at the interfaces, counts who is silent, and asks who is there.

import {
  discoveryRoundMs,
  discoveryRoundMsMin,
  mdnsCloseMs,
  mdnsGoodbyeMs,
  mdnsPacketsPerSecondMax,
} from '../../core/limits.ts';
import type {
  Announcement,
  Clock,
  Discovery,
  DiscoveryEvents,
  DiscoveryStatus,
  Log,
  Random,
  Sighting,
  TimerHandle,
  Timers,
} from '../../ports.ts';
import { createCandidates } from './candidates.ts';
import { createHearing } from './hearing.ts';
import { readInterfaces } from './interfaces.ts';
import { createNetwork } from './network.ts';
import { ownNames } from './service.ts';
import { createSpeaking, type Speaking } from './speaking.ts';

export type DiscoveryOptions = {
  readonly timers: Timers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** UDP; 5353 is that of mDNS. */
  readonly port?: number;
  /** Names of interfaces, such as "lo"; null: all that are up, and not internal. */
  readonly interfaces?: readonly string[] | null;
  /** For tests that send more than a network does. */
  readonly packetsPerSecondMax?: number;
};

export const mdnsPort = 5353;

/** From `start` to `stop`. */
type Session = {
  status(): Omit<DiscoveryStatus, 'enabled'>;
  refresh(): void;
  stop(): Promise<void>;
};

export function createDiscovery(options: DiscoveryOptions): Discovery {
  let session: Session | null = null;
  let stopping = Promise.resolve();
  return {
    start(self, events) {
      session ??= startSession(options, self, events);
    },
    status: () => (session ? { enabled: true, ...session.status() } : notRunning),
    refresh: () => session?.refresh(),
    stop() {
      if (session) stopping = session.stop();
      session = null;
      return stopping;
    },
  };
}

const notRunning: DiscoveryStatus = {
  enabled: false,
  interfaces: [],
  lastHeardAt: null,
  packetsHeard: 0,
  packetsDropped: 0,
  sent: 0,
  lastError: null,
  seen: 0,
};

function startSession(options: DiscoveryOptions, self: Announcement, events: DiscoveryEvents): Session {
  const { timers, clock, random, log, port = mdnsPort } = options;
  const own = ownNames(self);
  const candidates = createCandidates();
  let lastError: string | null = null;
  let roundTimer: TimerHandle | null = null;
  let lookTimer: TimerHandle | null = null;
  let roundAt = 0;
  let isStopped = false;

  const network = createNetwork({
    port,
    names: options.interfaces ?? null,
    packet(bytes, remote) {
      // Questions still come while the goodbye leaves: they must not set a timer again.
      if (!isStopped) hearing.packet(bytes, remote);
    },
    opened: () => speaking?.greet(),
    trouble(sentence) {
      if (sentence !== null && sentence !== lastError) log.warn(`mDNS: ${sentence}`);
      lastError = sentence;
    },
  });
  let speaking = startSpeaking();
  const hearing = createHearing({
    clock,
    self,
    own,
    port,
    packetsPerSecondMax: options.packetsPerSecondMax ?? mdnsPacketsPerSecondMax,
    describe: (instance, source) => speaking?.library.describe(instance, source) ?? null,
    interfaces: network.interfaces,
    question({ concernsUs, isForAll }) {
      if (isForAll && clock.monotonic() - roundAt >= discoveryRoundMsMin) round();
      if (concernsUs) speaking?.answer();
    },
    claim: (claim) => tellSeen(candidates.hear(claim)),
    named(fullname, source) {
      const { isKnown, news } = candidates.named(fullname, source);
      if (!isKnown) speaking?.askDetails(fullname);
      for (const sighting of news) tellSeen(sighting);
    },
    goodbye: (fullname, source) => tellGone(candidates.goodbye(fullname, source)),
    second: candidates.second,
  });

  /** Null where mdns-js cannot start (it looks at the interfaces too); tried again each round, until then we only listen. */
  function startSpeaking(): Speaking | null {
    if (!readInterfaces([])) return null;
    try {
      const { interfaces, send } = network;
      return createSpeaking({ timers, clock, random, self, own, send, interfaceCount: () => interfaces().length });
    } catch (error) {
      log.warn('mDNS: cannot announce this appliance; it will be tried again', { error });
      return null;
    }
  }

  /** What is told must not end what tells it: the caller's fault is the caller's. */
  function guarded(tell: () => void): void {
    try {
      if (!isStopped) tell();
    } catch (error) {
      log.error('mDNS: a sighting could not be taken', { error });
    }
  }

  function tellSeen(sighting: Sighting | null): void {
    if (!sighting) return;
    log.debug('mDNS: seen', { ...sighting });
    guarded(() => events.seen(sighting));
  }

  function tellGone(ids: readonly string[]): void {
    for (const replicaId of ids) {
      log.debug('mDNS: gone', { replicaId });
      guarded(() => events.gone(replicaId));
    }
  }

  /** Every question that all answer begins one, whoever asks: nobody else needs to ask for a while. */
  function round(): void {
    roundAt = clock.monotonic();
    roundTimer?.cancel();
    // Never longer than the limit says: after four of these a killed appliance is gone.
    roundTimer = timers.after(discoveryRoundMs * (0.8 + 0.2 * random.fraction()), () => {
      round();
      speaking ??= startSpeaking();
      speaking?.ask();
    });
    tellGone(candidates.round());
  }

  function look(): void {
    lookTimer = timers.after(discoveryRoundMs, look);
    network.look();
  }

  round();
  look();

  return {
    status: () => ({
      interfaces: network.interfaces().map(({ name, address }) => ({ name, address })),
      ...hearing.counts(),
      sent: speaking?.sentCount() ?? 0,
      lastError,
      seen: candidates.count(),
    }),
    refresh() {
      network.look();
      speaking?.ask();
    },
    async stop() {
      isStopped = true;
      roundTimer?.cancel();
      lookTimer?.cancel();
      await atMost(timers, mdnsGoodbyeMs, speaking?.goodbye());
      await atMost(timers, mdnsCloseMs, network.close());
    },
  };
}

/** Resolves when `work` has, or failed, or when it takes too long. */
function atMost(timers: Timers, msMax: number, work: Promise<void> | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = timers.after(msMax, resolve);
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    Promise.resolve(work).then(done, done);
  });
}
