// Where movements are. One sent as such has a row; those of a ticket are told from the ticket, for rows of them would be
// most of what a sale writes. Each has a place: the row of its op in the order of arrival, and its line.
//
// Which movements a product has is written behind the sales, some hundred tickets at a time: a plain index would touch as
// many pages as a commit has ticket lines. Blocks follow each other in the index, so that adding one writes only its end,
// however large the shop's past. What is not yet in one is kept in memory, and read again when that was emptied.

import { derivedMovements, readTicketPayload } from '../core/facts.ts';
import { arrivalsBehindMax } from '../core/limits.ts';
import { parsePayload } from '../core/op.ts';
import { type StorageState, writeMeta } from './state.ts';
import type { Statements } from './statements.ts';
import type { Unit } from './unit.ts';

export type StoredMovement = {
  readonly place: number;
  /** Key of the op that it is told by. */
  readonly op: number;
  /** Index of the ticket's line; null for a movement that was sent as such. */
  readonly line: number | null;
  readonly product: string;
  readonly kind: string;
  /** Signed milli-units. */
  readonly quantity: number;
};

/** Places of the movements that are in no block yet, by product; those of the open unit as well. */
export type PlacesBehind = {
  /** Null when it is not known: then it is read when it is first asked for. */
  places: Map<string, number[]> | null;
};

/** More than an op has room for. */
const linesPerArrival = 2 ** 20;

export const placeOf = (arrival: number, line = 0): number => arrival * linesPerArrival + line;
const arrivalOf = (place: number): number => Math.floor(place / linesPerArrival);

// Reads. `after` is a place; what is told begins behind it, in the order of places.

type TicketAt = { readonly seq: number; readonly op: number; readonly id: string; readonly payload: string | Buffer };

function movementsOf({ seq, op, id, payload }: TicketAt): StoredMovement[] {
  const parsed = typeof payload === 'string' ? parsePayload(payload) : 'payload_malformed';
  const ticket = typeof parsed === 'string' ? undefined : readTicketPayload(id, parsed);
  const movements = ticket ? derivedMovements(ticket) : [];
  return movements.map(({ line, productId, kind, quantity }) => ({
    place: placeOf(seq, line),
    op,
    line,
    product: productId,
    kind,
    quantity,
  }));
}

/** Those of one op: of a ticket's as many as it has lines. What the disk has spoilt is left out: `verify` tells of it. */
function movementsAt(statements: Statements, arrival: number): StoredMovement[] {
  const ticket = statements.ticketPayload.get(arrival);
  if (ticket) return movementsOf(ticket);
  const row = statements.movementAt.get(arrival);
  return row ? [{ ...row, place: placeOf(arrival), line: null }] : [];
}

export function movementsOfTicket(statements: Statements, ticketId: string, after: number): StoredMovement[] {
  const ticket = statements.ticketById.get(ticketId);
  return ticket ? movementsAt(statements, ticket.seq).filter(({ place }) => place > after) : [];
}

export function allMovements(statements: Statements, after: number, limit: number): StoredMovement[] {
  const found: StoredMovement[] = [];
  const arrivals = statements.arrivalsWithMovements.iterate(arrivalOf(after), arrivalOf(after));
  for (const { seq } of arrivals) {
    for (const movement of movementsAt(statements, seq)) if (movement.place > after) found.push(movement);
    if (found.length >= limit) break;
  }
  return found.slice(0, limit);
}

export function movementsOfProduct(
  statements: Statements,
  state: StorageState,
  behind: PlacesBehind,
  product: string,
  after: number,
  limit: number,
): StoredMovement[] {
  const found: StoredMovement[] = [];
  let arrival = 0;
  let byPlace = new Map<number, StoredMovement>();
  for (const place of placesOfProduct(statements, state, behind, product, after)) {
    // A ticket may have the product in thousands of lines: it is read once for all of them.
    if (arrivalOf(place) !== arrival) {
      arrival = arrivalOf(place);
      byPlace = new Map(movementsAt(statements, arrival).map((one) => [one.place, one]));
    }
    const movement = byPlace.get(place);
    if (movement) found.push(movement);
    if (found.length === limit) break;
  }
  return found;
}

function* placesOfProduct(
  statements: Statements,
  state: StorageState,
  behind: PlacesBehind,
  product: string,
  after: number,
): Iterable<number> {
  for (const { places } of statements.placesOfProduct.iterate(arrivalOf(after), product))
    for (const place of JSON.parse(places) as number[]) if (place > after) yield place;
  behind.places ??= readBehind(statements, state);
  for (const place of behind.places.get(product) ?? []) if (place > after) yield place;
}

function readBehind(statements: Statements, state: StorageState): Map<string, number[]> {
  const behind = { places: new Map<string, number[]>() };
  for (const { movements } of movementsSince(statements, state.movementsIndexed))
    for (const { product, place } of movements) add(behind, product, place);
  return behind.places;
}

/** Of all ops that arrived after `arrival`, op by op. */
export function* movementsSince(
  statements: Statements,
  arrival: number,
): Iterable<{ op: number; movements: readonly StoredMovement[] }> {
  for (const { seq } of statements.arrivalsWithMovements.all(arrival + 1, arrival + 1)) {
    const movements = movementsAt(statements, seq);
    if (movements[0]) yield { op: movements[0].op, movements };
  }
}

// Writes

export function addPlace({ memory }: Unit, product: string, place: number): void {
  add(memory.movements, product, place);
}

function add({ places }: PlacesBehind, product: string, place: number): void {
  const known = places?.get(product);
  if (known) known.push(place);
  else places?.set(product, [place]);
}

export function removePlace({ memory, state, statements }: Unit, product: string, place: number): void {
  const without = (places: readonly number[]) => places.filter((one) => one !== place);
  if (arrivalOf(place) > state.movementsIndexed) {
    const { places } = memory.movements;
    places?.set(product, without(places.get(product) ?? []));
    return;
  }
  const block = statements.blockOfArrival.get(arrivalOf(place))?.block;
  const row = block === undefined ? undefined : statements.placesInBlock.get(block, product);
  if (block === undefined || !row) return;
  const left = without(JSON.parse(row.places) as number[]);
  statements.addPlaces([[block, product, JSON.stringify(left)]]);
}

/** Makes a block of what is behind, when that is enough for one. Its number is its last arrival, `upTo`. */
export function indexMovements(unit: Unit, upTo = unit.state.seq, arrivalsMin = arrivalsBehindMax): void {
  const { state, statements, memory } = unit;
  if (upTo - state.movementsIndexed < arrivalsMin) return;
  const behind = memory.movements.places ?? readBehind(statements, state);
  const products = [...behind.keys()].sort();
  statements.addPlaces(products.map((product) => [upTo, product, JSON.stringify(behind.get(product))]));
  indexedUpTo(unit, upTo);
}

/** Movements are folded anew in this unit, from the first. */
export const clearMovements = (unit: Unit): void => indexedUpTo(unit, 0);

function indexedUpTo({ state, statements, memory }: Unit, arrival: number): void {
  state.movementsIndexed = arrival;
  writeMeta(statements, 'movements_indexed', arrival);
  memory.movements.places = new Map();
}
