// The appliance's self-made certificate (X.509 v3, P-256). Nobody trusts it for its signature or its dates: it carries
// the key into the TLS handshake. Between appliances the key alone counts; a till or a browser that has imported it looks for
// the name that it asked for. Valid from 2000, because a Pi without a network thinks it is 1970 or last spring.

import crypto, { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

const notBefore = new Date(Date.UTC(2000, 0, 1));
const notAfter = new Date(Date.UTC(2100, 0, 1));
const serverAuthentication = '1.3.6.1.5.5.7.3.1';
const clientAuthentication = '1.3.6.1.5.5.7.3.2';

/**
 * PEM of a new certificate of the replica id, good for these names and addresses. Costs some 40 ms, most of it for loading
 * the library.
 */
export async function createCertificate(
  privateKeyPem: string,
  replicaId: string,
  names: readonly string[] = [],
): Promise<string> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const subtle = crypto.webcrypto.subtle;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const privateKey = createPrivateKey(privateKeyPem);
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${replicaId}`,
      notBefore,
      notAfter,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      keys: {
        privateKey: await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
        publicKey: await subtle.importKey('spki', spki, algorithm, true, ['verify']),
      },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([serverAuthentication, clientAuthentication]),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names.map(generalName))] : []),
      ],
    },
    crypto.webcrypto,
  );
  return certificate.toString('pem');
}

const generalName = (name: string) => ({ type: isIP(name) ? ('ip' as const) : ('dns' as const), value: name });

/** Whether whoever asks for any of these names or addresses finds it good. */
export function isCertificateFor(pem: string, names: readonly string[]): boolean {
  const certificate = new X509Certificate(pem);
  return names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined);
}
