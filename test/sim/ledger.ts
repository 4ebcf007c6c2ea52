// What really happened, kept beside the appliances: every attempt to write and how it was answered, and every op that
// stood in any journal. An op has one author and one content; whatever contradicts that is told.

import type { Heads } from '../../src/core/heads.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Host } from './host.ts';
import { dotOf, type JournalOp } from './oracle.ts';

export type Attempt = {
  readonly marker: string;
  readonly host: string;
  readonly entity: string;
  readonly id: string;
  knows: Heads;
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
  /** Every op that a host holds, pruned ones too, by its heads. */
  held(host: Host): JournalOp[];
};

type ArrivalRow = { seq: number; origin: string; number: number; header: string | null; payload: string | Buffer };

const arrivals = `SELECT changes.seq, origins.origin, changes.op % 1099511627776 AS number, ops.header, ops.payload
  FROM changes JOIN ops ON ops.key = changes.op JOIN origins ON origins.number = changes.op / 1099511627776
  WHERE changes.seq > ? ORDER BY changes.seq`;

export function createLedger(): Ledger {
  const attempts = new Map<string, Attempt>();
  const ops = new Map<string, JournalOp[]>();
  const opsOf = new Map<string, JournalOp[]>();
  const readTo = new Map<string, number>();

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
    ops.set(dot, [...variants, op]);
    opsOf.set(op.marker, [...(opsOf.get(op.marker) ?? []), op]);
    return undefined;
  };

  const held = (host: Host): JournalOp[] => {
    const heads = host.appliance()?.books.heads() ?? {};
    const result: JournalOp[] = [];
    for (const variants of ops.values()) {
      const [first] = variants;
      if (!first || (heads[first.origin] ?? 0) < first.number) continue;
      const op = variants.length === 1 ? first : variantAt(host, variants);
      if (op) result.push(op);
    }
    return result;
  };
  return {
    attempts,
    ops,
    opsOf,
    held,
    learn: (host, mayFork) => {
      const rows = host.disk.rows<ArrivalRow>(arrivals, readTo.get(host.name) ?? 0);
      const last = rows[rows.length - 1];
      if (last) readTo.set(host.name, last.seq);
      return rows.flatMap((row) => learnRow(host, row, mayFork) ?? []);
    },
    forget: (host) => readTo.delete(host.name),
  };
}

function readOp(
  row: ArrivalRow & { header: string; payload: string },
  attempts: Map<string, Attempt>,
): JournalOp | undefined {
  const header = JSON.parse(row.header) as { stamp: string; entity: string; id: string };
  const content = JSON.parse(row.payload) as JsonObject;
  const attempt = attempts.get(String(content.by));
  // An appliance's own word about its forked origin; every other op is somebody's.
  const isStatement = header.entity === 'fork';
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
    marker: attempt?.marker ?? 'fork',
    knows: attempt?.knows ?? {},
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
