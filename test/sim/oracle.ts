// What the books must be, worked out a second time from the ops themselves and from who knew what when they wrote: plain
// loops over everything, no vectors, no pruning, no sums. It shares no code with the merge, the fold or storage.

import type { JsonObject } from '../../src/core/json.ts';

/** An op as it stands in a journal. `marker` names the attempt that wrote it. */
export type JournalOp = {
  readonly origin: string;
  readonly number: number;
  readonly stamp: string;
  readonly entity: string;
  readonly id: string;
  readonly header: string;
  readonly payload: string;
  readonly content: JsonObject;
  readonly marker: string;
  /** Attempts whose edits of this record the author knew when it wrote. */
  readonly knows: ReadonlySet<string>;
};

export type ExpectedRecord = {
  entity: string;
  id: string;
  fields: JsonObject;
  deleted: boolean;
  createdAt: number | null;
  /** Ops that lost a field without having been seen, as "field origin#number". */
  losers: string[];
  ops: readonly JournalOp[];
};
export type ExpectedMovement = { id: string; productId: string; kind: string; quantity: number };
export type ExpectedBooks = {
  records: Map<string, ExpectedRecord>;
  tickets: Map<string, JournalOp>;
  movements: Map<string, ExpectedMovement>;
  stock: Map<string, number>;
};

export const dotOf = (op: { origin: string; number: number }): string => `${op.origin}#${op.number}`;

/** The books of whoever holds exactly these ops. */
export function expectedBooks(ops: Iterable<JournalOp>): ExpectedBooks {
  const byRecord = new Map<string, JournalOp[]>();
  const tickets = new Map<string, JournalOp>();
  const sent = new Map<string, JournalOp>();
  for (const op of ops) {
    if (op.entity === 'ticket') keepEarliest(tickets, op);
    else if (op.entity === 'movement') keepEarliest(sent, op);
    else if (op.entity !== 'fork' && op.entity !== 'trust') {
      const key = `${op.entity}/${op.id}`;
      byRecord.set(key, [...(byRecord.get(key) ?? []), op]);
    }
  }
  const movements = new Map<string, ExpectedMovement>();
  for (const op of sent.values()) movements.set(op.id, movementOf(op));
  for (const op of tickets.values()) for (const movement of movementsOfTicket(op)) movements.set(movement.id, movement);
  const stock = new Map<string, number>();
  for (const { productId, quantity } of movements.values())
    stock.set(productId, (stock.get(productId) ?? 0) + quantity);
  const records = new Map([...byRecord].map(([key, writers]) => [key, expectedRecord(writers)]));
  return { records, tickets, movements, stock };
}

const isEarlier = (a: JournalOp, b: JournalOp): boolean => {
  if (a.stamp !== b.stamp) return a.stamp < b.stamp;
  return a.origin !== b.origin ? a.origin < b.origin : a.number < b.number;
};

function keepEarliest(facts: Map<string, JournalOp>, op: JournalOp): void {
  const known = facts.get(op.id);
  if (!known || isEarlier(op, known)) facts.set(op.id, op);
}

/** Whether the author of `later` knew `earlier` when it wrote. */
export const knew = (later: JournalOp, earlier: JournalOp): boolean => later.knows.has(earlier.marker);

function expectedRecord(ops: readonly JournalOp[]): ExpectedRecord {
  const { entity, id } = ops[0] as JournalOp;
  const expected: ExpectedRecord = { entity, id, fields: {}, deleted: false, createdAt: null, losers: [], ops };
  const fieldNames = new Set(ops.flatMap((op) => Object.keys(op.content.set as JsonObject)));
  for (const field of [...fieldNames].sort()) {
    const writers = ops.filter((op) => field in (op.content.set as JsonObject));
    const unseen = writers.filter((op) => !writers.some((other) => other !== op && knew(other, op)));
    const winner = unseen.reduce((best, op) => (isEarlier(best, op) ? op : best));
    const setTo = (op: JournalOp) => (op.content.set as JsonObject)[field] ?? null;
    if (field === 'createdAt') {
      expected.createdAt = Math.min(...unseen.map((op) => Number(setTo(op))));
      continue;
    }
    if (field === 'deleted') expected.deleted = setTo(winner) === true;
    else if (setTo(winner) !== null) expected.fields[field] = setTo(winner);
    const lost = unseen.filter((op) => JSON.stringify(setTo(op)) !== JSON.stringify(setTo(winner)));
    for (const op of lost) expected.losers.push(`${field} ${dotOf(op)}`);
  }
  return expected;
}

function movementOf(op: JournalOp): ExpectedMovement {
  const { productId, kind, quantity } = op.content;
  return { id: op.id, productId: String(productId), kind: String(kind), quantity: Number(quantity) };
}

/** A sale takes out what it says; a refund or void brings back as much, whatever the sign of its lines. */
function movementsOfTicket(op: JournalOp): ExpectedMovement[] {
  const { body, products } = op.content as { body: JsonObject; products: (string | null)[] };
  const lines = body.lines as { quantity: number }[];
  const isSale = body.kind === 'sale';
  return lines.flatMap((line, index) => {
    const productId = products[index] ?? null;
    const thousandths = Number((line.quantity * 1000).toFixed(0));
    if (productId === null || thousandths === 0) return [];
    const quantity = isSale ? 0 - thousandths : Math.abs(thousandths);
    return [{ id: `${op.id}/${index + 1}`, productId, kind: isSale ? 'sale' : 'return', quantity }];
  });
}
