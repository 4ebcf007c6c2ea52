// The till's side of an appliance: what /client.js exports, as types. Served as /client.d.ts as it stands, so it imports
// nothing. Money is in minor units; times are Unix milliseconds unless they are text.

export type ConnectionOptions = {
  /**
   * Token of the till (or of a program). Left out, a page that was served by the appliance uses the session of whoever is
   * logged in, which counts at that appliance alone.
   */
  readonly token?: string;
  /**
   * Base addresses of appliances, such as "http://192.168.1.20:3030": the first is the till's own, the others are gone to when
   * it does not answer. Those that an appliance knows of the shop are added by themselves. Left out: where this script, or
   * the page, was served from.
   */
  readonly appliances?: readonly string[];
  /** Of the first appliance, where it is not at the usual place: ws://HOST:PORT/ws. */
  readonly websocketUrl?: string;
  /** Of the first appliance, where it is not at the usual place: http://HOST:PORT/api/sync/poll. */
  readonly pollingUrl?: string;
  /** Milliseconds; how long one poll waits for a message, and between polls that failed. 5000. */
  readonly pollingInterval?: number;
  /** WebSockets that fail in a row before they are tried at the slowest pace only, once a minute. 10. It never gives up. */
  readonly maxReconnectAttempts?: number;
  /** Topics to hear of; with sections of the books among them (such as "stock") only these sections' changes are told. */
  readonly topics?: readonly string[];
  /** Where unsent tickets are kept: the name of a database in a browser ("tillmesh"), elsewhere a file ("tillmesh-outbox.jsonl" in the working directory). */
  readonly outbox?: string;
};

/** What an appliance told. The same `id` is the same message. */
export type LiveMessage = {
  readonly id: string;
  /** "data.updated", "notification.new", "sync.error", "user.action", or of a client's own. */
  readonly type: string;
  readonly payload: unknown;
  readonly timestamp: number;
  readonly userId: string | null;
  readonly topics?: readonly string[];
  readonly correlationId?: string;
};

/** Payload of "data.updated" for the books. `data` is as the address of the thing answers it; for what was deleted its id alone. */
export type DataUpdate = {
  readonly section: string;
  readonly id?: string;
  readonly kind?: 'updated' | 'deleted';
  readonly data: unknown;
};

/**
 * Told in place of messages that cannot be told any more. "data": read anew what you show of the books, and go on; "messages":
 * some that were in no books are lost.
 */
export type Resync = { readonly type: 'resync'; readonly lost: 'data' | 'messages'; readonly detail: string };

/** How it stands. `offline`: no appliance answers; sales are kept, and sent when one does. */
export type ConnectionState = {
  readonly state: 'idle' | 'connecting' | 'online' | 'offline' | 'closed';
  /** By which messages come now. */
  readonly transport: 'websocket' | 'polling' | null;
  /** Base address of the appliance that is spoken to; null before the first answered. */
  readonly appliance: string | null;
  /** It is not the till's own: that one does not answer. */
  readonly isAway: boolean;
  /** Tickets that no appliance has confirmed; those that were refused are not among them. */
  readonly pending: number;
  /** Tickets that an appliance refused, for a person to look at. */
  readonly rejected: number;
  /** False where nothing can be written on this device: tickets that are not sent yet are lost when the page is closed. */
  readonly isOutboxDurable: boolean;
  /** Why it does not stand better, as a sentence for a person; null when nothing is wrong. */
  readonly trouble: string | null;
};

export type Quality = {
  readonly level: 'good' | 'fair' | 'poor' | 'offline';
  readonly transport: 'websocket' | 'polling' | null;
  /** Of the last question that was answered, milliseconds. */
  readonly rttMs: number | null;
  /** When anything was last heard. */
  readonly lastHeardAt: number | null;
  /** Since `connect`: connections lost, and moves to another appliance. */
  readonly reconnects: number;
  readonly moves: number;
};

/**
 * A ticket as POST /api/v1/tickets takes it. What is missing of `id` (UUIDv7), `soldAt` (now) and `terminalId` (of a till's token)
 * is filled in.
 */
export type Ticket = { readonly id?: string; readonly [member: string]: unknown };

/** A ticket that an appliance refused: it stays until a person has seen to it. */
export type RejectedTicket = {
  readonly ticket: Ticket & { readonly id: string };
  /** Stable name of what is wrong, as the appliance's problem document has it. */
  readonly code: string;
  /** A sentence that says what to do. */
  readonly detail: string;
  readonly rejectedAt: number;
  /** False: no appliance said what is wrong with it ("no_verdict"); it is sent again from time to time by itself. */
  readonly isFinal: boolean;
};

export type OutboxEvent =
  /** An appliance has it on disk. `stored` is its answer. */
  | { readonly kind: 'stored'; readonly id: string; readonly stored: unknown }
  | { readonly kind: 'rejected'; readonly rejected: RejectedTicket };

export type Unsubscribe = () => void;

export type ConnectionManager = {
  /** Resolves when an appliance was reached, by whichever way, or none of them could be: what then is told by `onState`. */
  connect(): Promise<void>;
  /** Ends connections and timers; tickets that were not sent stay in the outbox. */
  close(): void;
  onMessage(listener: (message: LiveMessage | Resync) => void): Unsubscribe;
  /** Called at once with how it stands, and at each change. */
  onState(listener: (state: ConnectionState) => void): Unsubscribe;
  state(): ConnectionState;
  /** To all tabs and tills of the same user. Rejects when no appliance took it. */
  send(message: {
    readonly type: string;
    readonly payload?: unknown;
    readonly correlationId?: string;
  }): Promise<{ readonly messageId: string; readonly timestamp: number }>;
  subscribe(...topics: readonly string[]): void;
  unsubscribe(...topics: readonly string[]): void;
  quality(): Quality;
  /**
   * Resolves, with the ticket's id, when the ticket is written on this device: from then on it is sent, in the order of the
   * sales, until an appliance has confirmed it. Rejects only for what can never be sent: something that is no object, or has a
   * malformed id; or when the device cannot keep it, so that nobody hands over goods on a sale that is nowhere.
   */
  sell(ticket: Ticket): Promise<{ readonly id: string }>;
  /** For a badge: tickets that no appliance has confirmed yet. */
  pending(): number;
  rejected(): readonly RejectedTicket[];
  /** Sends a refused ticket again, as it is or corrected, behind those that wait. */
  retry(id: string, corrected?: Ticket): Promise<void>;
  /** Forgets a refused ticket that somebody has seen to. */
  discard(id: string): Promise<void>;
  onOutbox(listener: (event: OutboxEvent) => void): Unsubscribe;
  /** Asks the appliance that is spoken to: `path` as in its API, with the token; moves to another one when it does not answer. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Base addresses of the shop's appliances, the till's own first. */
  appliances(): readonly string[];
};

/** The same options give the same manager: a page has one connection however many of its scripts ask. */
export declare function getConnectionManager(options?: ConnectionOptions): ConnectionManager;
