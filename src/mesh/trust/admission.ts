// Who is let in, decided from one message and the key of its channel. What a stranger is told is nothing.

import { replicaOf } from '../../core/heads.ts';
import { membershipOf } from '../../core/membership.ts';
import type { ProofMessage, ProtocolRange, Role, WelcomeMessage } from '../../core/message.ts';
import type { Admission, CloseReason } from '../../core/session-state.ts';
import { protocolRange } from '../../protocol/version.ts';
import { hasOwnBooks, isUntouched } from '../../storage/carry.ts';
import type { Link } from '../link.ts';
import type { MeshParts } from '../parts.ts';
import type { Via } from './members.ts';
import { type Claim, isSameSecret, proofText } from './proof.ts';
import { readVoucher, voucherFor } from './voucher.ts';

export type Admitting = {
  proof(link: Link): ProofMessage;
  judge(link: Link, message: ProofMessage): Admission;
  /** What a newcomer is told who was judged to be one. */
  welcome(link: Link): WelcomeMessage;
  /** Whether it has proved, on this link, the shop key that counts now. */
  hasProvedKey(link: Link): boolean;
  /** Whether the present join code was shown on this link. */
  hasShownCode(link: Link): boolean;
  /** As it calls itself, should it have told. */
  nameOf(link: Link): string | undefined;
  /** How it came to be let in. */
  viaOf(link: Link): Via;
  /** Whether a welcome comes from whom we asked. */
  isWelcome(link: Link, message: WelcomeMessage): boolean;
};

const notOfThisShop = 'it is not of this shop';

export function createAdmission(parts: MeshParts): Admitting {
  const { ports, storage, config, members, candidates, codes, wish, instance } = parts;
  const ownKey = ports.signer.publicKey;
  /** With which secret each link's other end has proved that it may join; null by approval. */
  const grantedBy = new WeakMap<Link, Uint8Array | null>();
  const protocolOf = new WeakMap<Link, ProtocolRange>();
  const keyProvedOn = new WeakMap<Link, Uint8Array>();
  const nameOf = new WeakMap<Link, string>();
  const codeShownOn = new WeakMap<Link, Uint8Array>();

  const ours = (link: Link, what: Claim['what'], secret: Uint8Array, shop = config.shop): string =>
    proofText(ports.crypto, secret, link.connection, {
      what,
      role: link.role,
      key: ownKey,
      otherKey: link.connection.peerKey,
      protocol: protocolRange,
      shop,
    });
  const theirs = (
    link: Link,
    what: Claim['what'],
    secret: Uint8Array,
    facts: { protocol: ProtocolRange; shop: string },
  ) =>
    proofText(ports.crypto, secret, link.connection, {
      what,
      role: otherRole(link.role),
      key: link.connection.peerKey,
      otherKey: ownKey,
      ...facts,
    });

  function proof(link: Link): ProofMessage {
    dropOvertakenWish();
    const secret = members.shopKey();
    const codeKey = wish.codeKey();
    const asks = wish.approval() === link.peerKeyId;
    if (codeKey) codeShownOn.set(link, codeKey);
    const wantsIn = secret !== null || codeKey !== null || asks;
    return {
      type: 'proof',
      protocol: protocolRange,
      shop: config.shop,
      instance,
      proof: secret ? ours(link, 'shop_key', secret) : '',
      code: codeKey ? ours(link, 'code', codeKey) : undefined,
      asks: asks ? true : undefined,
      givesWay: secret && givesWay() ? true : undefined,
      name: wantsIn ? config.name : undefined,
      voucher: codeKey !== null || asks ? undefined : voucherFor(storage, ports.crypto.sha256, config.replicaId),
    };
  }

  function judge(link: Link, message: ProofMessage): Admission {
    const { peerKeyId } = link;
    link.instance = message.instance;
    protocolOf.set(link, message.protocol);
    if (message.name !== undefined) nameOf.set(link, message.name);
    dropOvertakenWish();
    if (peerKeyId === config.replicaId) return judgeOwnKey(message);
    const trust = members.trustOf(peerKeyId);
    if (trust === 'revoked') return refused('revoked', 'it was shut out of the shop');
    if (isHost(link, message)) return { kind: 'host' };
    // Who shows a code here though it is of the shop needs none.
    if (message.code !== undefined && trust === 'trusted' && message.shop === config.shop) return { kind: 'member' };
    if (message.code !== undefined) return judgeCode(link, message, message.code);
    const secret = members.shopKey();
    const holdsKey = secret !== null && isSameSecret(message.proof, theirs(link, 'shop_key', secret, message));
    if (holdsKey) keyProvedOn.set(link, secret);
    if (message.shop === config.shop)
      return trust === 'trusted' || holdsKey || isVouchedFor(peerKeyId, message)
        ? { kind: 'member' }
        : stranger(link, message);
    if (holdsKey) return judgeShops(link, message, secret);
    if (!message.asks) return stranger(link, message);
    if (trust === 'trusted') return newcomer(link, null);
    stranger(link, message);
    return refused('not_approved', 'it asks to be let in: compare the words on both pages, then approve it');
  }

  /** Our own address; or a copy of us, which runs at the same time. */
  const judgeOwnKey = (message: ProofMessage): Admission =>
    message.instance === instance
      ? refused('our_own_address', 'this is our own address')
      : refused('cloned', 'another appliance runs with the identity of this one');

  /** A wish of before this appliance was used, or others came to it, must not take it out of its shop. */
  function dropOvertakenWish(): void {
    const terms = wish.terms();
    if (!terms) return;
    const isNewlyUsed = !terms.bringBooks && hasOwnBooks(storage.handle());
    if (isNewlyUsed || members.othersThan(wish.approval()) > terms.others) wish.overtaken();
  }

  /** Where it is we who want to be let in. When both do, the shop of the smaller id stays. */
  function isHost(link: Link, message: ProofMessage): boolean {
    const isSmaller = config.replicaId < link.peerKeyId;
    const isTrusted = members.trustOf(link.peerKeyId) === 'trusted';
    if (wish.codeKey() !== null && isTrusted && message.shop === config.shop) wish.needlessAt(link.connection.address);
    else if (wish.codeKey() !== null) return message.code === undefined || !isSmaller;
    const isAsked = wish.approval() === link.peerKeyId && message.shop !== config.shop;
    if (!isAsked || message.code !== undefined) return false;
    return !(message.asks && isTrusted && isSmaller);
  }

  function judgeCode(link: Link, message: ProofMessage, code: string): Admission {
    const key = codes.use((candidate) => isSameSecret(code, theirs(link, 'code', candidate, message)));
    return key ? newcomer(link, key) : stranger(link, message);
  }

  /**
   * Two shops with one key: that which is no more than the key's gives way to the one that had it before, each appliance
   * of it for itself. Only while it was never used: a shop at work moves nowhere because somebody with the key says so.
   */
  function judgeShops(link: Link, message: ProofMessage, secret: Uint8Array): Admission {
    const [weAre, theyAre] = [members.isProvisional(config.shop), members.isProvisional(message.shop)];
    if (weAre && !theyAre && givesWay()) {
      grantedBy.set(link, secret);
      return { kind: 'host' };
    }
    return theyAre && !weAre && message.givesWay ? newcomer(link, secret) : stranger(link, message);
  }

  const givesWay = (): boolean => members.isProvisional(config.shop) && isUntouched(storage.handle());

  function newcomer(link: Link, secret: Uint8Array | null): Admission {
    if (wish.isGranted()) return refused('not_of_this_shop', notOfThisShop);
    grantedBy.set(link, secret);
    return { kind: 'newcomer' };
  }

  function stranger(link: Link, { shop, asks, name }: ProofMessage): Admission {
    const seen = link.role === 'dialer' ? { address: link.connection.address } : {};
    const from = link.connection.address.replace(/:[0-9]+$/, '');
    const told = { ...(asks && { asks }), ...(name !== undefined && { name }) };
    candidates.note(link.peerKeyId, { shop, from, ...seen, ...told });
    return refused('not_of_this_shop', notOfThisShop);
  }

  function isVouchedFor(replica: string, { voucher }: ProofMessage): boolean {
    if (voucher === undefined) return false;
    const known = storage.state().trust;
    // Of somebody who was revoked it proves nothing: he may have sealed it since, under a number of before.
    const said = readVoucher(ports.crypto, config.shop, voucher).filter(
      ({ origin }) => members.trustOf(replicaOf(origin)) === 'trusted',
    );
    return membershipOf(config.replicaId, [...known, ...said]).trustOf(replica) === 'trusted';
  }

  return {
    proof,
    judge,
    welcome(link) {
      const secret = grantedBy.get(link);
      return {
        type: 'welcome',
        shop: config.shop,
        name: config.name,
        proof: secret ? ours(link, 'welcome', secret) : '',
      };
    },
    hasShownCode: (link) => wish.codeKey() !== null && codeShownOn.get(link) === wish.codeKey(),
    nameOf: (link) => nameOf.get(link),
    hasProvedKey: (link) => members.shopKey() !== null && keyProvedOn.get(link) === members.shopKey(),
    viaOf(link) {
      const secret = grantedBy.get(link);
      if (!secret) return 'approval';
      return secret === members.shopKey() ? 'shop_key' : 'join_code';
    },
    isWelcome(link, message) {
      const secret = wish.codeKey() ?? grantedBy.get(link);
      if (!secret) return wish.approval() === link.peerKeyId;
      const facts = { protocol: protocolOf.get(link) ?? protocolRange, shop: message.shop };
      return isSameSecret(message.proof, theirs(link, 'welcome', secret, facts));
    },
  };
}

const otherRole = (role: Role): Role => (role === 'dialer' ? 'listener' : 'dialer');
const refused = (reason: CloseReason, detail: string): Admission => ({ kind: 'refused', reason, detail });
