// The second peer's word on a snapshot: whether its chain heads, and where both hold the same of the books its digests, are
// what the maker signed. What it does not hold itself it says nothing of.

import { type Heads, numberAt } from '../core/heads.ts';
import { trustEntity } from '../core/membership.ts';
import type { SnapshotCheckMessage } from '../core/message.ts';
import { parseHeader } from '../core/op.ts';
import { compareBranch } from '../storage/branch.ts';
import type { Storage } from '../storage/storage.ts';
import { keyOf } from '../storage/unit.ts';

/** What is otherwise here, as words; "" when nothing is. */
export function differenceFrom(storage: Storage, { heads, hashes, digests }: SnapshotCheckMessage): string {
  const { statements } = storage.handle();
  const { origins } = storage.state();
  for (const [origin, number] of Object.entries(heads)) {
    const known = origins.get(origin);
    if (known && compareBranch(statements, known, number, hashes[origin] ?? '-') === 'fork')
      return `the history of ${origin}`;
  }
  if (!isSameBooks(storage, heads)) return '';
  const own: Record<string, string> = { ...storage.books.digests() };
  return Object.keys(own)
    .filter((part) => own[part] !== digests[part])
    .join(', ');
}

/** Words on who is of the shop are in no digest, and somebody new gives cause for them: so many are looked through. */
const trustWordsMax = 64;

/** Whether we hold what these heads hold, and beyond that nothing but words on who is of the shop. */
function isSameBooks(storage: Storage, heads: Heads): boolean {
  const { statements } = storage.handle();
  const { origins } = storage.state();
  if (Object.keys(heads).some((origin) => numberAt(heads, origin) > (origins.get(origin)?.head ?? 0))) return false;
  return [...origins.values()].every(({ origin, index, head }) => {
    const number = numberAt(heads, origin);
    if (head - number > trustWordsMax) return false;
    const ops = statements.opsBetween.all(keyOf(index, number + 1), keyOf(index, head));
    return ops.length === head - number && ops.every(({ header }) => isTrustWord(header ?? ''));
  });
}

function isTrustWord(text: string): boolean {
  const header = parseHeader(text);
  return typeof header === 'object' && header.entity === trustEntity;
}
