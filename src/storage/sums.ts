// Whether a database holds what its maker signed, looked at in steps before it counts: heads and chain heads; and whether
// the digests are those of its rows, as far as that is cheap: products and customers by the version of each, the stock by
// its levels, tickets and movements by their number. What the rows themselves say is looked at in recheck.ts.

import { addTerm, digestText, digestZero } from '../core/digest.ts';
import { replicaOf } from '../core/heads.ts';
import { hex, parseHeader, parsePayload } from '../core/op.ts';
import type { SnapshotFacts } from '../core/snapshot.ts';
import type { Crypto } from '../ports.ts';
import { createMemory } from './memory.ts';
import type { Handle } from './open.ts';
import { type StorageState, type SummedPart, summedParts } from './state.ts';
import { levelsAfter, restoreStock } from './stock.ts';
import { stockText } from './stock-sum.ts';
import { indexOfKey } from './unit.ts';
import { forkEntity, readStatement, voidsOf, withStatement } from './voids.ts';

/** Heads, chain heads and digests of a database, to be signed or compared. */
export function factsOf(state: StorageState, digests: Record<string, string>): SnapshotFacts {
  const held = [...state.origins.values()].filter(({ head }) => head > 0);
  return {
    heads: Object.fromEntries(held.map(({ origin, head }) => [origin, head])),
    hashes: Object.fromEntries(held.map(({ origin, hash }) => [origin, hex(hash)])),
    digests,
  };
}

type Steps<Result> = Generator<undefined, Result>;

/** What is not as it should be, in words that go on from "it"; undefined when all is. */
export function* wrongFact(handle: Handle, crypto: Crypto, facts: SnapshotFacts): Steps<string | undefined> {
  const { state } = handle;
  const digests: Record<string, string> = { stock: yield* stockDigest(handle, crypto) };
  for (const part of summedParts) digests[part] = hex(crypto.sha256(digestText(state.sums[part], state.counts[part])));
  const found = factsOf(state, digests);
  const differing = (['heads', 'hashes', 'digests'] as const).filter((name) => !isSameMap(found[name], facts[name]));
  if (differing.length > 0) return `its ${differing.join(', ')} are not what its maker signed`;
  return yield* wrongSum(handle);
}

type Flat = { readonly [key: string]: string | number };

const isSameMap = (a: Flat, b: Flat): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([key, value]) => b[key] === value);

function* stockDigest({ statements, state }: Handle, crypto: Crypto): Steps<string> {
  const { stock } = createMemory();
  restoreStock(statements, state, stock);
  const sum = digestZero();
  let rows = 0;
  for (const [product, { onHand }] of levelsAfter(statements, stock, '')) {
    addTerm(sum, crypto.sha256(stockText(product, onHand)));
    rows += 1;
    yield;
  }
  return hex(crypto.sha256(digestText(sum, rows)));
}

const rowsPerStep = 64;

function* wrongSum({ database, state }: Handle): Steps<string | undefined> {
  const sums = { products: digestZero(), customers: digestZero() };
  const counts: Record<SummedPart, number> = { products: 0, customers: 0, tickets: 0, movements: 0 };
  const versions = database
    .prepare<[], [entity: string, version: string]>('SELECT entity, version FROM records WHERE deleted = 0')
    .raw();
  let step = 0;
  for (const [entity, version] of versions.iterate() as Iterable<[string, string]>) {
    const part = entity === 'product' ? 'products' : entity === 'customer' ? 'customers' : undefined;
    if (!part) continue;
    addTerm(sums[part], Buffer.from(version, 'hex'));
    counts[part] += 1;
    if (++step % rowsPerStep === 0) yield;
  }
  const tickets = database.prepare<[], number>('SELECT movements FROM tickets').pluck();
  for (const movements of tickets.iterate() as Iterable<number>) {
    counts.tickets += 1;
    counts.movements += movements;
    if (++step % rowsPerStep === 0) yield;
  }
  counts.movements += database.prepare<[], number>('SELECT count(*) FROM movements').pluck().get() as number;
  const wrong =
    summedParts.find((part) => counts[part] !== state.counts[part]) ??
    (['products', 'customers'] as const).find((part) => sums[part].some((word, at) => word !== state.sums[part][at]));
  return wrong && `its ${wrong} are not those of its digest`;
}

/** What an origin's author has said of its forks closes that origin: it counts when an op of that author says so. */
export function* wrongVoids({ database, state }: Handle): Steps<string | undefined> {
  if (Object.keys(state.voids).length === 0 && state.forks.length === 0) return undefined;
  let told = voidsOf({}, []);
  const statements = new Set<string>();
  const ops = database.prepare<[], { key: number; header: string; payload: string | Buffer }>(
    'SELECT key, header, payload FROM ops WHERE header IS NOT NULL',
  );
  for (const { key, header, payload } of ops.iterate()) {
    yield;
    if (!header.includes(forkEntity) || typeof payload !== 'string') continue;
    const parsed = parseHeader(header);
    const body = parsePayload(payload);
    if (typeof parsed === 'string' || parsed.entity !== forkEntity || typeof body === 'string') continue;
    const statement = readStatement(body);
    const author = state.originsByIndex.get(indexOfKey(key))?.origin ?? '';
    if (!statement || replicaOf(statement.origin) !== replicaOf(author)) continue;
    told = withStatement(told, statement);
    statements.add(JSON.stringify(statement));
  }
  const isTold =
    Object.entries(state.voids).every(([origin, end]) => told.voids[origin] === end) &&
    state.forks.every((statement) => statements.has(JSON.stringify(statement)));
  return isTold ? undefined : 'it tells of forks of which their authors have said nothing';
}
