// Who is of the shop, as our journal tells it (core/membership.ts), and what we say of it ourselves: an op each, so that it
// is said once and known everywhere, also to those who were away.

import { epochOf, type Heads, ofReplica, originOf } from '../../core/heads.ts';
import { base32 } from '../../core/identity.ts';
import type { JsonObject } from '../../core/json.ts';
import { pardonsMax, revokedEpochsMax } from '../../core/limits.ts';
import { type Membership, rememberMembership, type Trust, trustEntity } from '../../core/membership.ts';
import type { Draft } from '../../core/op.ts';
import type { Ports, ShopOfKey } from '../../ports.ts';
import { appendLocal } from '../../storage/append.ts';
import type { Storage } from '../../storage/storage.ts';
import type { MeshConfig } from '../mesh.ts';

/** How somebody came to be trusted. */
export type Via = 'approval' | 'join_code' | 'shop_key' | 'joined' | 'renewed';

export type Members = {
  now(): Membership;
  trustOf(replica: string): Trust;
  /** How many are of the shop apart from ourselves and `except`. */
  othersThan(except: string | null): number;
  /** As whoever let it in last knew it. */
  nameOf(replica: string): string | null;
  /** Says that an appliance is of the shop, unless that is known; takes back its revocations. False when the disk refused. */
  letIn(replica: string, facts: { name: string; via: Via; by: string }): boolean;
  /** Says that it is no longer, and what the shop key is from now on, if there is one that it knew; false as above. */
  shutOut(replica: string, by: string): boolean;
  /** A new shop key: the one before lets nobody in any more. */
  rotateShopKey(by: string): boolean;
  /** What to prove membership with, and to check with; null where there is none, or it is known to somebody revoked. */
  shopKey(): Uint8Array | null;
  /** Whether this shop is no more than what follows from the shop key, so that an older shop with that key goes before. */
  isProvisional(shop: string): boolean;
};

export function createMembers(ports: Ports, storage: Storage, config: MeshConfig): Members {
  const membership = rememberMembership(config.replicaId);
  let derived: (ShopOfKey & { text: string }) | undefined;

  const now = (): Membership => membership(storage.state().trust);

  const draft = (payload: JsonObject): Draft => ({ entity: trustEntity, id: base32(ports.random.bytes(15)), payload });
  const say = (...drafts: Draft[]): boolean =>
    storage.write((unit) => {
      for (const one of drafts) appendLocal(unit, one);
    }).ok;
  /**
   * Revocations that hold are said before a new key, by its own author: whoever hears of the key has dropped those who must
   * not know it. Those that it has said before, under its present epoch, are heard before it anyway.
   */
  function rotation(by: string, ...news: Draft[]): Draft[] {
    const { revocations } = now();
    const own = originOf(config.replicaId, storage.state().epoch);
    const again = revocations.flatMap((id): Draft[] => {
      const said = storage.state().trust.filter((one) => one.id === id);
      const [first] = said;
      if (first?.verdict !== 'revoked' || said.some(({ origin }) => origin === own)) return [];
      const { subject } = first;
      return [{ entity: trustEntity, id, payload: { verdict: 'revoked', subject, upTo: heardOf(subject), by } }];
    });
    const covers = [...revocations, ...news.map(({ id }) => id)].slice(-pardonsMax);
    const key = base32(ports.random.bytes(20));
    return [...again, ...news, draft({ verdict: 'shop_key', key, covers, by })];
  }

  /** What is held of a replica, its latest epochs. */
  const heardOf = (replica: string): Heads =>
    Object.fromEntries(
      Object.entries(ofReplica(storage.books.heads(), replica))
        .sort(([a], [b]) => epochOf(b) - epochOf(a))
        .slice(0, revokedEpochsMax),
    );

  function letIn(replica: string, { name, via, by }: Parameters<Members['letIn']>[1]): boolean {
    if (now().trustOf(replica) === 'trusted') return true;
    const pardons = now().revocationsOf(replica);
    return say(draft({ verdict: 'trusted', subject: replica, pardons, name, via, by }));
  }

  function shutOut(replica: string, by: string): boolean {
    if (now().trustOf(replica) === 'revoked') return true;
    const hasShopKey = config.shopKey !== null || now().shopKey.kind === 'rotated';
    const revocation = draft({ verdict: 'revoked', subject: replica, upTo: heardOf(replica), by });
    return say(...(hasShopKey ? rotation(by, revocation) : [revocation]));
  }

  function keyNow(): ShopOfKey | null {
    const { shopKey } = now();
    if (shopKey.kind === 'none') return null;
    if (shopKey.kind === 'configured') return config.shopKey;
    if (derived?.text !== shopKey.key) derived = { text: shopKey.key, ...ports.crypto.shopOfKey(shopKey.key) };
    return derived;
  }

  return {
    now,
    trustOf: (replica) => now().trustOf(replica),
    othersThan: (except) =>
      [...now().members].filter((replica) => replica !== config.replicaId && replica !== except).length,
    nameOf(replica) {
      const said = storage.state().trust.findLast((one) => one.verdict === 'trusted' && one.subject === replica);
      return said?.verdict === 'trusted' ? (said.name ?? null) : null;
    },
    letIn,
    shutOut,
    rotateShopKey: (by) => say(...rotation(by)),
    shopKey: () => keyNow()?.key ?? null,
    isProvisional: (shop) => keyNow()?.shop === shop,
  };
}
