// The certificate of the appliance's key: kept while it is good for the names that the appliance answers under, for whoever
// has imported it would have to do so again. Addresses come and go: it has those of the day on which it was made.

import { networkInterfaces } from 'node:os';
import type { Settings } from '../config.ts';
import { certificateAddressesMax } from '../core/limits.ts';
import { namesForCertificate } from '../edges/http/hosts.ts';
import { keepCertificate } from '../edges/identity.ts';
import { createCertificate, isCertificateFor } from '../edges/peer/certificate.ts';
import type { Credentials } from '../edges/peer/channel.ts';
import type { House } from './house.ts';
import { namesOf } from './served-origins.ts';

/** Making one takes a moment, and a library that is loaded for it alone. */
export async function certificateOf(
  settings: Settings,
  { folder, identity }: House,
): Promise<Credentials | { detail: string }> {
  const { privateKeyPem, replicaId } = identity;
  const names = namesForCertificate(namesOf(settings));
  const kept = identity.certificatePem;
  if (kept && isCertificateFor(kept, names)) return { privateKeyPem, certificatePem: kept };
  const addresses = Object.values(networkInterfaces()).flatMap((at = []) => at.map(({ address }) => address));
  const goodFor = [...new Set([...names, ...addresses.slice(0, certificateAddressesMax)])];
  const certificatePem = await createCertificate(privateKeyPem, replicaId, goodFor);
  return keepCertificate(folder, certificatePem) ?? { privateKeyPem, certificatePem };
}
