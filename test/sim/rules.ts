// The rules B1 to B9, held against the appliances: the cheap ones after every event, the dear ones every so often and at
// the end, all of them from the ledger and the oracle, never from what an appliance says of itself.

import { covers, type Heads, replicaOf } from '../../src/core/heads.ts';
import { frameBytesMax, socketBufferBytesMax } from '../../src/core/limits.ts';
import { createDigestRule } from './digest-rule.ts';
import type { Host } from './host.ts';
import { type Held, isSuperseded, markersInSight } from './ledger.ts';
import { dotOf, type ExpectedBooks, type ExpectedRecord, expectedBooks } from './oracle.ts';
import { type BooksRead, booksText, firstDifference, readBooks } from './reading.ts';
import type { World } from './world.ts';

export type Rules = {
  afterEvent(): void;
  /** Everything that can be said of one host, or of two that hold the same. */
  checkAll(): void;
  /** The host's disk is another one now: what it accepted before may be lost, and its numbers may come twice. */
  replaced(host: Host): void;
};

/** Events between two dear checks. */
const dearEvery = 1500;

export function createRules(world: World): Rules {
  const { ledger, hosts, network } = world;
  const commitsSeen = new Map<string, string>();
  const excused = new Set<string>();
  const forked = new Set<string>();
  const headsSeen = new Map<string, Heads>();
  const digestRule = createDigestRule();
  let events = 0;
  let dearHost = 0;

  const afterEvent = (): void => {
    for (const host of hosts) {
      const commits = `${host.startCount()}/${host.commitCount()}`;
      if (!host.appliance() || commitsSeen.get(host.name) === commits) continue;
      if (commitsSeen.get(host.name)?.split('/')[0] !== String(host.startCount())) ledger.forget(host);
      commitsSeen.set(host.name, commits);
      for (const contradiction of ledger.learn(host, (origin) => forked.has(replicaOf(origin))))
        world.broken(contradiction);
    }
    for (const pair of network.connections()) {
      for (const end of pair) {
        if (end.bufferedBytes() > socketBufferBytesMax + frameBytesMax)
          world.broken(`B8 ${end.host} has ${end.bufferedBytes()} bytes waiting in one socket`);
      }
    }
    if (++events % dearEvery === 0) {
      const host = hosts[dearHost++ % hosts.length];
      if (host) check(host);
      checkEqualPairs(world);
    }
  };
  const check = (host: Host): void => {
    const books = host.appliance()?.books;
    if (!books || !host.isReady()) return;
    const heads = books.heads();
    const before = Object.entries(headsSeen.get(host.name) ?? {}).filter(([origin]) => !forked.has(replicaOf(origin)));
    if (!covers(heads, Object.fromEntries(before))) world.broken(`B1 ${host.name} held more before than it does now`);
    headsSeen.set(host.name, heads);
    const read = readBooks(books);
    checkHost(world, host, read, excused);
    const contradiction = digestRule.check(read, books.digests());
    if (contradiction) world.broken(`${contradiction} (${host.name})`);
  };
  return {
    afterEvent,
    checkAll: () => {
      for (const host of hosts) check(host);
      checkEqualPairs(world);
    },
    replaced: (host) => {
      for (const attempt of ledger.attempts.values()) if (attempt.host === host.name) excused.add(attempt.marker);
      forked.add(host.replicaId);
      headsSeen.delete(host.name);
    },
  };
}

function checkHost(world: World, host: Host, read: BooksRead, excused: ReadonlySet<string>): void {
  const held = world.ledger.held(host);
  checkAccepted(world, host, held, excused);
  const expected = expectedBooks(held.ops);
  checkFacts(world, host, expected, read);
  checkRecords(world, host, expected, read);
  checkConflicts(world, host, expected);
  checkGrowth(world, host);
}

/** B8: of records the journal keeps the ops that count, and hashes only beside ops that count. */
function checkGrowth(world: World, host: Host): void {
  const one = (sql: string): number => host.disk.rows<{ count: number }>(sql)[0]?.count ?? 0;
  const live = one('SELECT coalesce(sum(json_array_length(ops)), 0) AS count FROM records');
  const whole = one(`SELECT count(*) AS count FROM ops WHERE json_extract(header, '$.seen') IS NOT NULL`);
  const deferred = one('SELECT count(*) AS count FROM deferred');
  if (live + deferred !== whole)
    world.broken(`B8 ${host.name} keeps ${whole} ops of records: ${live} count, ${deferred} wait`);
  const orphans = one(`SELECT count(*) AS count FROM ops WHERE header IS NULL AND NOT EXISTS
    (SELECT 1 FROM commits WHERE ops.key BETWEEN commits.key / 1099511627776 * 1099511627776 + first AND commits.key AND live > 0)`);
  if (orphans > 0) world.broken(`B8 ${host.name} keeps ${orphans} hashes of ops whose commit is gone`);
}

/** B1: what was answered with 2xx is held, whatever happened since. B2: and once. */
function checkAccepted(world: World, host: Host, held: Held, excused: ReadonlySet<string>): void {
  const { books } = host.appliance() ?? {};
  if (!books) return;
  for (const attempt of world.ledger.attempts.values()) {
    if (attempt.host !== host.name || attempt.answer !== 'accepted' || excused.has(attempt.marker)) continue;
    const { entity, id, marker } = attempt;
    if (entity === 'ticket' && !books.ticket(id))
      world.broken(`B1 ${host.name} lost ticket ${id}, accepted as ${marker}`);
    if (entity === 'movement' && !books.movement(id))
      world.broken(`B1 ${host.name} lost movement ${id}, accepted as ${marker}`);
    const [op] = world.ledger.opsOf.get(marker) ?? [];
    if (op && !held.markers.has(marker) && !isSuperseded(op, held.ops))
      world.broken(
        `B1 ${host.name} accepted ${marker} (${entity} ${id}), ${dotOf(op)}, and no longer holds it; in sight are ${markersInSight(host, entity, id)}`,
      );
  }
}

/** B2 and B4: each ticket and movement once, the earliest of each id; stock is the sum of its movements. */
function checkFacts(world: World, host: Host, expected: ExpectedBooks, read: BooksRead): void {
  const { name } = host;
  sameKeys(world, `B2 tickets at ${name}`, expected.tickets, read.tickets);
  for (const [id, op] of expected.tickets) {
    const row = read.tickets.get(id);
    if (row && JSON.stringify(row.payload) !== op.payload)
      world.broken(`B2 ticket ${id} at ${name} is not the earliest, ${dotOf(op)}, but ${JSON.stringify(row.payload)}`);
  }
  sameKeys(world, `B2 movements at ${name}`, expected.movements, read.movements);
  const sums = new Map<string, number>();
  for (const { id, productId, kind, quantity } of read.movements.values()) {
    sums.set(productId, (sums.get(productId) ?? 0) + quantity);
    const wanted = expected.movements.get(id);
    if (wanted?.productId !== productId || wanted.kind !== kind || wanted.quantity !== quantity)
      world.broken(
        `B2 movement ${id} at ${name} is ${kind} ${quantity} of ${productId}, not ${JSON.stringify(wanted)}`,
      );
  }
  for (const [productId, sum] of sums) {
    const onHand = read.stock.get(productId)?.onHand;
    if (onHand !== sum) world.broken(`B4 stock of ${productId} at ${name} is ${onHand}, its movements make ${sum}`);
  }
  sameKeys(world, `B4 stock levels at ${name}`, expected.stock, read.stock);
  for (const [productId, sum] of expected.stock)
    if (sums.get(productId) !== sum)
      world.broken(`B4 movements of ${productId} at ${name} make ${sums.get(productId)}, not ${sum}`);
}

/** B5: the fields are those of the edits that nobody had seen, the latest of them. */
function checkRecords(world: World, host: Host, expected: ExpectedBooks, read: BooksRead): void {
  const living = new Map([...expected.records].filter(([, record]) => !record.deleted));
  sameKeys(world, `B5 records at ${host.name}`, living, read.records);
  for (const [key, record] of living) {
    const row = read.records.get(key);
    const differs = [...new Set([...Object.keys(record.fields), ...Object.keys(row?.fields ?? {})])].find(
      (field) => JSON.stringify(row?.fields[field]) !== JSON.stringify(record.fields[field]),
    );
    if (differs === undefined) continue;
    const [is, wanted] = [row?.fields[differs], record.fields[differs]].map((value) => JSON.stringify(value));
    world.broken(`B5 ${differs} of ${key} at ${host.name} is ${is}, not ${wanted}; written by${writersOf(record)}`);
  }
}

const writersOf = (record: ExpectedRecord): string =>
  record.ops
    .map((op) => `\n  ${dotOf(op)} ${op.stamp} ${op.payload} knowing ${[...op.knows].join(' ')} ${op.header}`)
    .join('');

/** B6: each edit that lost without having been seen is on record, and no other. */
function checkConflicts(world: World, host: Host, expected: ExpectedBooks): void {
  const wanted = new Map<string, ExpectedRecord>();
  for (const record of expected.records.values())
    for (const loser of record.losers) wanted.set(`${record.entity}/${record.id} ${loser}`, record);
  const rows = host.disk.rows<{ entity: string; record_id: string; fields: string; loser: string }>(
    `SELECT entity, record_id, fields, loser FROM conflicts WHERE kind = 'field' AND resolved_at IS NULL`,
  );
  const told = new Set<string>();
  for (const { entity, record_id, fields, loser } of rows)
    for (const field of JSON.parse(fields) as string[])
      told.add(`${entity}/${record_id} ${field} ${dotOf(JSON.parse(loser))}`);
  for (const [conflict, record] of wanted)
    if (!told.has(conflict))
      world.broken(`B6 ${host.name} does not tell that ${conflict} lost; written by${writersOf(record)}`);
  for (const conflict of told) {
    const record = expected.records.get(conflict.split(' ')[0] ?? '');
    // What was written again after a fork is no longer known to have been seen: that tells a conflict too many.
    const isRewritten = record?.ops.some(({ marker }) => (world.ledger.opsOf.get(marker)?.length ?? 0) > 1);
    if (!wanted.has(conflict) && !isRewritten)
      world.broken(
        `B6 ${host.name} tells a conflict that is none: ${conflict}; written by${record ? writersOf(record) : ''}`,
      );
  }
}

/**
 * B3: the same heads mean the same digests and, row for row, the same books. Of an op that came as its hash only, and
 * what superseded it not yet, one of two has the older value: until that comes they cannot be compared.
 */
function checkEqualPairs(world: World): void {
  const first = new Map<string, Host>();
  for (const host of world.hosts) {
    if (!host.isReady()) continue;
    const heads = chainHeads(host);
    const known = first.get(heads);
    if (!known) first.set(heads, host);
    else if (world.ledger.held(known).isComplete && world.ledger.held(host).isComplete) checkEqual(world, known, host);
    else world.trace.count(world.loop.now(), host.name, 'equal heads, incomplete');
  }
}

function checkEqual(world: World, a: Host, b: Host): void {
  const [mine, theirs] = [a.appliance()?.books, b.appliance()?.books];
  if (!mine || !theirs) return;
  const texts = [booksText(readBooks(mine)), booksText(readBooks(theirs))] as const;
  if (texts[0] !== texts[1])
    world.broken(`B3 ${a.name} and ${b.name} hold the same ops and differ: ${firstDifference(...texts)}`);
  const digests = [JSON.stringify(mine.digests()), JSON.stringify(theirs.digests())];
  if (digests[0] !== digests[1]) world.broken(`B3 ${a.name} and ${b.name} have other digests: ${digests.join(' ')}`);
}

/** Numbers alone do not tell: of a forked origin two may hold as many ops, and others. */
const chainHeads = (host: Host): string =>
  host.disk
    .rows<{ head: string }>(`SELECT origin || ' ' || head || ' ' || hex(head_hash) AS head FROM origins WHERE head > 0`)
    .map(({ head }) => head)
    .sort()
    .join(' ');

/** Whether all that run hold the same. */
export function isSettled(world: World): boolean {
  const running = world.hosts.filter((host) => host.isUp());
  const heads = new Set(running.map((host) => (host.isReady() ? chainHeads(host) : host.name)));
  return heads.size <= 1;
}

function sameKeys(
  world: World,
  what: string,
  wanted: ReadonlyMap<string, unknown>,
  found: ReadonlyMap<string, unknown>,
): void {
  for (const key of wanted.keys()) if (!found.has(key)) world.broken(`${what}: ${key} is missing`);
  for (const key of found.keys()) if (!wanted.has(key)) world.broken(`${what}: ${key} should not be there`);
}
