// A real trading day from a CSV of invoice lines (InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice,
// CustomerID, Country): the columns of the public "Online Retail" data set. Prices in pounds, cancellations begin with C.

import Papa from 'papaparse';
import { type Day, type Line, type Ticket, turnoverOf } from './day.ts';

type Row = Record<
  'InvoiceNo' | 'StockCode' | 'Description' | 'Quantity' | 'InvoiceDate' | 'UnitPrice' | 'CustomerID',
  string
>;

const columns = ['InvoiceNo', 'StockCode', 'Description', 'Quantity', 'InvoiceDate', 'UnitPrice', 'CustomerID'];
const currency = 'GBP';

export type ReadDay = { ok: true; day: Day } | { ok: false; detail: string };

export function dayFromCsv(text: string, title: string): ReadDay {
  const { data, meta } = Papa.parse<Row>(text, { header: true, skipEmptyLines: true });
  const missing = columns.filter((column) => !meta.fields?.includes(column));
  if (missing.length > 0) return { ok: false, detail: `the columns ${missing.join(', ')} are missing` };
  const products = productsOf(data);
  const byInvoice = Map.groupBy(data, (row) => row.InvoiceNo);
  const tickets: Ticket[] = [];
  for (const [invoice, rows] of byInvoice) {
    const ticket = ticketOf(invoice, rows, products);
    if (typeof ticket === 'string') return { ok: false, detail: `invoice ${invoice}: ${ticket}` };
    tickets.push(ticket);
  }
  const customerIds = new Set(tickets.flatMap(({ customerId }) => customerId ?? []));
  return {
    ok: true,
    day: {
      title,
      currency,
      products: [...products].map(([sku, { name, price }]) => ({
        id: idOf(sku),
        sku,
        name,
        price,
        currency,
        taxRate: 0,
      })),
      customers: [...customerIds].map((id) => ({ id, name: `Customer ${id}` })),
      receipts: receiptsFor(tickets),
      tickets,
    },
  };
}

/** By code: the first description and price found; the code itself where no line describes it. */
function productsOf(rows: readonly Row[]): Map<string, { name: string; price: number }> {
  const products = new Map<string, { name: string; price: number }>();
  for (const [code, lines] of Map.groupBy(rows, (row) => row.StockCode)) {
    const name = lines.map((line) => line.Description.trim()).find((description) => description !== '') ?? code;
    const price = lines.map((line) => penceOf(line.UnitPrice) ?? 0).find((pence) => pence > 0) ?? 0;
    products.set(code, { name, price });
  }
  return products;
}

/** Or what is wrong with it. */
function ticketOf(
  invoice: string,
  rows: readonly Row[],
  products: ReadonlyMap<string, { name: string }>,
): Ticket | string {
  const lines: Line[] = [];
  for (const row of rows) {
    const unitPrice = penceOf(row.UnitPrice);
    const quantity = Number(row.Quantity);
    if (unitPrice === undefined) return `"${row.UnitPrice}" is no price in pounds and pence`;
    if (!Number.isSafeInteger(quantity) || row.Quantity === '') return `"${row.Quantity}" is no number of pieces`;
    const name = row.Description.trim() || (products.get(row.StockCode)?.name ?? row.StockCode);
    lines.push({ productId: idOf(row.StockCode), name, quantity, unitPrice, taxRate: 0, total: quantity * unitPrice });
  }
  const soldAt = new Date(`${rows[0]?.InvoiceDate.replace(' ', 'T')}Z`);
  if (Number.isNaN(soldAt.getTime())) return `"${rows[0]?.InvoiceDate}" is no date and time`;
  const total = turnoverOf(lines);
  const customerId = rows[0]?.CustomerID.replace(/\.0$/, '');
  return {
    id: `invoice-${idOf(invoice)}`,
    kind: invoice.startsWith('C') ? 'refund' : 'sale',
    currency,
    lines,
    payments: total === 0 ? [] : [{ method: 'account', amount: total }],
    total,
    ...(customerId ? { customerId: idOf(customerId) } : {}),
    soldAt: soldAt.toISOString(),
  };
}

/** Pieces sold, rounded up to whole hundreds: what the shop must have had, and a little more. */
function receiptsFor(tickets: readonly Ticket[]): Day['receipts'] {
  const sold = new Map<string, number>();
  for (const { productId, quantity } of tickets.flatMap(({ lines }) => lines)) {
    sold.set(productId, (sold.get(productId) ?? 0) + Math.max(0, quantity));
  }
  return [...sold].map(([productId, quantity]) => ({ productId, quantity: (Math.floor(quantity / 100) + 1) * 100 }));
}

/** Exact: by its digits, never by a float. */
function penceOf(price: string): number | undefined {
  const match = /^(-?)(\d{1,9})(?:\.(\d{1,2})0*)?$/.exec(price);
  if (!match) return undefined;
  const [, sign, pounds = '', pence = ''] = match;
  return Number(`${sign}${pounds}${pence.padEnd(2, '0')}`);
}

/** Codes may hold characters that an id may not; each becomes ":" and its number. */
const idOf = (code: string): string =>
  code.replace(/[^A-Za-z0-9_.-]/g, (character) => `:${character.codePointAt(0)?.toString(16)}`);
