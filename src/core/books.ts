// The books as readers see them: what commands decide on and edges show. Rows, not prose; nothing here is computed.

import type { Heads } from './heads.ts';
import type { JsonObject } from './json.ts';

/** Entities whose ops merge field by field. "terminal" is a till's credential: replicated, in no digest of the books. */
export type RecordEntity = 'product' | 'customer' | 'terminal' | 'user';
export type FactEntity = 'ticket' | 'movement';

export type RecordRow = {
  readonly entity: RecordEntity;
  readonly id: string;
  /** By field name, see merge.ts; `fieldsToDocument` makes the document. */
  readonly fields: JsonObject;
  /** Every field ever written and not forgotten, also those that are absent now. */
  readonly names: readonly string[];
  /** Fields with several values, written by edits that did not know of each other; with what each edit that lost wrote. */
  readonly rivals: readonly { readonly field: string; readonly sets: readonly JsonObject[] }[];
  readonly deleted: boolean;
  /** Changes with every change of the record; equal everywhere. 32 hex digits. */
  readonly version: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Replica id of the latest edit. */
  readonly origin: string;
  /** What an edit made now has seen: goes into its op. */
  readonly seen: Heads;
};

/** A ticket, as its op has it. `body` is what the client sent, normalised; the rest is what the author added. */
export type TicketPayload = {
  body: JsonObject;
  /** Product of each line, as the author resolved it; null where no product could be found. */
  products: (string | null)[];
  /** As the author saw them: unknown_product, total_mismatch, … */
  flags: string[];
  /** Unix milliseconds, by the mesh's reckoning; and by the appliance's own clock where that differs. */
  receivedAt: number;
  clockAt?: number;
  /** Terminal id of the credential that sent it, "admin" for an admin. */
  by?: string;
};

export type MovementPayload = {
  body: JsonObject;
  productId: string;
  kind: string;
  /** Signed milli-units. For a count: what was counted minus what the author's books said. */
  quantity: number;
  receivedAt: number;
  by?: string;
};

export type RecordPayload = {
  set: JsonObject;
  by?: string;
  /** On an edit that settles conflicts. */
  resolves?: { conflict: string; choose: string; notes: string };
};

export type TicketRow = {
  readonly id: string;
  readonly payload: TicketPayload;
  /** Replica that wrote it. */
  readonly origin: string;
  /** Another ticket of the same terminal has the same number (known only now, so not in the payload). */
  readonly hasDuplicateNumber: boolean;
  /** A different ticket came under the same id, and lost: an alarm; it is kept among the conflicts. */
  readonly hasRival: boolean;
};

export type MovementRow = {
  /** Of the client's, or derived: "TICKET/LINE". */
  readonly id: string;
  readonly productId: string;
  readonly kind: string;
  /** Signed milli-units. */
  readonly quantity: number;
  readonly ticketId: string | null;
  /** Unix milliseconds. */
  readonly at: number;
  /** Of a movement that was sent as such; null for one derived from a ticket. */
  readonly body: JsonObject | null;
  readonly origin: string;
};

export type StockRow = {
  readonly productId: string /** Milli-units. */;
  readonly onHand: number;
  readonly updatedAt: number;
};

export type Page<Row> = {
  readonly rows: Row[] /** Position for the next page, null at the end. */;
  readonly next: string | null;
};

export type RecordFilter = {
  after?: string | undefined;
  limit: number;
  /** Substring of name, sku, barcode, e-mail or phone, without regard to case. */
  search?: string | undefined;
  sku?: string | undefined;
  /** GTIN-14, see core/gtin.ts. */
  gtin?: string | undefined;
  archived?: boolean | undefined;
};

export type TicketFilter = {
  after?: string | undefined;
  limit: number;
  terminalId?: string | undefined;
  customerId?: string | undefined;
  /** soldAt in Unix milliseconds, from ≤ t < to. */
  from?: number | undefined;
  to?: number | undefined;
};

export type MovementFilter = {
  after?: string | undefined;
  limit: number;
  productId?: string | undefined;
  ticketId?: string | undefined;
};

/** Digest (64 hex digits) of each part of the books. */
export type Digests = { products: string; customers: string; tickets: string; movements: string; stock: string };

/** Reads of the books. Deleted records are found by `record` (with `deleted`), never by the lists. */
export type Books = {
  record(entity: RecordEntity, id: string): RecordRow | undefined;
  /** Whether a record is there and not deleted; much cheaper than `record`. */
  hasRecord(entity: RecordEntity, id: string): boolean;
  /** Grows with every change of any record: as long as it is the same, what was read of records still holds. */
  recordRevision(): number;
  records(entity: RecordEntity, filter: RecordFilter): Page<RecordRow>;
  ticket(id: string): TicketRow | undefined;
  /** Newest last; `next` is a position in the order of arrival here. */
  tickets(filter: TicketFilter): Page<TicketRow>;
  /** Whether a ticket of this terminal has this number. */
  hasTicketNumber(terminalId: string, number: string): boolean;
  movement(id: string): MovementRow | undefined;
  movements(filter: MovementFilter): Page<MovementRow>;
  stock(productId: string): StockRow | undefined;
  stockLevels(filter: { after?: string | undefined; limit: number }): Page<StockRow>;
  /** Id of the one living product with this sku or GTIN-14; undefined when none has it, the first by id when several. */
  productIdBySku(sku: string): string | undefined;
  productIdByGtin(gtin: string): string | undefined;
  digests(): Digests;
  heads(): Heads;
  counts(): { products: number; customers: number; tickets: number; movements: number };
};

export type ConflictRow = {
  id: string;
  entity: string;
  recordId: string;
  /** field: two edits that did not know of each other; rival: two different tickets or movements under one id. */
  kind: 'field' | 'rival';
  /** Names of the fields in question (empty for a rival). */
  fields: string[];
  winner: ConflictSide;
  loser: ConflictSide;
  strategy: 'latest_edit' | 'earliest_fact';
  detectedAt: number;
  resolvedAt: number | null;
  /** system, or the credential that resolved it. */
  resolvedBy: string | null;
  notes: string | null;
};

/** `values` by field name (merge.ts), or the whole body of a rival fact. */
export type ConflictSide = { origin: string; number: number; stamp: string; at: number; values: JsonObject };

/** One exchange with a peer that came to an end. Times in Unix milliseconds. */
export type SyncRow = {
  peerId: string;
  peerName: string;
  at: number;
  itemsReceived: number;
  itemsSent: number;
  conflicts: number;
  durationMs: number;
  bytes: number;
  error: string | null;
};
