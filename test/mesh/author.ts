// Somebody who writes ops with a key of his own, by hand: sealed commits as an appliance makes them, or not quite.

import { type HybridClock, stampOf } from '../../src/core/clock.ts';
import { type Heads, originOf } from '../../src/core/heads.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type Commit, genesisHead, hashesOf, nextHead, type Op, type Seal, sealMessage } from '../../src/core/op.ts';
import { createSystemCrypto } from '../../src/edges/system.ts';
import { encodeCommit } from '../../src/protocol/commit-codec.ts';
import { encodeCommitsFrame } from '../../src/protocol/frames.ts';
import type { Someone } from '../edges/peer-pair.ts';
import { saleBody, shopId, signerOf } from './appliances.ts';

export type Written = {
  entity?: string;
  id: string;
  payload: JsonObject | string;
  seen?: Heads;
  stampMs?: number;
  /** In place of what would follow from the rest. */
  header?: string;
};

export type Author = {
  readonly origin: string;
  readonly who: Someone;
  /** The next commit, sealed; what `change` makes of the seal is what is signed. */
  write(ops: Written[], change?: (seal: Omit<Seal, 'signature'>) => Omit<Seal, 'signature'>): Commit;
  /** Last number written. */
  head(): number;
};

const { sha256 } = createSystemCrypto();

export function createAuthor(
  who: Someone,
  { epoch = 1, shop = shopId }: { epoch?: number; shop?: string } = {},
): Author {
  const origin = originOf(who.replicaId, epoch);
  const signer = signerOf(who);
  let [number, facts, counter] = [0, 0, 0];
  let head = genesisHead(sha256, shop, origin);
  return {
    origin,
    who,
    head: () => number,
    write(written, change = (seal) => seal) {
      const before = head;
      const first = number + 1;
      const ops: Op[] = written.map((one) => {
        counter += 1;
        return opOf(one, { ms: one.stampMs ?? Date.UTC(2026, 10, 20), counter });
      });
      for (const op of ops) head = nextHead(sha256, head, hashesOf(sha256, op));
      number += ops.length;
      facts += written.filter((one) => one.seen === undefined).length;
      const unsigned = change({ origin, first, last: number, facts, before, after: head });
      return { from: first, seal: { ...unsigned, signature: signer.sign(sealMessage(shop, unsigned)) }, ops };
    },
  };
}

function opOf(written: Written, clock: HybridClock): Op {
  const { entity = 'ticket', id, payload, seen } = written;
  const header = written.header ?? JSON.stringify({ stamp: stampOf(clock), entity, id, ...(seen && { seen }) });
  return { kind: 'whole', header, payload: typeof payload === 'string' ? payload : JSON.stringify(payload) };
}

/** A ticket as an appliance would write it. */
export const ticketOp = (id: string, more: JsonObject = {}): Written => ({
  id,
  payload: {
    body: { id, ...saleBody, ...more } as unknown as JsonObject,
    products: ['coffee'],
    flags: [],
    receivedAt: 0,
  },
});

export const productOp = (id: string, set: JsonObject, seen: Heads = {}): Written => ({
  entity: 'product',
  id,
  payload: { set },
  seen,
});

/** A frame of commits, under the author's name and key or another's. */
export const frameOf = (author: Pick<Author, 'origin' | 'who'>, ...commits: Commit[]): Uint8Array =>
  encodeCommitsFrame(author.origin, author.who.publicKey, commits.map(encodeCommit));
