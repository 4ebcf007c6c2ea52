// The ticket that everything here is measured with: five lines of five products, 1 KB of JSON as a till sends it. As a
// value, and as a request whose few changing bytes are written in place.

import { requestBytes } from './raw-connection.ts';

export const productCount = 1000;
const lineCount = 5;
const ticketBytes = 1024;

const productId = (index: number): string => `product-${String(index).padStart(4, '0')}`;

export const products = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    id: productId(index),
    sku: `SKU-${index}`,
    barcodes: [String(4_000_000_000_000 + index)],
    name: `Product number ${index}`,
    price: 450,
    currency: 'EUR',
    taxRate: 1000,
    category: 'bench',
  }));

/** A product with the least that a till needs. */
export const smallProduct = (index: number) => ({
  id: `small-${index}`,
  sku: `S-${index}`,
  name: `Product number ${index}`,
  price: 450,
  currency: 'EUR',
  taxRate: 1000,
});

/** As `products`, each 1 KB. */
export const largeProducts = (count: number) =>
  products(count).map((product) => ({
    ...product,
    attributes: { note: 'x'.repeat(ticketBytes - JSON.stringify(product).length - 28) },
  }));

type Line = { productId: string; name: string; quantity: number; unitPrice: number; taxRate: number; total: number };

export type BenchTicket = { id: string; lines: Line[]; total: number; attributes: { note: string } };

/** Who sends: each till of each run has ids and numbers of its own. */
export type Source = { readonly run: number; readonly till: number };

const padded = (value: number, digits: number): string => String(value).padStart(digits, '0');

/** A UUIDv7, as till programs make them: it sorts by time (here in milliseconds, written in decimal digits). */
const idOf = ({ run, till }: Source, atMs: number, index: number): string => {
  const time = padded(atMs % 1e12, 12);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${padded(run, 3)}-8${padded(till, 3)}-${padded(index, 12)}`;
};

/** The same three, the same ticket. */
export function ticket(source: Source, index: number, atMs: number): BenchTicket {
  const lines = Array.from({ length: lineCount }, (_, line) => ({
    productId: productId(productAt(index, line)),
    name: 'Product from the shelf',
    quantity: 1,
    unitPrice: 450,
    taxRate: 1000,
    total: 450,
  }));
  const whole = {
    id: idOf(source, atMs, index),
    terminalId: `till-${padded(source.till, 3)}`,
    number: `${padded(source.run, 3)}-${padded(index, 12)}`,
    kind: 'sale',
    currency: 'EUR',
    lines,
    payments: [{ method: 'card', amount: 450 * lineCount, reference: '4971-0021' }],
    total: 450 * lineCount,
    cashier: 'Nobody in particular',
    soldAt: '2026-11-20T09:30:00.000Z',
    attributes: { note: '' },
  };
  whole.attributes.note = 'x'.repeat(ticketBytes - JSON.stringify(whole).length);
  return whole;
}

/** Spread over the catalogue: neighbours in time are no neighbours on disk. */
const productAt = (index: number, line: number): number => (index * 7919 + line * 211) % productCount;

export type TicketRequests = {
  /** The same bytes every time, changed in place: valid until the next call. */
  next(atMs: number): Uint8Array;
};

/** Endless requests POST /api/v1/tickets, each of another ticket. */
export function createTicketRequests(token: string, source: Source): TicketRequests {
  const bytes = requestBytes('POST', '/api/v1/tickets', token, ticket(source, 0, 0));
  const idAt = bytes.indexOf('"id":"') + '"id":"'.length;
  const indices = [...placesOf(bytes, padded(0, 12))];
  const shelves = [...placesOf(bytes, '"product-')].map((at) => at + '"product-'.length);
  let index = 0;
  return {
    next(atMs) {
      index += 1;
      writeDigits(bytes, idAt, 8, Math.floor(atMs / 1e4) % 1e8);
      writeDigits(bytes, idAt + 9, 4, atMs % 1e4);
      for (const at of indices) writeDigits(bytes, at, 12, index);
      for (let line = 0; line < shelves.length; line++)
        writeDigits(bytes, shelves[line] ?? 0, 4, productAt(index, line));
      return bytes;
    },
  };
}

function* placesOf(bytes: Buffer, text: string): Generator<number> {
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + text.length)) yield at;
}

function writeDigits(bytes: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let place = at + digits - 1; place >= at; place--) {
    bytes[place] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
