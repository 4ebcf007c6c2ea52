// Proof of the shop key, bound to one TLS channel: an HMAC over the channel's exporter, both public keys, the role and
// the protocol range. It cannot be replayed on another channel, reflected at its sender, or moved by somebody who sits in
// the middle with certificates of his own.

import type { ProtocolRange, Role } from '../core/message.ts';
import { hex } from '../core/op.ts';
import type { Connection, Crypto } from '../ports.ts';

export function proofText(
  crypto: Crypto,
  shopKey: Uint8Array,
  connection: Pick<Connection, 'channelBinding'>,
  claim: { role: Role; key: Uint8Array; otherKey: Uint8Array; protocol: ProtocolRange },
): string {
  const { role, key, otherKey, protocol } = claim;
  const parts = [
    'tillmesh-proof-1',
    role,
    hex(connection.channelBinding),
    hex(key),
    hex(otherKey),
    `${protocol.min}-${protocol.max}`,
  ];
  return hex(crypto.hmacSha256(shopKey, parts.join('\n')));
}

/** Compares in a time that does not depend on where the texts differ. */
export function isSameSecret(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
