// Joining as people ask for it: codes to give out, our own wish to be of another shop, the shop key. Everything that is
// asked in vain is answered with what to do instead.

import { failure, type Outcome } from '../../core/command.ts';
import { addressFault } from '../../core/dial.ts';
import { fingerprintWords } from '../../protocol/fingerprint.ts';
import { hasOwnBooks } from '../../storage/carry.ts';
import type { JoinAnswer, JoinRequest } from '../mesh.ts';
import type { MeshParts } from '../parts.ts';
import { type JoinCode, joinKey, normalCode } from './join-codes.ts';
import type { Terms } from './wish.ts';

export type Joining = {
  makeCode(): JoinCode;
  /** `done` is called once, for a code within `joinMs`. */
  join(request: JoinRequest, done: (outcome: Outcome<JoinAnswer>) => void): void;
  /** Takes the wish to join back. */
  cancel(): void;
  /** Whom we asked to be let in by. */
  askedOf(): string | null;
};

export function createJoining(parts: MeshParts): Joining {
  const { ports, storage, dialer, members, candidates, codes, wish } = parts;

  function lookForThem(): void {
    for (const { id, address } of candidates.all()) {
      if (address === null) continue;
      dialer.add(address, 'seen', id);
      dialer.hurry(address);
    }
    dialer.dialNow();
  }

  function join({ code, peer, bringBooks }: JoinRequest, done: (outcome: Outcome<JoinAnswer>) => void): void {
    const others = members.othersThan(code === undefined ? (peer ?? null) : null);
    const isUsed = hasOwnBooks(storage.handle()) || others > 0;
    if (isUsed && !bringBooks) return done(ownBooks(storage.books.counts(), others));
    const terms = { bringBooks, others };
    if (code === undefined) return done(askPeer(peer, terms));
    const normal = normalCode(code);
    if (normal === undefined)
      return done(failure('code_malformed', 'A join code has 16 letters and digits, such as 4F7K-2M9P-QR3T-8XVA.'));
    const address = peer === undefined ? undefined : (candidates.get(peer)?.address ?? peer);
    if (address !== undefined && addressFault(address))
      return done(failure('address_malformed', 'An address is HOST:PORT, such as 192.168.1.20:3031.'));
    wish.byCode(joinKey(ports.crypto, normal), address ?? null, terms, (outcome) =>
      done(outcome.ok ? { ok: true, result: { state: 'joined', welcome: outcome.result } } : outcome),
    );
    if (address !== undefined) {
      dialer.add(address, 'seen');
      return dialer.dialAfresh(address);
    }
    lookForThem();
  }

  function askPeer(peer: string | undefined, terms: Terms): Outcome<JoinAnswer> {
    const candidate = peer === undefined ? undefined : candidates.get(peer);
    if (!candidate)
      return failure(
        'peer_not_seen',
        'Name an appliance that was seen (its id is in the list of peers), or give a join code.',
      );
    if (members.trustOf(candidate.id) === 'revoked') return failure('peer_revoked', 'That appliance is shut out.');
    wish.byApproval({ replica: candidate.id, ...terms });
    lookForThem();
    return { ok: true, result: { state: 'asked', peer: candidate.id, words: fingerprintWords(candidate.id) } };
  }

  return {
    makeCode: codes.make,
    join,
    cancel: () => wish.byApproval(null),
    askedOf: wish.approval,
  };
}

function ownBooks(counts: { products: number; customers: number; tickets: number; movements: number }, others: number) {
  const { products, customers, tickets, movements } = counts;
  const leaves = others > 0 ? ` It leaves its present shop, of which it trusts ${others} other appliances.` : '';
  return failure(
    'has_own_books',
    `This appliance has books of its own (${products} products, ${customers} customers, ${tickets} tickets, ${movements} movements).${leaves} Joining brings them along: products, customers, stock movements, tickets and tills are added to the other shop's books, and where both have the same product or customer under one id, the later edit of each field wins and the other is kept as a conflict. Accounts of people, trust in other appliances and settled conflicts stay behind; the old books are kept in a file of their own. Ask again with bringBooks to do so.`,
    { facts: { counts: { ...counts } } },
  );
}
