// Every maximum of the appliance, each with the reason for its number. A loop, queue, frame or read without a line
// here is a defect.

const KiB = 1024;
const MiB = 1024 * KiB;

// Books

/** A client may make ids of 1 to 64 of these characters; a derived id adds a "/", which no client can write. */
export const idPattern = /^[A-Za-z0-9_.:-]{1,64}$/;
/** Longest text in a named field (a name, a note): two printed pages. */
export const textCharsMax = 4000;
/** Longest real invoice known to us has 675 lines; ten times that is no ticket. */
export const ticketLinesMax = 5000;
/** Largest amount and milli-quantity: a thousand million units. Sums stay exact to nine thousand of the largest. */
export const amountMax = 1e12;
/** Quantities have three decimals: 1.234 kg is stored as 1234. */
export const quantityScale = 1000;
/** Objects and arrays inside one another; what is deeper is an attack on the parser. */
export const jsonDepthMax = 32;
/** Each member and attribute of a record is a field of its own: some thousand would make every read of it slow. */
export const fieldsPerRecordMax = 1000;
/** Codes of one product: single piece, box, pallet, old and new labels. */
export const barcodesPerProductMax = 100;

// HTTP

export const bodyBytesMax = 1 * MiB;
export const batchBodyBytesMax = 8 * MiB;
export const batchItemsMax = 5000;
export const pageRowsMax = 1000;
export const pageRowsDefault = 100;
/** A page ends early past this: a thousand of the largest tickets would be a gigabyte. */
export const answerBytesMax = 4 * MiB;
/** Rows in memory at once while a page is made: the first few tell whether the rest are small. */
export const rowsReadFirst = 5;
export const rowsReadMax = 100;
/** Long polling: below what proxies cut (60 s). */
export const feedWaitSecondsMax = 55;
/** Long polls at once, each of which holds a socket; a shop has tens of tills. */
export const feedWaitersMax = 256;
/** What stands on one port at once. Where it is more, whoever keeps us waiting makes room. */
export type PortLimits = {
  readonly socketsMax: number;
  /** Of those that have not asked for anything yet: all tills that come back at once after a power cut. */
  readonly silentMax: number;
  /** From the connection to the end of the first request's head. */
  readonly silentMs: number;
};
/** The plain port: tens of tills, a few browsers with six each; and all that may listen or wait at once. */
export const httpPortLimits: PortLimits = { socketsMax: 1536, silentMax: 128, silentMs: 15_000 };
/** The head of a request: cookies and a token are 1 KiB. */
export const httpHeadBytesMax = 16 * KiB;
/** Names that are not ours, told in the log since the start: a machine has a few, an attacker as many as he likes. */
export const refusedNamesToldMax = 20;
/** From the first byte to the end of the head; who is slower holds a socket for nothing. Node tells them, up to half as much later. */
export const httpHeadMs = 10_000;
/** Answers under way when we stop have this long; the whole stop takes 5 s at most. */
export const httpCloseMs = 2_000;
/** Search texts are looked for as they are, never as a pattern; longer ones match nothing. */
export const searchCharsMax = 200;

// Credentials

/** Ten characters of a person's own resist guessing from a stolen copy of the books for a while; fewer do not. */
export const passwordCharsMin = 10;
/** No person's password is longer; what is would only be work for us. */
export const passwordBytesMax = 1024;
/** Each takes 19 MiB and a core for some 30 ms: two leave cores for sales, and the rest wait their turn. */
export const passwordsAtOnceMax = 2;
/** About a second of waiting; past it the answer is 503. */
export const passwordsWaitingMax = 64;
/** What a peer may make us spend on one password: no parameters in use ask for more. */
export const passwordMemoryKiBMax = 65_536;
export const passwordPassesMax = 10;
export const passwordLanesMax = 4;
/** People who may log in to one shop. */
export const usersMax = 1000;
/** People logged in at once, some of them on several devices; past it the one idle longest is out. */
export const sessionsMax = 500;
/** Of one person: his devices, and what he never logged out of. So nobody puts others out by logging in again and again. */
export const sessionsOfUserMax = 20;
/** A working day, so that nobody is put out at the counter; and a week in all. */
export const sessionIdleMs = 12 * 3_600_000;
export const sessionMs = 7 * 24 * 3_600_000;
/** The last use of a till's token is written to disk this seldom: it tells a lost till from one in use. */
export const terminalUseNotedMs = 3_600_000;
/** Tokens whose record is remembered: a shop has tens. */
export const tokensRememberedMax = 1000;
/** What the console reads of one answer: a status with all the peers there may be is a tenth of it. */
export const consoleAnswerCharsMax = MiB;

// Messages for tills (realtime/)

/** A till that was asleep, or without network, for so long has missed nothing that was said to it. */
export const liveQueueMs = 5 * 60_000;
export const liveSweepMs = 60_000;
/** Of one queue (all, a user, a topic): three a second for all that time. */
export const liveQueueMessagesMax = 1000;
export const liveQueueBytesMax = 1 * MiB;
/** A queue for each user and topic there is; a shop has tens. */
export const liveQueuesMax = 1000;
/** All queues together; a Pi has room for that beside everything else. */
export const liveBytesMax = 16 * MiB;
/** A frame of a client, and the body of a message: what tills tell each other is a line or a basket. */
export const liveFrameBytesMax = 64 * KiB;
export const livePayloadBytesMax = 60 * KiB;
export const liveTypePattern = /^[A-Za-z0-9_.:-]{1,64}$/;
/** "user:" and the name of a person, or the id of a till. */
export const liveUserCharsMax = 80;
export const correlationIdCharsMax = 128;
/** Topics that one message goes to, and that one reader hears of. */
export const messageTopicsMax = 16;
export const readerTopicsMax = 64;
/** Messages of one answer, or read at once for those who listen. */
export const livePageMax = 1000;
export const livePumpPage = 100;
/** Places read from in one turn: listeners that stand apart wait for each other, and sales for none of them. */
export const livePumpReadsMax = 8;
/** Who is more arrivals behind reads the books anew: that is sooner done. */
export const liveBehindMax = 10_000;
/** Moments remembered for pollers that send a time: one each 100 ms for as long as messages wait, and room for as many more. */
export const liveMomentsMax = 6000;
export const liveMomentMs = 100;
/** Ids of messages that are known from twice their life: then no peer passes them on any more. */
export const liveIdsMax = 50_000;
/** Open WebSockets of tills: 500 tills and people are a large shop; past it who holds most makes room. */
export const liveSocketsMax = 640;
/** Of these over TLS, whose port is that of the peers, too. */
export const liveTlsSocketsMax = 192;
/** Polls that wait at once; as above. */
export const livePollsMax = 256;
/** Frames of one client that wait to be looked at, past which no more are read from it. */
export const liveFramesWaitingMax = 64;
/** Not taken yet by one client; past it nothing more is read for it. */
export const liveSocketBytesMax = 256 * KiB;
/** A ping that is not answered until the next one ends a connection. */
export const liveHeartbeatMs = 30_000;
/** Messages passed to a peer again after a cut, the latest: all that a shop says in five minutes, many times over. */
export const liveReplayBytesMax = 2 * MiB;
/** Waiting in the socket of a link past which messages wait with us: ops go before. */
export const liveLinkBytesMax = 256 * KiB;
/** Messages that one peer may pass in a window of ten seconds: a hundred tills that say ten a second. */
export const livePeerMessagesMax = 10_000;
export const livePeerWindowMs = 10_000;
/** Addresses under which an appliance says that it serves: both schemes for each name and address of a machine. */
export const servedOriginsMax = 64;

// Rate limits: requests in a window of seconds

/** For an address that shows no valid credential: a page is ten requests, a probe every five seconds 180. */
export const strangerRequestsMax = 1000;
export const strangerWindowSeconds = 900;
/** For a till or an admin: 100 a second sustained, 1000 in a burst; no till asks a tenth of it. */
export const callerRequestsMax = 1000;
/** Sales have ten times that for themselves, so nothing else that a till does can cost one. */
export const saleRequestsMax = 10_000;
export const callerWindowSeconds = 10;
/** Wrong passwords and claim codes from one address: a person mistypes three times. */
export const loginFailuresMax = 10;
export const loginWindowSeconds = 60;
/** Of one address, while the one before is looked at: about a second of waiting; past it the answer is 503. */
export const loginsWaitingMax = 32;
/** Addresses and callers counted at once, 200 bytes each: who makes up addresses gains no memory of ours. */
export const limitedKeysMax = 10_000;

// Journal

/** Numbers of one origin fit 40 bits, so that `index * 2^40 + number` is one exact integer key. */
export const opNumberBits = 40;
export const opNumberMax = 2 ** opNumberBits - 1;
/** Origins (appliances × epochs) one replica can hold: 2^53 / 2^40 = 8192, half of it. */
export const originsMax = 4096;
/** Others' origins stop before that: our own next epoch must always find room. */
export const othersOriginsMax = originsMax - 64;
/** Epochs of one appliance: six digits. */
export const epochMax = 999_999;
/** How far above what we can have written ourselves a claim to hold our ops is still believed. */
export const epochSlack = 16;
/** Times since the start that peers' claims alone, unproved, make us begin a new epoch: a restored copy needs a few. */
export const epochClaimsMax = 100;
/** Ops that share one seal and one fsync; more gains nothing on the disks measured. */
export const commitOpsMax = 256;
/** A commit is one unit on the wire, so this bounds a frame. One op may be larger than it, up to a body. */
export const commitBytesMax = 256 * KiB;
/** Commits that have parted from ours, kept in memory until they are written again or passed on to their author. */
export const straysBytesMax = 1 * MiB;
/** Appliances in a row through which they pass, at most. */
export const straysHopsMax = 8;
/** Room for a vector of `originsMax` origins. */
export const headerBytesMax = 256 * KiB;
export const payloadBytesMax = 2 * MiB;
/** Waiting commands; past it the answer is 503 and the till keeps the ticket. */
export const commandQueueMax = 10_000;
/** Stamps are 48 bits of milliseconds; above the year 2200 an op is malformed, whoever's clock said it. */
export const stampMsMax = Date.UTC(2200, 0, 1);
/** Off by more than this, a clock is "suspect": far above any drift, far below a wrong day. */
export const clockSuspectMs = 60_000;
/** Write-ahead log past which it is checkpointed between commits. */
export const walBytesSoft = 8 * MiB;
/** Past this a reader or a failing disk holds the checkpoint up: an alarm. */
export const walBytesAlarm = 256 * MiB;
/**
 * Rows of the order of arrival that stock levels and the indexes of movements and ticket numbers may be behind: some
 * hundred tickets share the pages that they touch, and a start reads no more than these again.
 */
export const arrivalsBehindMax = 1024;
/** Stock levels that are behind are in memory: half a MiB of them. */
export const levelsBehindMax = 4096;
/** Stock levels and living records kept in memory: what a day's sales are about, at some hundred bytes each. */
export const rememberedLevelsMax = 10_000;
export const rememberedRecordsMax = 20_000;
/**
 * SQLite's page. A sale alone touches eight, each written whole: 68 KiB (36 with pages of 4 KiB, which take a fifth more of
 * a busy peer's time). Counts for new databases only.
 */
export const pageBytes = 8 * KiB;
/** Page cache of SQLite per connection. */
export const pageCacheBytes = 12 * MiB;
/** Rows of history kept by age and by count. */
export const historyRowsMax = 100_000;
export const historyDaysMax = 30;

/** Addresses of this machine that its certificate names, beside its names. */
export const certificateAddressesMax = 32;

// Trust

/** Statements of one kind by one appliance on who is of the shop: each of the largest number of peers eight times. */
export const statementsPerAuthorMax = 512;
/** Revocations that one statement names: all that hold in a shop at one time. */
export const pardonsMax = 128;
/** Epochs of a revoked one whose last number is named, the latest: a new one comes with a restored disk. */
export const revokedEpochsMax = 64;
/** Name of an appliance, as others keep it. */
export const peerNameCharsMax = 200;
/** Appliances that are not of the shop, shown to admins; what comes above them is not remembered. */
export const strangersShownMax = 64;
/** Refusals that are logged one by one within a minute; the others are counted. */
export const refusalLinesMax = 30;
export const refusalLinesMs = 60_000;
/** Join codes at once, how long each is good, and how many wrong ones end it (80 bits could stand far more). */
export const joinCodesMax = 16;
export const joinCodeMs = 15 * 60_000;
export const joinCodeFailuresMax = 5;
/** A code is shown to whoever can be found for so long; then the person is told. */
export const joinMs = 20_000;
/** Linked for so long without anything heard by mDNS: an appliance says something every few seconds. */
export const mdnsSilentMs = 20_000;
/** Addresses that one peer may tell, at once. */
export const toldAddressesMax = 64;
/** The commit in which somebody let us in, shown to those who have not heard. */
export const voucherBytesMax = 512 * KiB;

// At rest

/** Looked at this often; at rest is who used less than this share of a core meanwhile. */
export const restLookMs = 10_000;
export const restCpuShareMax = 0.02;
/** CPU time after which there is something to give back: a start takes twice as much, at rest it is five minutes. */
export const restAfterCpuMs = 300;

// Mesh

/** Largest frame accepted; a commit of one largest op, with room for its envelope. */
export const frameBytesMax = 4 * MiB;
/** Commits put together in one frame: half a second on a link of 1 Mbit/s, so that frames show life on any link. */
export const batchBytesTarget = 64 * KiB;
/** Unacknowledged bytes on one link: enough for a 50 Mbit/s link with 300 ms there and back. */
export const windowBytesMax = 2 * MiB;
/** Bytes waiting in the socket past which nothing more is read from the journal for it. */
export const socketBufferBytesMax = 4 * MiB;
/** Bytes waiting in the socket past which the link is ended: all that is read from the journal for it, and answers. */
export const linkBufferBytesMax = socketBufferBytesMax + frameBytesMax;
/** Received frames that wait to be applied, per link. */
export const inboxBytesMax = 8 * MiB;
/** Authors whose ops came broken over one link before it is ended: a worn disk spoils a few, not everybody's. */
export const refusalsPerLinkMax = 16;
/** Encoded commits kept in memory so that live pushes are not read from disk again for each peer. */
export const recentCommitBytesMax = 4 * MiB;
export const peersMax = 64;
export const connectionsPendingMax = 32;
/** From TCP to HELLO; a stranger holds a place no longer than this. */
export const handshakeMs = 5_000;
/** The TLS port, tills and browsers over HTTPS included: tens of tills, six a browser, all peers, and who listens or waits. */
export const tlsPortLimits: PortLimits = { socketsMax: 1024, silentMax: 128, silentMs: handshakeMs };
export const dialMs = 5_000;
/** A socket between two requests over HTTPS: longer than what a till takes for one sale to the next customer. */
export const keepAliveMs = 65_000;
/** A whole request: the largest batch at 1 Mbit/s. */
export const requestMs = 70_000;
/**
 * Nothing taken of an answer for so long: the visitor is gone, or means it. Where no more is seen than that a whole answer
 * has gone, the largest goes on 3G in that time (300 kbit/s).
 */
export const answerMs = 120_000;
/** A peer that is told why it is cut off has this long to hear it. */
export const closingMs = 1_000;
/** Imported public keys kept ready: an import costs a third of a verification. A shop has few authors at a time. */
export const publicKeysCachedMax = 256;
/** A pulled cable is noticed after 6 s (worst 8): one ping unanswered. */
export const pingIntervalMs = 5_000;
export const pongMs = 3_000;
/** A loop that was late by this much does not judge its peers by their silence. */
export const stallMs = 1_500;
/** Reconnect delays: 5, 10, 20, 40, 60 s, with jitter, for ever. The first follows quickly: most cuts are short. */
export const redialFirstMs = 1_000;
export const redialBaseMs = 5_000;
export const redialMaxMs = 60_000;
/** A sync request while one runs, or within this time of the last, changes nothing. */
export const syncDebounceMs = 5_000;
/** Nothing acknowledged for this long on a live link: send again from what is known to have arrived. */
export const resendMs = 4_000;
/** Unequal books are searched for the difference in ranges: looked into per part, rows sent of one, ids told. */
export const differingRangesMax = 4;
export const rangeRowsMax = 5000;
export const differingIdsMax = 20;
/** The search reads a whole part of the books, so it is made this seldom. */
export const rangeSearchMs = 60_000;

// Snapshots

/** Missing ops from which the file is sooner there than they are: to fold so many takes a quarter of a second. */
export const snapshotOpsMin = 5_000;
/** Ops of ours that a snapshot lacks and that are carried over into it: at most so many are folded in one go. */
export const snapshotCarriedOpsMax = 2_000;
/** Largest database sent as a file: 16,384 chunks, whose hashes are 1 MiB of manifest. */
export const snapshotBytesMax = 4 * 1024 * MiB;
/** Hashed and sent as one: 2 s on a link of 1 Mbit/s, so that frames show life on it, and half a millisecond to hash. */
export const snapshotChunkBytes = 256 * KiB;
/** Text of a manifest: hashes of the most chunks, and heads of the most origins that still fit a frame with them. */
export const snapshotManifestCharsMax = 3 * MiB;
/** Chunks asked for and not there yet: the window of a link. */
export const snapshotWindowChunks = windowBytesMax / snapshotChunkBytes;
/** Copied, read and hashed in one step while it is made: a sale waits for two milliseconds of it on a Pi. */
export const snapshotStepBytes = 1 * MiB;
/** Written between two syncs: a sale's own sync may wait for all that was written before it, a second of a card's time. */
export const snapshotSyncBytes = 32 * MiB;
/** Kept after it was last asked for, so that a cut transfer finds it again. */
export const snapshotKeepMs = 5 * 60_000;
/** Between two that are made anew: a peer that asks in a loop wears no card out. */
export const snapshotMakeMs = 60_000;
/** Nothing heard of a snapshot that was asked for: that peer knows of none, or is stuck. */
export const snapshotSilenceMs = 3_000;
/** None of it made, or no chunk of it there, for so long, though the link lives: its maker is stuck. */
export const snapshotStallMs = 15_000;
/** The one whose snapshot came in part is waited for so long before another peer is asked. */
export const snapshotReturnMs = 10_000;
/** Altered chunks that one peer may send before it is asked no more. */
export const snapshotBadChunksMax = 3;
/** A peer that had no snapshot, or no good one, is not asked again for so long. */
export const snapshotRefusedMs = 10 * 60_000;
/** Room left on the disk beside a snapshot: a day of sales and the write-ahead log. */
export const snapshotSpareBytes = 64 * MiB;
/** The first chunks, by which the speed of the link is told: 1 MiB, half a second of a slow one. */
export const snapshotProbeChunks = 4;
/** Below this many bytes a second on the link, packing a chunk costs less time than it saves. */
export const snapshotPackBelow = 20 * MiB;
/** Slices in which books that came as a snapshot are checked: a sale waits for no more than one. */
export const snapshotSliceMs = 3;

/** Proof of the shop key: shorter keys can be guessed. */
export const shopKeyCharsMin = 32;

// Discovery

/** Largest multicast DNS packet there may be (RFC 6762, 17): a jumbo frame. */
export const mdnsPacketBytesMax = 9000;
/** Records in one: the smallest that are of use fill a jumbo frame with some four hundred. */
export const mdnsRecordsMax = 512;
/** Pointers followed within one name: an honest packer needs one for each label it shares, names have four or five. */
export const mdnsNameJumpsMax = 16;
export const mdnsNameBytesMax = 255;
/** Labels and pointers read in one packet, each time that they are pointed to: sixteen for each record, half a millisecond. */
export const mdnsLabelsMax = 8192;
/** Appliances told of in one packet; more than there may be candidates says nothing more. */
export const mdnsInstancesMax = 64;
/**
 * Packets about appliances that are read in one second, of all and of one address: 64 appliances answer once a second each,
 * and the worst one costs half a millisecond.
 */
export const mdnsPacketsPerSecondMax = 200;
export const mdnsPacketsPerSourceMax = 50;
/** Places at addresses where an appliance is said to be: all peers there may be. */
export const candidatesMax = 64;
/** Of these from one address, so that no single liar can fill the table; a machine with more appliances is a test. */
export const candidatesPerSourceMax = 16;
/** Addresses of one appliance: cable, radio, and the same again after a change. */
export const addressesPerReplicaMax = 4;
/** Sightings told in one second: each may make the mesh dial. */
export const sightingsPerSecondMax = 64;
/** Interfaces taken part on; a host of containers may have hundreds. */
export const mdnsInterfacesMax = 16;
/** How long others may keep what we say (RFC 6762, 10: what depends on an address). */
export const mdnsTtlSeconds = 120;
/** Well under what the smallest devices take in one packet. */
export const mdnsTxtBytesMax = 300;
export const seenNameCharsMax = 64;
/** A label of DNS. */
export const mdnsLabelBytesMax = 63;
/** Interfaces are looked at and the network is asked this often: a killed peer is gone after four of these, under 10 s. */
export const discoveryRoundMs = 2_000;
export const missedRoundsMax = 3;
/** Looks that a network in trouble waits before it is built anew unchanged: a rebuild disturbs the interfaces that work. */
export const rebuildRoundsMin = 3;
/** A question of somebody else begins a round for all (RFC 6762, 7.3), but no sooner: answers to the last come within it. */
export const discoveryRoundMsMin = 1_500;
/** One answer, and one question, in this time (RFC 6762, 6). */
export const mdnsSpacingMs = 1_000;
/** Answers to one question are spread over this, so that not all speak at once (RFC 6762, 6). */
export const mdnsAnswerSpreadMs = { min: 20, max: 120 } as const;
/** At the end, the goodbye has this long to leave, and the sockets to close: within half a second together. */
export const mdnsGoodbyeMs = 300;
export const mdnsCloseMs = 150;
