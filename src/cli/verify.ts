// The command `verify`: every seal, every chain and the whole state folded anew, on a copy, so that an appliance may go on
// running meanwhile. Changes nothing; the copy lies in the data folder while it is checked.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config.ts';
import { openIdentity } from '../edges/identity.ts';
import { createSystemCrypto, systemRandom } from '../edges/system.ts';
import { describe } from '../storage/open.ts';
import { copyDatabase, type VerifyReport, verifyCopy } from '../storage/verify.ts';
import { columns } from './command-line.ts';
import { databasePathIn, openDatabaseFor } from './house.ts';

type Told = { ok: true; text: string } | { ok: false; detail: string };

const refused = (detail: string): Told => ({ ok: false, detail });

export function verifyBooks({ data }: Settings): Told {
  const databasePath = databasePathIn(data);
  if (!existsSync(databasePath))
    return refused(`there are no books in the data folder ${data}; name another with --data`);
  const crypto = createSystemCrypto();
  const opened = openIdentity(data, { random: systemRandom, sha256: crypto.sha256 }, { mayCreate: false });
  if (!opened.ok) return refused(opened.detail);
  const loaded = openDatabaseFor(data);
  if (!loaded.ok) return loaded;
  const { signer, replicaId } = opened.identity;
  const { openDatabase } = loaded;
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(data, 'verify-'));
    const copy = join(folder, 'books.db');
    copyDatabase(openDatabase, databasePath, copy);
    return told(databasePath, verifyCopy({ crypto, signer, openDatabase }, copy, replicaId));
  } catch (error) {
    return refused(describe(error, databasePath).detail);
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true });
  }
}

function told(databasePath: string, { findings, origins, ops, counts }: VerifyReport): Told {
  if (findings.length > 0) {
    const lines = findings.map(({ check, detail }) => `  ${check}: ${detail}`);
    const remedy = 'put the folder aside and let the peers fill a new one, or restore a backup';
    return refused([`${databasePath} is not what it should be; ${remedy}:`, ...lines].join('\n'));
  }
  const books = Object.entries(counts).map(([part, count]) => `${count} ${part}`);
  return {
    ok: true,
    text: [
      ...columns([
        ['checked', `a copy of ${databasePath}`],
        ['journal', `${ops} ops of ${origins} origins: every seal and every chain holds`],
        ['books', `${books.join(', ')}: the same when folded anew from the journal`],
      ]),
      'All is as it should be.',
    ].join('\n'),
  };
}
