// What both ends of the mesh's TLS channel agree on: TLS 1.3, a certificate on each side, and that the key in it is all
// that counts. Signatures and dates of certificates are not looked at; that the other end holds the key, TLS has proved.

import type { TLSSocket } from 'node:tls';
import { publicKeyBytes } from '../../core/identity.ts';

/** Of our own appliance, in PEM. */
export type Credentials = { readonly privateKeyPem: string; readonly certificatePem: string };

export const meshPath = '/mesh';
export const meshProtocol = 'tillmesh';

export const channelOptions = ({ privateKeyPem, certificatePem }: Credentials) =>
  ({
    key: privateKeyPem,
    cert: certificatePem,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  }) as const;

export type ChannelFacts = { readonly peerKey: Uint8Array; readonly channelBinding: Uint8Array };

/** Undefined when the other end showed no certificate, one with another kind of key than P-256, or is gone. */
export function channelFactsOf(socket: TLSSocket): ChannelFacts | undefined {
  try {
    const key = socket.getPeerX509Certificate()?.publicKey;
    if (key?.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined;
    // As coordinates, because a certificate may hold the same point in several forms.
    const { x = '', y = '' } = key.export({ format: 'jwk' });
    const peerKey = new Uint8Array([4, ...Buffer.from(x, 'base64url'), ...Buffer.from(y, 'base64url')]);
    if (peerKey.length !== publicKeyBytes) return undefined;
    // Without a context, and with an empty one, TLS 1.3 exports the same.
    const channelBinding = socket.exportKeyingMaterial(channelBindingBytes, 'EXPORTER-tillmesh', Buffer.alloc(0));
    return { peerKey, channelBinding: new Uint8Array(channelBinding) };
  } catch {
    return undefined;
  }
}

const channelBindingBytes = 32;
