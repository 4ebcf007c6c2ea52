// How it stands, as people are told: state, trouble as a sentence, and the quality of the connection. Pure: facts in, words
// out.

import type { ConnectionState, Quality } from './contract.ts';
import type { Transport } from './live.ts';
import type { Obstacle } from './verdict.ts';

export type Facts = {
  readonly phase: 'idle' | 'started' | 'closed';
  readonly transport: Transport | null;
  /** An appliance has answered since the start, whatever it said. */
  readonly wasReached: boolean;
  readonly isOffline: boolean;
  readonly own: string;
  readonly current: string;
  readonly isAway: boolean;
  readonly pending: number;
  readonly rejected: number;
  readonly isOutboxDurable: boolean;
  readonly outboxTrouble: string | null;
  /** The credential was refused. */
  readonly isRefused: boolean;
  /** Messages come by neither way though the appliance answers. */
  readonly isPollRefused: boolean;
  readonly hasToken: boolean;
  readonly obstacle: Obstacle | null;
  /** There was a WebSocket that did not come about since the last one. */
  readonly hasWebSocketFailed: boolean;
};

export const stateOf = (facts: Facts): ConnectionState => ({
  state: wordFor(facts),
  transport: facts.transport,
  appliance: facts.wasReached ? facts.current : null,
  isAway: facts.isAway,
  pending: facts.pending,
  rejected: facts.rejected,
  isOutboxDurable: facts.isOutboxDurable,
  trouble: troubleOf(facts),
});

function wordFor({ phase, isOffline, wasReached, transport, isPollRefused }: Facts): ConnectionState['state'] {
  if (phase !== 'started') return phase;
  if (isOffline) return 'offline';
  return wasReached && (transport !== null || isPollRefused) ? 'online' : 'connecting';
}

/** The most urgent one. */
export function troubleOf(facts: Facts): string | null {
  const { own, current, outboxTrouble } = facts;
  if (facts.phase === 'closed') return null;
  if (outboxTrouble !== null) return outboxTrouble;
  if (!facts.isOutboxDurable) {
    return 'This device keeps no tickets: those that are not sent yet are lost when the page is closed.';
  }
  if (facts.phase === 'idle') return null;
  if (facts.isOffline) return `${offline(facts.isAway, own)} Sales are kept on this device, and sent when one answers.`;
  if (facts.isRefused || facts.obstacle === 'credential') {
    return facts.hasToken
      ? `The appliance at ${current} does not accept the token of this till. Ask an admin of the shop for another.`
      : `Nobody is logged in at ${current}. Log in again; sales are kept on this device until then.`;
  }
  const ofTickets = obstacleSentence(facts.obstacle, current);
  if (ofTickets !== null) return ofTickets;
  if (facts.isAway) return `The appliance at ${own} does not answer; selling goes on at ${current}.`;
  if (facts.isPollRefused) return `The appliance at ${current} answers, but sends no messages.`;
  if (facts.transport === 'polling' && facts.hasWebSocketFailed) {
    return `Messages come a little later than they should: no WebSocket can be opened to ${current}.`;
  }
  return null;
}

const offline = (isAway: boolean, own: string): string =>
  isAway ? 'No appliance of the shop answers.' : `The appliance at ${own} does not answer, and no other of the shop.`;

function obstacleSentence(obstacle: Obstacle | null, current: string): string | null {
  const kept = 'Tickets are kept on this device and sent again by themselves.';
  switch (obstacle) {
    case 'silent':
      return `The appliance at ${current} does not answer for tickets. ${kept}`;
    case 'unavailable':
      return `The appliance at ${current} takes no tickets for the moment. ${kept}`;
    case 'fault':
      return `The appliance at ${current} makes mistakes with tickets. ${kept}`;
    case 'busy':
      return `The appliance at ${current} has too much to do. ${kept}`;
    case 'strange':
      return `What answers at ${current} is no appliance that takes tickets. Look at the address. ${kept}`;
    default:
      return null;
  }
}

/** A tap on the screen that is answered within this feels as if nothing were between. */
const goodRttMs = 250;
const fairRttMs = 1_000;

export function levelOf(
  state: ConnectionState['state'],
  transport: Transport | null,
  rttMs: number | null,
): Quality['level'] {
  if (state !== 'online') return 'offline';
  if (transport === null || (rttMs !== null && rttMs > fairRttMs)) return 'poor';
  return transport === 'websocket' && (rttMs === null || rttMs <= goodRttMs) ? 'good' : 'fair';
}
