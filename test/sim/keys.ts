// P-256 keys from the seed, so that replica ids replay exactly. Signatures are real (ECDSA by the runtime: right, slow,
// and each time different bytes of one length), or stand-ins that nobody inside the simulation can forge either: a
// keyed hash under a key that appliances never see.

import { createECDH, createHash, createHmac, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { base32, replicaIdChars } from '../../src/core/identity.ts';
import type { Crypto, ShopOfKey, Signer } from '../../src/ports.ts';
import type { Dice } from './dice.ts';

export type Keyring = { crypto: Crypto; createSigner(dice: Dice): Signer };

const sha256 = (input: Uint8Array | string): Uint8Array => new Uint8Array(createHash('sha256').update(input).digest());
const hmacSha256 = (key: Uint8Array, input: Uint8Array | string): Uint8Array =>
  new Uint8Array(createHmac('sha256', key).update(input).digest());

/** Quick, for its slowness is of no use here. */
const shopOfKey = (text: string): ShopOfKey => ({
  shop: base32(sha256(`shop ${text}`)).slice(0, replicaIdChars),
  key: sha256(`key ${text}`),
});

export function createKeyring(kind: 'real' | 'stand_in'): Keyring {
  if (kind === 'real')
    return { crypto: { sha256, hmacSha256, verify: verifyReally, shopOfKey }, createSigner: realSigner };
  const secret = sha256('known to the simulation alone');
  const signatureOf = (publicKey: Uint8Array, message: Uint8Array): Uint8Array => {
    const half = hmacSha256(secret, Buffer.concat([publicKey, message]));
    return new Uint8Array(Buffer.concat([half, sha256(half)]));
  };
  return {
    crypto: {
      sha256,
      hmacSha256,
      shopOfKey,
      verify: (publicKey, message, signature) => Buffer.from(signatureOf(publicKey, message)).equals(signature),
    },
    createSigner: (dice) => {
      const { publicKey } = keyPair(dice);
      return { publicKey, sign: (message) => signatureOf(publicKey, message) };
    },
  };
}

function keyPair(dice: Dice): { scalar: Buffer; publicKey: Uint8Array } {
  const scalar = Buffer.from(dice.bytes(32));
  scalar[0] = 0x7f & (scalar[0] ?? 0); // below the order of the curve
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(scalar);
  return { scalar, publicKey: new Uint8Array(pair.getPublicKey()) };
}

const pointOf = (publicKey: Uint8Array) => ({
  kty: 'EC',
  crv: 'P-256',
  x: Buffer.from(publicKey.subarray(1, 33)).toString('base64url'),
  y: Buffer.from(publicKey.subarray(33)).toString('base64url'),
});

function realSigner(dice: Dice): Signer {
  const { scalar, publicKey } = keyPair(dice);
  const key = createPrivateKey({ format: 'jwk', key: { ...pointOf(publicKey), d: scalar.toString('base64url') } });
  return {
    publicKey,
    sign: (message) => new Uint8Array(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })),
  };
}

function verifyReally(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ format: 'jwk', key: pointOf(publicKey) });
    return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}
