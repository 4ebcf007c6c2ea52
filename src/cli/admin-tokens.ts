// The admin tokens that are good now, as hashes: the configured one, the one kept in identity.json (which `token admin`
// may replace while we run), and the console's own.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { hex } from '../core/op.ts';
import { openIdentity } from '../edges/identity.ts';
import { systemRandom } from '../edges/system.ts';
import type { House } from './house.ts';

/** Asked at every request of an admin. */
export type AdminTokenHashes = () => readonly string[];

export function createAdminTokenHashes(
  house: House,
  configured: string | null,
  consoleToken: string,
): AdminTokenHashes {
  const { folder, crypto } = house;
  const fixed = [configured, consoleToken].flatMap((token) => (token === null ? [] : [hex(crypto.sha256(token))]));
  const file = join(folder, 'identity.json');
  // Read at the first request: the start itself may make a token after it has read the identity.
  let stampSeen = '';
  let hashes = fixed;
  return () => {
    const stamp = stampOf(file);
    if (stamp === stampSeen) return hashes;
    const opened = openIdentity(folder, { random: systemRandom, sha256: crypto.sha256 }, { mayCreate: false });
    // Unreadable for a moment, or for good: what was known stays, and is asked again.
    if (!opened.ok) return hashes;
    stampSeen = stamp;
    const { adminTokenHash } = opened.identity;
    hashes = adminTokenHash === null ? fixed : [...fixed, adminTokenHash];
    return hashes;
  };
}

/** Changes with every writing of the file. */
function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.mtimeMs}` : '';
}
