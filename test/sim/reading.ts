// The whole books of an appliance as its readers get them, page by page, in one canonical shape to be compared.

import type { Books, MovementRow, RecordEntity, RecordRow, StockRow, TicketRow } from '../../src/core/books.ts';

export type BooksRead = {
  records: Map<string, RecordRow>;
  tickets: Map<string, TicketRow>;
  movements: Map<string, MovementRow>;
  stock: Map<string, StockRow>;
};

const pageRows = 500;

export function readBooks(books: Books): BooksRead {
  const records = new Map<string, RecordRow>();
  for (const entity of ['product', 'customer'] satisfies RecordEntity[]) {
    for (const archived of [false, true]) {
      for (const row of pages((after) => books.records(entity, { after, limit: pageRows, archived })))
        records.set(`${entity}/${row.id}`, row);
    }
  }
  const tickets = pages((after) => books.tickets({ after, limit: pageRows }));
  const movements = pages((after) => books.movements({ after, limit: pageRows }));
  const stock = pages((after) => books.stockLevels({ after, limit: pageRows }));
  return {
    records,
    tickets: unique('ticket', tickets, ({ id }) => id),
    movements: unique('movement', movements, ({ id }) => id),
    stock: unique('stock level', stock, ({ productId }) => productId),
  };
}

function pages<Row>(read: (after: string | undefined) => { rows: Row[]; next: string | null }): Row[] {
  const all: Row[] = [];
  let after: string | undefined;
  for (let page = 0; page < 1000; page++) {
    const { rows, next } = read(after);
    all.push(...rows);
    if (next === null) return all;
    after = next;
  }
  throw new Error('B8 a list without an end');
}

function unique<Row>(what: string, rows: readonly Row[], idOf: (row: Row) => string): Map<string, Row> {
  const byId = new Map(rows.map((row) => [idOf(row), row]));
  if (byId.size !== rows.length) throw new Error(`B2 a ${what} is listed twice`);
  return byId;
}

/**
 * One text for equal books: everything that a reader can see and that is not of this appliance alone. When a stock level
 * last changed depends on the order of arrival, where a ticket was written twice: a figure of the appliance, not a book.
 */
export function booksText(read: BooksRead): string {
  const stock = new Map([...read.stock].map(([id, { onHand }]) => [id, onHand]));
  const sorted = <Row>(rows: Map<string, Row>): [string, Row][] => [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  return [...sorted(read.records), ...sorted(read.tickets), ...sorted(read.movements), ...sorted(stock)]
    .map(([key, row]) => `${key} ${stable(row)}`)
    .join('\n');
}

/** One text for equal values, whatever the order of their members. */
export function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${name}:${stable(member)}`).join(',')}}`;
}

/** First line in which two texts differ, for people. */
export function firstDifference(a: string, b: string): string {
  const [left, right] = [a.split('\n'), b.split('\n')];
  const at = left.findIndex((line, index) => line !== right[index]);
  return at < 0 ? `only there: ${right[left.length]}` : `\n  ${left[at]}\n  ${right[at]}`;
}
