// The second peer's word on a snapshot: whether its chain heads, and where heads are equal its digests, are what the maker
// signed. What it does not hold itself it says nothing of.

import { isSameHeads } from '../core/heads.ts';
import type { SnapshotCheckMessage } from '../core/message.ts';
import { compareBranch } from '../storage/branch.ts';
import type { Storage } from '../storage/storage.ts';

/** What is otherwise here, as words; "" when nothing is. */
export function differenceFrom(storage: Storage, { heads, hashes, digests }: SnapshotCheckMessage): string {
  const { statements } = storage.handle();
  const { origins } = storage.state();
  for (const [origin, number] of Object.entries(heads)) {
    const known = origins.get(origin);
    if (known && compareBranch(statements, known, number, hashes[origin] ?? '-') === 'fork')
      return `the history of ${origin}`;
  }
  if (!isSameHeads(heads, storage.books.heads())) return '';
  const own: Record<string, string> = { ...storage.books.digests() };
  return Object.keys(own)
    .filter((part) => own[part] !== digests[part])
    .join(', ');
}
