// Proofs of a shared secret, the shop key or a join code, bound to one TLS channel: an HMAC over the channel's exporter,
// both public keys, the role, the protocol range and the shop. It cannot be replayed on another channel, reflected at its
// sender, or moved by somebody who sits in the middle with certificates of his own; the secret itself is never sent.

import type { ProtocolRange, Role } from '../../core/message.ts';
import { hex } from '../../core/op.ts';
import type { Connection, Crypto } from '../../ports.ts';

export type Claim = {
  readonly what: 'shop_key' | 'code' | 'welcome';
  /** Of whoever proves, as are `key` and `protocol`. */
  readonly role: Role;
  readonly key: Uint8Array;
  readonly otherKey: Uint8Array;
  readonly protocol: ProtocolRange;
  readonly shop: string;
};

/** 64 hex digits. */
export function proofText(
  crypto: Pick<Crypto, 'hmacSha256'>,
  secret: Uint8Array,
  connection: Pick<Connection, 'channelBinding'>,
  { what, role, key, otherKey, protocol, shop }: Claim,
): string {
  const parts = [
    'tillmesh-proof-2',
    what,
    role,
    hex(connection.channelBinding),
    hex(key),
    hex(otherKey),
    `${protocol.min}-${protocol.max}`,
    shop,
  ];
  return hex(crypto.hmacSha256(secret, parts.join('\n')));
}

/** Compares in a time that does not depend on where the texts differ. */
export function isSameSecret(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}

/** HKDF-SHA256 (RFC 5869) for 32 bytes: a key for proofs from a secret with enough chance in it. */
export function deriveKey(crypto: Pick<Crypto, 'hmacSha256'>, secret: string, purpose: string): Uint8Array {
  const pseudoRandomKey = crypto.hmacSha256(new TextEncoder().encode('tillmesh'), secret);
  return crypto.hmacSha256(pseudoRandomKey, `${purpose}\u0001`);
}
