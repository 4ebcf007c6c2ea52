// The claim code, kept in the data folder until somebody has made the first admin with it. There is none where the books
// hold an admin already, where a token is configured, or in a shop that was joined: then somebody else is the owner.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasAdmin } from '../commands/user-record.ts';
import type { Books } from '../core/books.ts';
import { type Claim, claimCodeOf, claimCodePattern, createClaim, plainCode, shownCode } from '../edges/http/claim.ts';
import { systemRandom } from '../edges/system.ts';
import type { Log } from '../ports.ts';

export type OpenClaim = {
  readonly claim: Claim;
  /** As a person is to read it. */
  readonly shown: string;
};

export const claimCodeFileName = 'claim-code';

export function openClaim(
  folder: string,
  books: Books,
  { isOwned, log }: { isOwned: boolean; log: Log },
): OpenClaim | null {
  const path = join(folder, claimCodeFileName);
  const forget = (): void => forgetCode(path, log);
  if (isOwned || hasAdmin(books)) {
    forget();
    return null;
  }
  const code = readCode(path) ?? makeCode(path, log);
  return { claim: createClaim(code, forget), shown: shownCode(code) };
}

function readCode(path: string): string | undefined {
  try {
    const code = plainCode(readFileSync(path, 'utf8'));
    return claimCodePattern.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** One that cannot be kept is good until the next start. */
function makeCode(path: string, log: Log): string {
  const code = claimCodeOf(systemRandom.bytes(10));
  try {
    rmSync(path, { force: true });
    writeFileSync(path, `${shownCode(code)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    log.error('the claim code could not be kept in the data folder', { error: String(error) });
  }
  return code;
}

/** A code that stays on disk is refused all the same: the books hold an admin by then. */
function forgetCode(path: string, log: Log): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    log.warn('the used claim code could not be removed from the data folder', { error: String(error) });
  }
}
