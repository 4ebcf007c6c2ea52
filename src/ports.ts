// What the appliance needs from the outside, as types only. Real ones live in edges/, simulated ones in test/sim/:
// nothing inside may reach for time, chance, keys, disks or sockets in any other way.

import type BetterSqlite3 from 'better-sqlite3';

export type Clock = {
  /** Wall clock in Unix milliseconds; may be wrong by years and may step. */
  now(): number;
  /** Milliseconds since an arbitrary moment; never steps back. For durations only. */
  monotonic(): number;
};

export type TimerHandle = { cancel(): void };

export type Timers = {
  after(delayMs: number, run: () => void): TimerHandle;
  /** Runs once the input that is already waiting has been read: what gathers writes into one commit. */
  soon(run: () => void): void;
};

export type Random = {
  bytes(count: number): Uint8Array;
  /** Uniform in [0, 1). */
  fraction(): number;
};

export type ShopOfKey = { readonly shop: string; readonly key: Uint8Array };

/** Public keys are P-256 points, uncompressed (65 bytes); signatures are ECDSA with SHA-256, r‖s (64 bytes). */
export type Crypto = {
  sha256(input: Uint8Array | string): Uint8Array;
  hmacSha256(key: Uint8Array, input: Uint8Array | string): Uint8Array;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** What follows from a shop key: the id of the shop that it makes, and the key to prove it with (32 bytes). Slow. */
  shopOfKey(text: string): ShopOfKey;
};

/** The appliance's one key. `sign` is deterministic in nothing but its length. */
export type Signer = {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
};

export type LogFacts = Record<string, unknown>;
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (message: string, facts?: LogFacts) => void>;

/** Opens the one database file. A port, so that the simulation can make a real SQLite fail. Throws SqliteError. */
export type OpenDatabase = (path: string, options: { readonly: boolean }) => BetterSqlite3.Database;

export type ConnectionEvents = {
  frame(frame: string | Uint8Array): void;
  /** The bytes handed to `send` have left; asked for by back-pressure. */
  drained(): void;
  /** Called exactly once, whoever closed. */
  closed(reason: string): void;
};

/** One authenticated, encrypted, ordered stream of frames to another appliance. Who it is, is not yet known. */
export type Connection = {
  readonly dialedByUs: boolean;
  /** host:port of the other end, for people. */
  readonly address: string;
  /** The key in the certificate that the other end proved to hold (TLS). */
  readonly peerKey: Uint8Array;
  /** 32 bytes that both ends of this TLS channel share and nobody else has (RFC 5705 exporter). */
  readonly channelBinding: Uint8Array;
  /** Must be called once, before the next turn of the event loop; frames that came earlier are delivered then. */
  listen(events: ConnectionEvents): void;
  /** Never throws; on a closed connection it does nothing. */
  send(frame: string | Uint8Array): void;
  bufferedBytes(): number;
  /** Ends the connection at once, without a closing handshake that a dead peer would never answer. */
  close(reason: string): void;
};

export type DialOutcome = { ok: true; connection: Connection } | { ok: false; reason: string };

export type Transport = {
  /** Calls `done` exactly once, within the dial time-out. `address` is host:port of a mesh port. */
  dial(address: string, done: (outcome: DialOutcome) => void): void;
};

/** Somebody says, on the network, that an appliance is at an address. A hint where to dial, never trust: proved by dialing. */
export type Sighting = {
  /** 26 characters of a-z2-7, checked by shape only. */
  readonly replicaId: string;
  /** host:port of its mesh port, dialable from here: on the network of one of our interfaces. */
  readonly address: string;
  /** For people. Hostile text: at most 64 characters, no control characters. */
  readonly name: string;
  /** 26 characters of a-z2-7, checked by shape only. */
  readonly shop: string;
};

export type DiscoveryEvents = {
  /** Told for a newcomer, after a change or a restart, and when it is heard again after a silence: a sign of life. */
  seen(sighting: Sighting): void;
  /** Told once, when nothing is heard of it at any address any more. */
  gone(replicaId: string): void;
};

export type DiscoveryStatus = {
  readonly enabled: boolean;
  /** Those that it speaks and listens on. */
  readonly interfaces: readonly { readonly name: string; readonly address: string }[];
  /** When a packet of another machine or appliance came last, of whatever service; Unix milliseconds. */
  readonly lastHeardAt: number | null;
  readonly packetsHeard: number;
  /** Malformed, too large, too many, or from another network. */
  readonly packetsDropped: number;
  readonly sent: number;
  /** What is wrong now, as a sentence that says what to do; null when nothing is. */
  readonly lastError: string | null;
  /** Appliances seen at the moment. */
  readonly seen: number;
};

export type Announcement = {
  readonly replicaId: string;
  readonly name: string;
  readonly shop: string;
  readonly meshPort: number;
};

export type Discovery = {
  /** Announces and listens until `stop`; a second start changes nothing. Never throws, whatever the network is like. */
  start(self: Announcement, events: DiscoveryEvents): void;
  status(): DiscoveryStatus;
  /** Ask again now (at most once a second). */
  refresh(): void;
  /** The goodbye is on the wire and the sockets are closed; within 500 ms. It may be started again. */
  stop(): Promise<void>;
};

/** A file for reading or writing at any place, with what is under way done by others than our own thread. */
export type OpenFile = {
  /** Fewer bytes than asked for only at the end. */
  read(offset: number, bytes: number, done: (read: Uint8Array | Error) => void): void;
  write(offset: number, bytes: Uint8Array, done: (error: Error | null) => void): void;
  /** Calls back once all that was written is on disk. */
  sync(done: (error: Error | null) => void): void;
  /** Takes effect when nothing is under way any more, and then calls back; nothing is begun after it. */
  close(closed?: () => void): void;
};

/** Large files, moved without holding up the loop: what snapshots need. Where this port is missing there are none. */
export type Bulk = {
  /** 'write' makes a file that is not there. Throws as node:fs does. */
  open(path: string, mode: 'read' | 'write'): OpenFile;
  /** Throws as node:fs does. */
  freeBytes(folder: string): number;
  /** zstd. */
  pack(bytes: Uint8Array, done: (packed: Uint8Array | Error) => void): void;
  /** Fails when there is more in it than `bytesMax`. */
  unpack(packed: Uint8Array, bytesMax: number, done: (bytes: Uint8Array | Error) => void): void;
};

export type Ports = {
  clock: Clock;
  timers: Timers;
  random: Random;
  crypto: Crypto;
  signer: Signer;
  log: Log;
  transport: Transport;
  /** Without it nobody is looked for on the network. */
  discovery?: Discovery;
  openDatabase: OpenDatabase;
  bulk?: Bulk;
};
