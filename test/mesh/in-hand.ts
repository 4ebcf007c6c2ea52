// A connection without a socket, held in a test's hand: frames come when the test says so, several in one turn of the
// event loop if it wants, as they would after a stall.

import { createSystemCrypto } from '../../src/edges/system.ts';
import { proofText } from '../../src/mesh/trust/proof.ts';
import type { Connection, ConnectionEvents } from '../../src/ports.ts';
import type { Someone } from '../edges/peer-pair.ts';
import { shopId, shopKey, type TestAppliance } from './appliances.ts';
import { hello } from './stranger.ts';

export type InHand = {
  say(frame: string | Uint8Array): void;
  /** Null while it is open. */
  closedReason(): string | null;
};

/** Accepted by `target`, proved and greeted. */
export function enterInHand(target: TestAppliance, who: Someone): InHand {
  let events: ConnectionEvents | undefined;
  let reason: string | null = null;
  const connection: Connection = {
    dialedByUs: false,
    address: '127.0.0.1:1',
    peerKey: who.publicKey,
    channelBinding: new Uint8Array(32).fill(1),
    listen(told) {
      events = told;
    },
    send() {},
    bufferedBytes: () => 0,
    close(why) {
      if (reason !== null) return;
      reason = why;
      events?.closed(why);
    },
  };
  target.appliance.accept(connection);
  const say = (frame: string | Uint8Array): void => {
    if (reason === null) events?.frame(frame);
  };
  const protocol = { min: 1, max: 1 };
  const about = { protocol, shop: shopId };
  const claim = {
    what: 'shop_key',
    role: 'dialer',
    key: who.publicKey,
    otherKey: target.who.publicKey,
    ...about,
  } as const;
  const proof = proofText(createSystemCrypto(), shopKey, connection, claim);
  say(JSON.stringify({ type: 'proof', ...about, instance: 'in-hand', proof }));
  say(JSON.stringify(hello(who.replicaId)));
  return { say, closedReason: () => reason };
}
