// What really happened, kept beside the appliances: every attempt to write and how it was answered, and every op that
// stood in any journal. An op has one author and one content; whatever contradicts that is told.

import { covers, type Heads } from '../../src/core/heads.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Host } from './host.ts';
import { dotOf, type JournalOp, knew } from './oracle.ts';

export type Attempt = {
  readonly marker: string;
  readonly host: string;
  readonly entity: string;
  readonly id: string;
  /** Attempts whose edits made up the record as the author saw it when it last decided. */
  saw: readonly string[];
  /** How many ops it wanted to write when it last decided. */
  draftCount: number;
  /** accepted: answered with 2xx; unknown: no answer, or one that says so. */
  answer: 'waiting' | 'accepted' | 'refused' | 'unknown';
};

export type Ledger = {
  readonly attempts: Map<string, Attempt>;
  /** Ops by dot; more than one where an origin was forked. */
  readonly ops: Map<string, JournalOp[]>;
  /** Ops by attempt: more than one when they were written again under another epoch. */
  readonly opsOf: Map<string, JournalOp[]>;
  /** Reads what is new in a host's journal. Returns what contradicts. */
  learn(host: Host, mayFork: (origin: string) => boolean): string[];
  /** The host's journal may be another one now: it is read anew. */
  forget(host: Host): void;
  /**
   * Every op that a host holds, by its heads. Left out are ops of records that wait for what their author had seen, and
   * those of which only the hash came, because another op has superseded them: the fields are the other's to set.
   * `isComplete` tells that nothing waits and that those others have come here, too.
   */
  held(host: Host): Held;
};

export type Held = {
  readonly ops: JournalOp[];
  readonly markers: ReadonlySet<string>;
  readonly isComplete: boolean;
};

type ArrivalRow = { seq: number; origin: string; number: number; header: string | null; payload: string | Buffer };

const arrivals = `SELECT changes.seq, origins.origin, changes.op % 1099511627776 AS number, ops.header, ops.payload
  FROM changes JOIN ops ON ops.key = changes.op JOIN origins ON origins.number = changes.op / 1099511627776
  WHERE changes.seq > ? ORDER BY changes.seq`;

const wholeRecordOps = `SELECT origins.origin, ops.key % 1099511627776 AS number
  FROM ops JOIN origins ON origins.number = ops.key / 1099511627776 WHERE json_extract(header, '$.seen') IS NOT NULL`;

const deferredOps = `SELECT origins.origin, deferred.op % 1099511627776 AS number
  FROM deferred JOIN origins ON origins.number = deferred.op / 1099511627776`;

const liveMarkers = `SELECT json_extract(ops.payload, '$.by') AS marker
  FROM records JOIN json_each(records.ops) AS live JOIN ops ON ops.key = live.value WHERE records.entity = ? AND records.id = ?`;

/** Attempts whose edits are what a reader of the record sees at a host, also in the middle of a commit there. */
export const markersInSight = (host: Host, entity: string, id: string): string[] =>
  host.disk.rows<{ marker: string }>(liveMarkers, entity, id).map(({ marker }) => marker);

/** What somebody saw, what the authors of that had seen, and so on. */
function knownTo(attempt: Attempt, attempts: ReadonlyMap<string, Attempt>): ReadonlySet<string> {
  const known = new Set<string>();
  const left = [...attempt.saw];
  for (let marker = left.pop(); marker !== undefined; marker = left.pop()) {
    if (known.has(marker)) continue;
    known.add(marker);
    left.push(...(attempts.get(marker)?.saw ?? []));
  }
  return known;
}

/** Whether a host with these heads holds all that an op's author says to have seen. */
const isCovered = (op: JournalOp, heads: Heads): boolean =>
  covers(heads, (JSON.parse(op.header) as { seen?: Heads }).seen ?? {});

/** While a fork is not mended, what has seen numbers of that origin may wait, though the host holds such numbers. */
const namesAny = (op: JournalOp, test: (origin: string) => boolean): boolean =>
  Object.keys((JSON.parse(op.header) as { seen?: Heads }).seen ?? {}).some(test);

const isRecordOp = (op: JournalOp): boolean => op.content.set !== undefined;

/** Whether others, whose authors knew this op, have written every field that it wrote. */
export function isSuperseded(op: JournalOp, others: readonly JournalOp[]): boolean {
  if (!isRecordOp(op)) return false;
  const later = others.filter(
    (other) => other.entity === op.entity && other.id === op.id && other !== op && knew(other, op),
  );
  const fields = Object.keys(op.content.set as JsonObject);
  return fields.every((field) => later.some((other) => field in (other.content.set as JsonObject)));
}

export function createLedger(): Ledger {
  const attempts = new Map<string, Attempt>();
  const ops = new Map<string, JournalOp[]>();
  const opsOf = new Map<string, JournalOp[]>();
  const readTo = new Map<string, number>();
  let canFork = (_origin: string): boolean => false;

  const learnRow = (host: Host, row: ArrivalRow, mayFork: (origin: string) => boolean): string | undefined => {
    if (row.header === null || typeof row.payload !== 'string') return undefined;
    const dot = dotOf(row);
    const variants = ops.get(dot) ?? [];
    if (variants.some((op) => op.header === row.header && op.payload === row.payload)) return undefined;
    const op = readOp(row as ArrivalRow & { header: string; payload: string }, attempts);
    if (op?.entity === 'fork' && !mayFork(row.origin))
      return `B3 ${host.name} tells of a fork that never was: ${row.payload}`;
    if (!op) return `B1 an op in the journal of ${host.name} that nobody wrote: ${dot} ${row.header} ${row.payload}`;
    if (variants.length > 0 && !mayFork(row.origin))
      return `B1 number ${dot} has two contents: ${variants[0]?.payload} and at ${host.name} ${row.payload}`;
    const late = [...op.knows].flatMap((marker) => opsOf.get(marker) ?? []).find(({ stamp }) => stamp > op.stamp);
    if (late) return `B5 ${dot} has an earlier stamp than ${dotOf(late)}, which its author had seen`;
    ops.set(dot, [...variants, op]);
    opsOf.set(op.marker, [...(opsOf.get(op.marker) ?? []), op]);
    return undefined;
  };

  const held = (host: Host): Held => {
    const heads = host.appliance()?.books.heads() ?? {};
    const covered: JournalOp[] = [];
    for (const variants of ops.values()) {
      const [first] = variants;
      if (!first || (heads[first.origin] ?? 0) < first.number) continue;
      // Of an origin that may have forked a host may hold another op, pruned before it was ever seen here.
      const op = variants.length === 1 && !canFork(first.origin) ? first : variantAt(host, variants);
      if (op) covered.push(op);
    }
    const whole = new Set(host.disk.rows<{ origin: string; number: number }>(wholeRecordOps).map(dotOf));
    const everyOp = [...ops.values()].flat();
    const deferred = new Set(host.disk.rows<{ origin: string; number: number }>(deferredOps).map(dotOf));
    const waits = (op: JournalOp): boolean =>
      deferred.has(dotOf(op)) && (!isCovered(op, heads) || namesAny(op, canFork));
    const hidden = covered.filter((op) => isRecordOp(op) && !whole.has(dotOf(op)) && isSuperseded(op, everyOp));
    const left = covered.filter((op) => !hidden.includes(op) && !waits(op));
    const markers = new Set(covered.map(({ marker }) => marker));
    return {
      ops: left,
      markers,

      isComplete: !covered.some(waits) && hidden.every((op) => isSuperseded(op, left)),
    };
  };
  return {
    attempts,
    ops,
    opsOf,
    held,
    learn: (host, mayFork) => {
      canFork = mayFork;
      const rows = host.disk.rows<ArrivalRow>(arrivals, readTo.get(host.name) ?? 0);
      const last = rows[rows.length - 1];
      if (last) readTo.set(host.name, last.seq);
      return rows.flatMap((row) => learnRow(host, row, mayFork) ?? []);
    },
    forget: (host) => readTo.delete(host.name),
  };
}

/** Entities of ops that no till and no admin has asked for. */
export const ownWords: readonly string[] = ['fork', 'trust'];

function readOp(
  row: ArrivalRow & { header: string; payload: string },
  attempts: Map<string, Attempt>,
): JournalOp | undefined {
  const header = JSON.parse(row.header) as { stamp: string; entity: string; id: string };
  const content = JSON.parse(row.payload) as JsonObject;
  const attempt = attempts.get(String(content.by));
  // An appliance's own word about its forked origin, or about another appliance; every other op is somebody's.
  const isStatement = ownWords.includes(header.entity);
  if (!isStatement && (attempt?.entity !== header.entity || attempt.id !== header.id)) return undefined;
  return {
    origin: row.origin,
    number: row.number,
    stamp: header.stamp,
    entity: header.entity,
    id: header.id,
    header: row.header,
    payload: row.payload,
    content,
    marker: attempt?.marker ?? header.entity,
    knows: attempt ? knownTo(attempt, attempts) : new Set(),
  };
}

/** Which of several contents of a forked number a host has; undefined when it is pruned there. */
function variantAt(host: Host, variants: readonly JournalOp[]): JournalOp | undefined {
  const [first] = variants;
  if (!first) return undefined;
  const [row] = host.disk.rows<{ header: string | null; payload: string }>(
    'SELECT header, payload FROM ops WHERE key = (SELECT number FROM origins WHERE origin = ?) * 1099511627776 + ?',
    first.origin,
    first.number,
  );
  return variants.find((op) => op.header === row?.header && op.payload === row.payload);
}
