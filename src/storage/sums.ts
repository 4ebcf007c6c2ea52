// Whether the digests that a database carries are those of its rows, as far as that is cheap: products and customers by
// the version of each, tickets and movements by their number. What the rows themselves say is looked at in recheck.ts.

import { addTerm, digestZero } from '../core/digest.ts';
import type { Handle } from './open.ts';

/** What is not as it should be, as a sentence without its subject; undefined when all is. */
export function wrongSum({ database, state }: Handle): string | undefined {
  for (const [part, entity] of [
    ['products', 'product'],
    ['customers', 'customer'],
  ] as const) {
    const sum = digestZero();
    let count = 0;
    const versions = database
      .prepare<[string], string>('SELECT version FROM records WHERE +entity = ? AND deleted = 0')
      .pluck();
    for (const version of versions.all(entity) as string[]) {
      addTerm(sum, Buffer.from(version, 'hex'));
      count += 1;
    }
    const isSame = count === state.counts[part] && sum.every((word, index) => word === state.sums[part][index]);
    if (!isSame) return `its ${part} are not those of its digest`;
  }
  const counted = database
    .prepare<[], { tickets: number; movements: number }>(
      'SELECT (SELECT count(*) FROM tickets) AS tickets, (SELECT count(*) FROM movements) + (SELECT ifnull(sum(movements), 0) FROM tickets) AS movements',
    )
    .get();
  for (const part of ['tickets', 'movements'] as const)
    if (counted?.[part] !== state.counts[part]) return `its ${part} are not those of its digest`;
  return undefined;
}
