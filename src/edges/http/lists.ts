// Pages of lists: bounded by rows and by bytes, because a thousand of the largest tickets would be a gigabyte. Rows are
// read a few at a time; a page that ends early has its cursor like any other.

import type { Page } from '../../core/books.ts';
import type { Failure } from '../../core/command.ts';
import type { JsonObject } from '../../core/json.ts';
import { answerBytesMax, rowsReadFirst, rowsReadMax } from '../../core/limits.ts';
import type { FeedPage, FeedRequest } from '../../feed/feed.ts';
import type { ListName } from './cursors.ts';
import { changeDocument } from './documents.ts';
import type { Answer, Room } from './route.ts';

export type PageQuery = { readonly limit: number; readonly after?: string | undefined };

export function listAnswer<Row>(
  { cursors }: Room,
  list: ListName,
  query: PageQuery,
  read: (place: { after: string | undefined; limit: number }) => Page<Row>,
  document: (row: Row) => JsonObject,
): Answer | Failure {
  const place = cursors.decode(list, query.after);
  if (!place.ok) return place;
  const data = new Texts();
  let next: string | null = place.position ?? null;
  do {
    const page: Page<Row> = read({ after: next ?? undefined, limit: data.nextRead(query.limit) });
    for (const row of page.rows) data.add(document(row));
    next = page.next;
  } while (next !== null && data.count < query.limit && !data.isFull);
  return data.answer(cursors.encode(list, next));
}

/** A page of the feed, of which `first` was read already. */
export function feedAnswer(
  read: (request: FeedRequest) => FeedPage | Failure,
  request: FeedRequest,
  first: FeedPage,
): Answer | Failure {
  const data = new Texts();
  let page: FeedPage | Failure = first;
  for (;;) {
    if (!page.ok) return page;
    for (const change of page.changes) data.add(changeDocument(change));
    // An empty page that is not the end comes after a long stretch of nothing: the client goes on from there.
    if (page.atEnd || page.changes.length === 0 || data.count >= request.limit || data.isFull) break;
    page = read({ ...request, after: page.next, limit: data.nextRead(request.limit) });
  }
  return data.answer(page.next);
}

/** Documents as JSON text, counted. */
class Texts {
  count = 0;
  #text = '';

  get isFull(): boolean {
    return this.#text.length >= answerBytesMax;
  }

  /** How many to read next: many at once only where those so far were small. */
  nextRead(limit: number): number {
    const isSmall = this.count > 0 && this.#text.length / this.count < answerBytesMax / rowsReadMax / 2;
    return Math.min(isSmall ? rowsReadMax : rowsReadFirst, limit - this.count);
  }

  add(document: JsonObject): void {
    this.#text += (this.count++ > 0 ? ',' : '') + JSON.stringify(document);
  }

  answer(next: string | null): Answer {
    return {
      status: 200,
      content: { type: 'application/json', bytes: `{"data":[${this.#text}],"next":${JSON.stringify(next)}}` },
    };
  }
}
