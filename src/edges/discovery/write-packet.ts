// Packets of ours as bytes. The records are those that mdns-js made; its own writer splits TXT at each dot, writes no more
// than 512 bytes and marks shared records as if they were ours alone. Pure.

import { type Answer, AUTHORITATIVE_ANSWER, encode, type Question } from 'dns-packet';
import type { Packet } from 'mdns-js';
import { mdnsLabelBytesMax, mdnsNameBytesMax, mdnsTtlSeconds } from '../../core/limits.ts';
import { serviceName } from './service.ts';

/** Where it will be sent: an interface's address, and whether that is the only one. */
export type Place = { readonly address: string; readonly isOnly: boolean };

export function writeQuestion(): Buffer {
  return encode({ type: 'query', questions: [{ type: 'PTR', name: serviceName }] });
}

/** Asks for what was told of an instance by name only; null when that name cannot be written. */
export function writeDetailsQuestion(fullname: string): Buffer | null {
  const labels = fullname.split('.');
  const isWritable = labels.every((label) => label !== '' && Buffer.byteLength(label) <= mdnsLabelBytesMax);
  if (!isWritable || Buffer.byteLength(fullname) + 2 > mdnsNameBytesMax) return null;
  const questions: Question[] = [
    { type: 'SRV', name: fullname },
    { type: 'TXT', name: fullname },
  ];
  return encode({ type: 'query', questions });
}

const types = { ptr: 12, txt: 16, srv: 33 } as const;

/** An announcement or a goodbye, whichever mdns-js made. Of our addresses it tells the one that counts there. */
export function writeAnnouncement(packet: Packet, { address, isOnly }: Place): Buffer {
  const answers: Answer[] = [];
  const additionals: Answer[] = [];
  for (const { name, type, ttl: given, port, target, data } of packet.answer) {
    const ttl = Math.min(given, mdnsTtlSeconds);
    // Without the flush bit: others have records of this name too, and caches would forget those.
    if (type === types.ptr && typeof data === 'string') answers.push({ type: 'PTR', name, ttl, data });
    if (type === types.txt && typeof data === 'object') {
      const strings = Object.entries(data).map(([key, value]) => `${key}=${value}`);
      answers.push({ type: 'TXT', name, ttl, flush: true, data: strings });
    }
    if (type === types.srv && port !== undefined && target !== undefined) {
      answers.push({ type: 'SRV', name, ttl, flush: true, data: { port, target, priority: 0, weight: 0 } });
      // Two interfaces may be on one network: each would make the other's address forgotten.
      additionals.push({ type: 'A', name: target, ttl, flush: isOnly, data: address });
    }
  }
  return encode({ type: 'response', flags: AUTHORITATIVE_ANSWER, answers, additionals });
}
