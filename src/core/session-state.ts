// A session's state, its events and its effects: the vocabulary of session.ts.

import { type Heads, missingCount } from './heads.ts';
import type {
  AddressesMessage,
  LiveWireMessage,
  Message,
  ProofMessage,
  ProtocolRange,
  Role,
  SnapshotMessage,
  StraysMessage,
  WelcomeMessage,
} from './message.ts';

/** What the session knows of its own side; read anew for each event. */
export type OwnSide = {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly shop: string;
  readonly meshPort: number;
  /** Under which it serves tills now. */
  readonly origins: () => readonly string[];
  readonly protocol: ProtocolRange;
  readonly heads: Heads;
  readonly hashes: { readonly [origin: string]: string };
  readonly headsDigest: string;
  readonly booksDigest: string;
  readonly parts: { readonly [part: string]: string };
  /** Hashes of the ranges of a part of our books, and the rows of a range; slow. */
  readonly rangeHashes: (part: string) => readonly string[];
  readonly rangeRows: (part: string, range: number) => { readonly [id: string]: string };
  /** What we say of ourselves on this channel; and what becomes of whoever says such a thing there. */
  readonly proof: () => ProofMessage;
  readonly judge: (proof: ProofMessage) => Admission;
  /** Id that belongs to the key in the other side's certificate. */
  readonly peerKeyId: string;
  readonly wallMs: number;
  /** Of origins whose common past with the other side is looked for: the number to ask from, below what we hold. */
  readonly askFrom: Heads;
};

export type Admission =
  /** Of the shop: go on. */
  | { readonly kind: 'member' }
  /** Not of the shop, and may become so. */
  | { readonly kind: 'newcomer' }
  /** It is we who want to be let in there. */
  | { readonly kind: 'host' }
  | { readonly kind: 'refused'; readonly reason: CloseReason; readonly detail: string };

export type Peer = {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly meshPort: number;
  /** Under which it serves tills, as it says itself. */
  readonly origins: readonly string[];
  readonly protocol: number;
};

type InFlight = { readonly origin: string; readonly last: number; readonly bytes: number };

export type Session = {
  readonly role: Role;
  readonly phase: 'proving' | 'asking' | 'greeting' | 'open' | 'closed';
  readonly protocol: number;
  readonly peer: Peer | null;
  /** What the other side is known to hold, durable. */
  readonly peerHeads: Heads;
  /** Replicas that it wants from us, and how far each origin has been sent on this link. */
  readonly peerWants: readonly string[];
  /** Origins of those that it cannot place. */
  readonly peerWithout: readonly string[];
  readonly sent: Heads;
  readonly inFlight: readonly InFlight[];
  /** Replicas that we want from it. */
  readonly wants: readonly string[];
  readonly without: readonly string[];
  readonly openedAt: number;
  readonly lastTickAt: number;
  readonly lastFrameAt: number;
  /** When commits last came, or we last asked for them again. */
  readonly lastProgressAt: number;
  readonly lastAskedAt: number;
  readonly pingAt: number;
  readonly awaitingPong: boolean;
  readonly unequalPings: number;
  readonly booksUnequal: number;
  /** When we last looked where the books differ. */
  readonly searchedAt: number;
  readonly answeredAt: number;
  /** Answers to our last search that are still looked at: each reads a whole part of the books. */
  readonly rowsLeft: number;
};

/** Times are monotonic milliseconds. */
export type Event =
  | { readonly kind: 'opened' }
  | { readonly kind: 'message'; readonly message: Message }
  /** A frame of commits, or a chunk, came in: told for the heads and the clock of progress; the mesh deals with it. */
  | { readonly kind: 'commitsReceived' }
  /**
   * Commits that came over this link are durable here. `heads`: ours, of their origins; `came`: how far each origin came
   * over this link, which is what the other side surely holds; `gap` when some could not be placed.
   */
  | { readonly kind: 'applied'; readonly heads: Heads; readonly came: Heads; readonly gap: boolean }
  /** What came over this link and is about to be durable: the other side holds it. */
  | { readonly kind: 'came'; readonly heads: Heads }
  /** The answer to a `read` effect: commits up to `last` were put on the wire (bytes 0: there were none). */
  | { readonly kind: 'sent'; readonly origin: string; readonly last: number; readonly bytes: number }
  /** What we hold, or where we ask from, has gone back: have it sent again from there. */
  | { readonly kind: 'askAgain' }
  | { readonly kind: 'subscribe'; readonly replicas: readonly string[]; readonly without: readonly string[] }
  | { readonly kind: 'syncRequested'; readonly bidirectional: boolean }
  /** Something for an author of whom we hold what it lacks; where others are; a welcome; for tills; or about snapshots. */
  | {
      readonly kind: 'tell';
      readonly message: StraysMessage | AddressesMessage | WelcomeMessage | LiveWireMessage | SnapshotMessage;
    }
  /** We hold ops of a replica that we held none of: others may want them from us. */
  | { readonly kind: 'announce' }
  /** Our journal has grown, or the socket has room again. */
  | { readonly kind: 'wake' }
  | { readonly kind: 'tick' };

export type Effect =
  | { readonly kind: 'send'; readonly message: Message }
  | { readonly kind: 'read'; readonly origin: string; readonly after: number; readonly bytesMax: number }
  | { readonly kind: 'greeted'; readonly peer: Peer }
  /** The other side's heads are news: plan subscriptions again, look for forks. */
  | { readonly kind: 'peerHeads'; readonly heads: Heads; readonly hashes: { readonly [origin: string]: string } }
  /** The other side cannot place what we wrote under these origins of ours. */
  | { readonly kind: 'complained'; readonly origins: readonly string[] }
  | { readonly kind: 'strays'; readonly message: StraysMessage }
  /** It may join: say so, and the link has done its duty. */
  | { readonly kind: 'newcomer' }
  | { readonly kind: 'welcomed'; readonly message: WelcomeMessage }
  | { readonly kind: 'addresses'; readonly message: AddressesMessage }
  | { readonly kind: 'live'; readonly message: LiveWireMessage }
  | { readonly kind: 'snapshot'; readonly message: SnapshotMessage }
  | { readonly kind: 'measured'; readonly rttMs: number; readonly offsetMs: number }
  /** Digests of equal heads were compared. `parts` names what differs, and `ids` which rows, where that is known. */
  | {
      readonly kind: 'compared';
      readonly equal: boolean;
      readonly parts: readonly string[];
      readonly ids: readonly string[];
    }
  | { readonly kind: 'close'; readonly reason: CloseReason; readonly detail: string };

export type CloseReason =
  | 'protocol_mismatch'
  | 'not_of_this_shop'
  | 'not_approved'
  | 'revoked'
  | 'cloned'
  | 'our_own_address'
  | 'handshake_timeout'
  | 'heartbeat_timeout'
  | 'malformed'
  | 'identity_mismatch';

export type Stepped = { readonly session: Session; readonly effects: readonly Effect[] };

export function createSession(role: Role, now: number): Session {
  return {
    role,
    phase: 'proving',
    protocol: 0,
    peer: null,
    peerHeads: {},
    peerWants: [],
    peerWithout: [],
    sent: {},
    inFlight: [],
    wants: [],
    without: [],
    openedAt: now,
    lastTickAt: now,
    lastFrameAt: now,
    lastProgressAt: now,
    lastAskedAt: Number.NEGATIVE_INFINITY,
    pingAt: now,
    awaitingPong: false,
    unequalPings: 0,
    booksUnequal: 0,
    searchedAt: Number.NEGATIVE_INFINITY,
    answeredAt: Number.NEGATIVE_INFINITY,
    rowsLeft: 0,
  };
}

/** Ops that we hold and the other side has not acknowledged. */
export const pendingCount = (session: Session, ours: Heads): number => missingCount(session.peerHeads, ours);
/** Ops that the other side is known to hold and we do not. */
export const behindCount = (session: Session, ours: Heads): number => missingCount(ours, session.peerHeads);
