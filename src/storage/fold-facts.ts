// Facts into state: inserted once, never changed. The same fact from two appliances is one fact, and the earlier op is
// it, whichever came first here. Two different facts under one id: the earlier stands, the other is kept as a rival.

import type { TicketPayload } from '../core/books.ts';
import {
  type DerivedMovement,
  derivedMovementId,
  derivedMovements,
  readMovementPayload,
  readTicketPayload,
} from '../core/facts.ts';
import { isJsonObject, isSameJson, type Json, type JsonObject } from '../core/json.ts';
import { compareOps, type OpHeader, parseHeader, parsePayload, writtenAtMs } from '../core/op.ts';
import { recordRival, type Side, settleRivals } from './conflicts.ts';
import { addPlace, placeOf, removePlace } from './movements.ts';
import type { MovementTableRow, TicketTableRow } from './statements.ts';
import { pendingStock } from './stock.ts';
import { addNumber, removeNumber } from './ticket-numbers.ts';
import { addChange, countTerm, indexOfKey, numberOfKey, type Place, type Unit } from './unit.ts';

export function foldTicket(unit: Unit, place: Place, header: OpHeader, payload: JsonObject, hash: Uint8Array): boolean {
  const ticket = readTicketPayload(header.id, payload);
  if (!ticket) return false;
  const { body } = ticket;
  const movements = derivedMovements(ticket);
  const { terminal, number, customer, soldAt } = ticketColumns(ticket, header);
  const add = (rival: boolean): boolean => {
    const { arrival, key } = place;
    const row = [arrival, key, header.id, terminal, number, customer, soldAt, movements.length, Number(rival)] as const;
    return unit.statements.addTicket.run(...row).changes === 1;
  };
  // Hardly ever is there one: to try costs less than to look first.
  if (!add(false)) {
    const existing = unit.statements.ticketById.get(header.id);
    if (!existing) throw new Error(`ticket ${header.id} is there and is not`);
    const meeting = meet(unit, existing.op, place, header, body);
    if (!meeting?.isNewEarlier) {
      if (meeting?.differs) unit.statements.setTicketRival.run(1, existing.seq);
      for (const { productId } of movements) touchStock(unit, productId, header);
      return true;
    }
    removeTicket(unit, existing, meeting.standing);
    // Told once more, for the products that only it had moved; not when the journal is folded anew.
    if (place.arrival === unit.state.seq) addChange(unit, existing.op);
    add(settleRivals(unit, 'ticket', header.id, { ...header, ...place, values: body }));
  }
  addNumber(unit, { seq: place.arrival, terminal, number });
  countTicket(unit, header.id, hash, movements, 1);
  for (const { line, productId, quantity } of movements) {
    addPlace(unit, productId, placeOf(place.arrival, line));
    moveStock(unit, productId, quantity, header, 1);
  }
  return true;
}

export const ticketColumns = ({ body }: TicketPayload, header: OpHeader) => ({
  terminal: textOrNull(body.terminalId),
  number: textOrNull(body.number),
  customer: textOrNull(body.customerId),
  soldAt: soldAtMs(body.soldAt, header),
});

export function foldMovement(
  unit: Unit,
  place: Place,
  header: OpHeader,
  payload: JsonObject,
  _hash: Uint8Array,
): boolean {
  const movement = readMovementPayload(header.id, payload);
  if (!movement) return false;
  const existing = unit.statements.movementById.get(header.id);
  if (existing) {
    const meeting = meet(unit, existing.op, place, header, movement.body);
    if (!meeting?.isNewEarlier) {
      touchStock(unit, movement.productId, header);
      return true;
    }
    removeMovement(unit, existing);
  }
  const { productId, kind, quantity } = movement;
  unit.statements.addMovement.run(place.arrival, place.key, header.id, productId, kind, quantity);
  addPlace(unit, productId, placeOf(place.arrival));
  countMovement(unit, header.id, movement, 1);
  moveStock(unit, productId, quantity, header, 1);
  if (existing) settleRivals(unit, 'movement', header.id, { ...header, ...place, values: movement.body });
  return true;
}

type Standing = { payload: JsonObject; payloadHash: Uint8Array };
type Meeting = { isNewEarlier: boolean; differs: boolean; standing: Standing };

/**
 * Two ops for one fact: which is the earlier, and whether they say the same. Different ones go on record. Undefined when
 * the disk has spoilt the one that stands: then it goes on standing, as it was folded.
 */
function meet(unit: Unit, standingKey: number, place: Place, header: OpHeader, body: JsonObject): Meeting | undefined {
  const row = unit.statements.op.get(standingKey);
  const standingHeader = parseHeader(row?.header ?? '');
  const standingPayload = typeof row?.payload === 'string' ? parsePayload(row.payload) : undefined;
  const origin = unit.state.originsByIndex.get(indexOfKey(standingKey))?.origin;
  if (typeof standingHeader !== 'object' || typeof standingPayload !== 'object' || !origin) return undefined;
  const { body: standingBody } = standingPayload;
  if (!isJsonObject(standingBody) || typeof row?.payload !== 'string') return undefined;
  const standing: Side = { ...standingHeader, origin, number: numberOfKey(standingKey), values: standingBody };
  const incoming: Side = { ...header, origin: place.origin, number: place.number, values: body };
  const isNewEarlier = compareOps(incoming, standing) < 0;
  const differs = !isSameJson(standingBody as Json, body as Json);
  if (differs) {
    const [winner, loser] = isNewEarlier ? [incoming, standing] : [standing, incoming];
    recordRival(unit, header.entity, header.id, winner, loser);
  }
  const payloadHash = unit.crypto.sha256(row.payload);
  return { isNewEarlier, differs, standing: { payload: standingPayload, payloadHash } };
}

function removeTicket(unit: Unit, ticket: TicketTableRow, { payload, payloadHash }: Standing): void {
  const movements = derivedMovements(payload as unknown as TicketPayload);
  for (const { line, productId, quantity } of movements) {
    removePlace(unit, productId, placeOf(ticket.seq, line));
    moveStock(unit, productId, -quantity, undefined, -1);
  }
  unit.statements.deleteTicket.run(ticket.seq);
  removeNumber(unit, ticket);
  countTicket(unit, ticket.id, payloadHash, movements, -1);
}

function removeMovement(unit: Unit, { seq, id, product, kind, quantity }: MovementTableRow): void {
  unit.statements.deleteMovement.run(seq);
  removePlace(unit, product, placeOf(seq));
  countMovement(unit, id, { productId: product, kind, quantity }, -1);
  moveStock(unit, product, -quantity, undefined, -1);
}

type MovementTerm = { productId: string; kind: string; quantity: number };

/** What is hashed for a movement. */
export const movementText = (id: string, movement: MovementTerm): string =>
  `${id}\n${movement.productId}\n${movement.kind}\n${movement.quantity}`;

const countMovement = (unit: Unit, id: string, movement: MovementTerm, sign: 1 | -1): void =>
  countTerm(unit, 'movements', unit.crypto.sha256(movementText(id, movement)), sign);

/** The movements of a ticket come and go together, so they are one term of the digest. */
function countTicket(
  unit: Unit,
  ticketId: string,
  payloadHash: Uint8Array,
  movements: readonly DerivedMovement[],
  sign: 1 | -1,
): void {
  countTerm(unit, 'tickets', payloadHash, sign);
  if (movements.length === 0) return;
  countTerm(unit, 'movements', unit.crypto.sha256(movementsText(ticketId, movements)), sign, movements.length);
}

export const movementsText = (ticketId: string, movements: readonly DerivedMovement[]): string =>
  movements.map((movement) => movementText(derivedMovementId(ticketId, movement.line), movement)).join('\n');

function moveStock(unit: Unit, product: string, quantity: number, header: OpHeader | undefined, sign: 1 | -1): void {
  const level = pendingStock(unit, product);
  level.onHand += quantity;
  level.movements += sign;
  if (header) level.updatedAt = Math.max(level.updatedAt, writtenAtMs(header));
  else unit.mustWriteStock = true;
}

/**
 * A level's time is that of the latest op about it, also of one that lost to its earlier twin: so it does not depend on
 * which of the two came first.
 */
function touchStock(unit: Unit, product: string, header: OpHeader): void {
  const level = pendingStock(unit, product);
  unit.mustWriteStock = true;
  if (level.movements > 0) level.updatedAt = Math.max(level.updatedAt, writtenAtMs(header));
}

const textOrNull = (value: Json | undefined): string | null =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null;

/** A ticket without a readable time counts as sold when it was written. */
function soldAtMs(soldAt: Json | undefined, header: OpHeader): number {
  const parsed = typeof soldAt === 'string' ? Date.parse(soldAt) : Number.NaN;
  return Number.isNaN(parsed) ? writtenAtMs(header) : parsed;
}
