// The first look at bytes from the network: whether they are about us at all, and whether a decoder may see them. What
// passes has whole records, names without loops or long chains, and nothing but the four types of record that we read
// (others are made opaque): decoding it takes a bounded time. Pure; never throws.

import {
  mdnsLabelsMax,
  mdnsNameBytesMax,
  mdnsNameJumpsMax,
  mdnsPacketBytesMax,
  mdnsRecordsMax,
} from '../../core/limits.ts';

const headerBytes = 12;
const recordTypes = { a: 1, ptr: 12, txt: 16, srv: 33 } as const;
/** Of the range for private use (RFC 6895): decoders leave the content as bytes. */
const opaqueType = 0xff00;

/** Cheap: most of what a network says (printers, televisions) is told apart here. */
export function isAboutUs(packet: Buffer): boolean {
  if (packet.length > mdnsPacketBytesMax) return false;
  const text = packet.toString('latin1').toLowerCase();
  // Our host's name has the word in it too; the third is the question which services there are.
  return text.includes('tillmesh') || text.includes('_services\x07_dns-sd');
}

/** A packet that is being looked at, and how many labels more are read in it: short names can be pointed to by all others. */
type Look = { readonly packet: Buffer; labelsLeft: number };

/** A copy that a decoder may see, or null. */
export function safePacket(packet: Buffer): Buffer | null {
  if (packet.length < headerBytes || packet.length > mdnsPacketBytesMax) return null;
  const questionCount = packet.readUInt16BE(4);
  const recordCount = packet.readUInt16BE(6) + packet.readUInt16BE(8) + packet.readUInt16BE(10);
  if (questionCount + recordCount > mdnsRecordsMax) return null;
  const safe = Buffer.from(packet);
  const look = { packet, labelsLeft: mdnsLabelsMax };
  let offset: number | null = headerBytes;
  for (let count = 0; count < questionCount; count++) {
    offset = plus(nameEnd(look, offset), 4);
    if (offset === null || offset > packet.length) return null;
  }
  for (let count = 0; count < recordCount; count++) {
    offset = recordEnd(look, offset, safe);
    if (offset === null) return null;
  }
  return safe;
}

const plus = (offset: number | null, count: number): number | null => (offset === null ? null : offset + count);

/** Where the record at `offset` ends; null when it is broken. One of another type is made opaque in `safe`. */
function recordEnd(look: Look, offset: number, safe: Buffer): number | null {
  const { packet } = look;
  const typeAt = nameEnd(look, offset);
  if (typeAt === null || typeAt + 10 > packet.length) return null;
  const start = typeAt + 10;
  const end = start + packet.readUInt16BE(typeAt + 8);
  if (end > packet.length) return null;
  switch (packet.readUInt16BE(typeAt)) {
    case recordTypes.a:
      return end - start === 4 ? end : null;
    case recordTypes.ptr:
      return nameEnd(look, start) === end ? end : null;
    case recordTypes.srv:
      return nameEnd(look, start + 6) === end ? end : null;
    case recordTypes.txt:
      return areStringsWhole(packet, start, end) ? end : null;
    default:
      safe.writeUInt16BE(opaqueType, typeAt);
      return end;
  }
}

function areStringsWhole(packet: Buffer, start: number, end: number): boolean {
  let offset = start;
  while (offset < end) offset += 1 + (packet[offset] ?? 0);
  return offset === end;
}

/** Where the name at `offset` ends in place; null when it is broken, too long, or jumps other than backwards and seldom. */
function nameEnd(look: Look, offset: number): number | null {
  const { packet } = look;
  let end: number | null = null;
  let at = offset;
  let runStart = offset;
  let nameBytes = 1;
  for (let jumps = 0; ; ) {
    const length = packet[at];
    if (length === undefined) return null;
    if (length === 0) return end ?? at + 1;
    if (look.labelsLeft-- === 0) return null;
    if (length < 64) {
      nameBytes += length + 1;
      if (nameBytes > mdnsNameBytesMax) return null;
      at += length + 1;
      continue;
    }
    const low = packet[at + 1];
    if (length < 192 || low === undefined || ++jumps > mdnsNameJumpsMax) return null;
    const target = (length - 192) * 256 + low;
    // Only to what stands before the run that it comes from, so it cannot go round; and never into the header.
    if (target >= runStart || target < headerBytes) return null;
    end ??= at + 2;
    at = target;
    runStart = target;
  }
}
