// What the books must tell, worked out from the journal alone in the plainest way: no blocks, nothing behind, nothing
// remembered.

import { createHash } from 'node:crypto';
import type { OpenedBooks } from './opened.ts';

export type ToldMovement = { id: string; productId: string; kind: string; quantity: number; ticketId: string | null };

export type ToldBooks = {
  /** In the order of arrival. */
  readonly movements: readonly ToldMovement[];
  readonly onHand: ReadonlyMap<string, number>;
  /** By id: terminal and number of the ticket that stands. */
  readonly tickets: ReadonlyMap<string, { terminal: string; number: string } | undefined>;
  readonly digests: { readonly tickets: string; readonly movements: string; readonly stock: string };
};

type Fact = { arrival: number; rank: string; entity: string; id: string; payload: string };
type Line = { productId?: string; quantity: number };
type Payload = {
  body: { kind?: string; lines?: Line[]; terminalId?: string; number?: string };
  productId: string;
  kind: string;
  quantity: number;
};

export function toldBy({ storage }: OpenedBooks): ToldBooks {
  const { database } = storage.handle();
  const ops = database
    .prepare(
      'SELECT arrival, header, payload, origin, key % 1099511627776 AS number FROM ops JOIN origins ON origins.number = ops.key / 1099511627776 WHERE header IS NOT NULL ORDER BY arrival',
    )
    .all() as { arrival: number; header: string; payload: string; origin: string; number: number }[];
  const standing = new Map<string, Fact>();
  for (const { arrival, header, payload, origin, number } of ops) {
    const { stamp, entity, id } = JSON.parse(header) as { stamp: string; entity: string; id: string };
    if (entity !== 'ticket' && entity !== 'movement') continue;
    const fact = { arrival, rank: `${stamp} ${origin} ${String(number).padStart(15, '0')}`, entity, id, payload };
    const known = standing.get(`${entity} ${id}`);
    if (!known || fact.rank < known.rank) standing.set(`${entity} ${id}`, fact);
  }
  return toldByFacts([...standing.values()].sort((a, b) => a.arrival - b.arrival));
}

function toldByFacts(facts: readonly Fact[]): ToldBooks {
  const movements: ToldMovement[] = [];
  const onHand = new Map<string, number>();
  const tickets = new Map<string, { terminal: string; number: string } | undefined>();
  const terms = { tickets: [] as string[], movements: [] as string[], stock: [] as string[] };
  let movementRows = 0;
  for (const { entity, id, payload } of facts) {
    const parsed = JSON.parse(payload) as Payload;
    const own = entity === 'ticket' ? movementsOfTicket(id, parsed) : [movementOf(id, parsed)];
    if (entity === 'ticket') {
      const { terminalId: terminal, number } = parsed.body;
      tickets.set(id, terminal !== undefined && number !== undefined ? { terminal, number } : undefined);
      terms.tickets.push(payload);
    }
    // Those of a ticket are one term.
    if (own.length > 0)
      terms.movements.push(own.map((one) => [one.id, one.productId, one.kind, one.quantity].join('\n')).join('\n'));
    movements.push(...own);
    movementRows += own.length;
    for (const { productId, quantity } of own) onHand.set(productId, (onHand.get(productId) ?? 0) + quantity);
  }
  for (const [productId, quantity] of onHand) terms.stock.push(`${productId}\n${quantity}`);
  const digests = {
    tickets: digestOf(terms.tickets, terms.tickets.length),
    movements: digestOf(terms.movements, movementRows),
    stock: digestOf(terms.stock, terms.stock.length),
  };
  return { movements, onHand, tickets, digests };
}

function movementsOfTicket(id: string, { body }: Payload): ToldMovement[] {
  return (body.lines ?? []).flatMap(({ productId, quantity }, line) => {
    const units = Math.round(quantity * 1000);
    if (productId === undefined || units === 0) return [];
    const told = { id: `${id}/${line + 1}`, productId, ticketId: id };
    return body.kind === 'sale'
      ? [{ ...told, kind: 'sale', quantity: -units }]
      : [{ ...told, kind: 'return', quantity: Math.abs(units) }];
  });
}

const movementOf = (id: string, { productId, kind, quantity }: Payload): ToldMovement => ({
  id,
  productId,
  kind,
  quantity,
  ticketId: null,
});

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Sum of the hashes modulo 2^256, as eight 32-bit words with the lowest first, and the number of rows. */
function digestOf(texts: readonly string[], rows: number): string {
  const sum = texts.reduce((total, text) => total + BigInt(`0x${sha256(text).reverse().toString('hex')}`), 0n);
  const words = Array.from({ length: 8 }, (_, word) => (sum >> BigInt(32 * word)) & 0xffffffffn);
  return sha256(`${words.map((word) => word.toString(16).padStart(8, '0')).join('')}:${rows}`).toString('hex');
}
