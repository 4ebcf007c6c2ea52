// What appliances say to each other, as values; protocol/ has their bytes. Append-only: a member may be added, none may
// change its meaning.

import type { Heads } from './heads.ts';

export type Role = 'dialer' | 'listener';
export type ProtocolRange = { readonly min: number; readonly max: number };

/**
 * The first thing either side says: why it should be let in. A key that is known here needs no more than its channel;
 * whoever is not yet known shows that it holds the shop key or a join code, on this very channel, or who let it in.
 * Nothing else is told before.
 */
export type ProofMessage = {
  readonly type: 'proof';
  readonly protocol: ProtocolRange;
  readonly shop: string;
  /** Of the running process: two at once under one key are an appliance and its copy. */
  readonly instance: string;
  /** HMAC under the shop key, hex; empty without one. */
  readonly proof: string;
  /** HMAC under the key of a join code. */
  readonly code?: string | undefined;
  /** It asks to be let in by whoever minds this appliance. */
  readonly asks?: boolean | undefined;
  /** Nothing was ever written in its shop, which would give way to one that had the shop key before. */
  readonly givesWay?: boolean | undefined;
  /** As it is called, should it want anything here. */
  readonly name?: string | undefined;
  /** The commit, by a member, that says it was let in: base64 of a frame of commits. */
  readonly voucher?: string | undefined;
};

/** To whoever may join: the shop is this one. `proof` shows that the sender knows the code, or the shop key, too. */
export type WelcomeMessage = {
  readonly type: 'welcome';
  readonly shop: string;
  readonly name: string;
  readonly proof: string;
};

/** Where other members can be dialed. */
export type AddressesMessage = {
  readonly type: 'addresses';
  readonly peers: readonly { readonly id: string; readonly address: string }[];
};

export type HelloMessage = {
  readonly type: 'hello' | 'hello_ack';
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly shop: string;
  /** Port under which the sender's mesh can be dialed, 0 when it cannot. */
  readonly meshPort: number;
  /** Under which it serves tills and pages, such as "http://10.0.0.1:3030". Older versions do not say. */
  readonly origins?: readonly string[] | undefined;
  readonly heads: Heads;
  /** Chain head of each origin at that number, first 16 hex digits: equal numbers with unequal hashes are a fork. */
  readonly hashes: { readonly [origin: string]: string };
};

/**
 * "Send me what these replicas wrote, from my heads on, and what they write from now on." Replaces what was wanted
 * before. Without `again`, what was already sent on this link is not sent again.
 */
export type WantMessage = {
  readonly type: 'want';
  readonly replicas: readonly string[];
  readonly heads: Heads;
  readonly again: boolean;
  /** Origins of these replicas that the sender cannot place: they have forked. */
  readonly without: readonly string[];
};

/** What is durable at the sender, of the origins just received. */
export type AckMessage = { readonly type: 'ack'; readonly heads: Heads };

export type HeadsMessage = {
  readonly type: 'heads';
  readonly heads: Heads;
  readonly hashes: { readonly [origin: string]: string };
};

/** `at` in Unix milliseconds; `heads` 16 and `books` 32 hex digits of digests. A pong brings back the ping's `at` as `echo`. */
export type PingMessage = {
  readonly type: 'ping';
  readonly at: number;
  readonly heads: string;
  readonly books: string;
};
export type PongMessage = {
  readonly type: 'pong';
  readonly at: number;
  readonly echo: number;
  readonly heads: string;
  readonly books: string;
};

/** "Compare heads now." `bidirectional` asks the other side to fetch from us, too; it is never answered by a request. */
export type SyncRequestMessage = { readonly type: 'sync_request'; readonly bidirectional: boolean };

/** Digests of the parts of the books, sent when heads are equal and books are not. */
export type BooksMessage = {
  readonly type: 'books';
  readonly heads: string;
  readonly digests: { readonly [part: string]: string };
};

/** A hash for each of the 256 ranges of one part of the books, then the rows of a range that differs. */
export type RangesMessage = {
  readonly type: 'ranges';
  readonly heads: string;
  readonly part: string;
  readonly hashes: readonly string[];
};
export type RowsMessage = {
  readonly type: 'rows';
  readonly heads: string;
  readonly part: string;
  readonly range: number;
  readonly rows: { readonly [id: string]: string };
};

/**
 * Commits of an origin that do not follow on what the sender holds, though `common` (its chain head: `hash`) is held
 * there, too: for their author, who is not linked to whoever holds them. Passed on towards it, at most 8 times.
 */
export type StraysMessage = {
  readonly type: 'strays';
  readonly origin: string;
  readonly common: number;
  readonly hash: string;
  /** Base64. */
  readonly publicKey: string;
  readonly commits: readonly string[];
  readonly hops: number;
};

/**
 * Something said to tills and people, passed on to those of other appliances; it is in no books. It goes the way that ops
 * of `author` go, and is known by its id.
 */
export type LiveWireMessage = {
  readonly type: 'live';
  /** Replica at which it was said. */
  readonly author: string;
  readonly id: string;
  /** Its type as tills know it. */
  readonly kind: string;
  /** Text of JSON. */
  readonly payload: string;
  /** Whom it is for: a user, else topics, else all. */
  readonly user?: string | undefined;
  readonly topics?: readonly string[] | undefined;
  readonly correlationId?: string | undefined;
  /** Unix milliseconds, by the author's clock; and how long ago that was, by the clocks of those who passed it on. */
  readonly timestamp: number;
  readonly ageMs: number;
};

/** "Send me your books as a file." `have`: the snapshot that the sender holds a part of, or "". */
export type SnapshotRequestMessage = { readonly type: 'snapshot_request'; readonly have: string };
/** It is being made; told every second. */
export type SnapshotMakingMessage = {
  readonly type: 'snapshot_making';
  readonly bytes: number;
  readonly bytesDone: number;
};
/** `manifest` as the maker signed it (see snapshot.ts); the snapshot's name is the first 32 hex digits of its SHA-256. */
export type SnapshotOfferMessage = {
  readonly type: 'snapshot_offer';
  readonly manifest: string;
  /** Hex. */
  readonly signature: string;
};
/** There is none, or no longer: ops are to be asked for. */
export type SnapshotRefusedMessage = { readonly type: 'snapshot_refused'; readonly reason: string };
/** Chunks come as frames of their own; `packed`: rather compressed; `doneCount`: how many the sender has by now. */
export type SnapshotChunksMessage = {
  readonly type: 'snapshot_chunks';
  readonly id: string;
  readonly indexes: readonly number[];
  readonly packed: boolean;
  readonly doneCount: number;
};
/** The sender has all of it, or wants no more. */
export type SnapshotEndMessage = { readonly type: 'snapshot_end'; readonly id: string };
/** To a second peer: "are these the chain heads and the books that you know?" */
export type SnapshotCheckMessage = {
  readonly type: 'snapshot_check';
  readonly id: string;
  readonly heads: Heads;
  readonly hashes: { readonly [origin: string]: string };
  readonly digests: { readonly [part: string]: string };
};
/** `differs` names what is otherwise there, "" when nothing that it knows is. */
export type SnapshotCheckedMessage = {
  readonly type: 'snapshot_checked';
  readonly id: string;
  readonly differs: string;
};

export type SnapshotMessage =
  | SnapshotRequestMessage
  | SnapshotMakingMessage
  | SnapshotOfferMessage
  | SnapshotRefusedMessage
  | SnapshotChunksMessage
  | SnapshotEndMessage
  | SnapshotCheckMessage
  | SnapshotCheckedMessage;

/** Why the sender is about to close, in words for the other side's log. */
export type ByeMessage = { readonly type: 'bye'; readonly reason: string };

export type Message =
  | ProofMessage
  | WelcomeMessage
  | AddressesMessage
  | HelloMessage
  | WantMessage
  | AckMessage
  | HeadsMessage
  | PingMessage
  | PongMessage
  | SyncRequestMessage
  | BooksMessage
  | RangesMessage
  | RowsMessage
  | StraysMessage
  | LiveWireMessage
  | SnapshotMessage
  | ByeMessage;
