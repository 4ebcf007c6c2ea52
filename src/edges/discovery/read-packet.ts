// What a packet says about appliances: questions that concern us, instances with all that is needed to dial them, names of
// instances, goodbyes. Whatever is not that is left out; what is broken is refused whole. Pure; never throws.

import { type Answer, type DecodedPacket, decode, type SrvAnswer, type StringAnswer, type TxtAnswer } from 'dns-packet';
import { mdnsInstancesMax, mdnsTtlSeconds } from '../../core/limits.ts';
import { safePacket } from './safe-packet.ts';
import { type OwnNames, serviceName, servicesName } from './service.ts';

/** An instance of our service, as it was told: hostile. */
export type Instance = {
  readonly fullname: string;
  readonly port: number;
  readonly txt: readonly string[];
  /** IPv4 addresses of its host, where they came along. */
  readonly addresses: readonly string[];
};

export type Heard =
  | { readonly kind: 'question'; readonly concernsUs: boolean; readonly isForAll: boolean }
  | {
      readonly kind: 'answer';
      readonly instances: readonly Instance[];
      /** Names of instances that were said to be there, with details or without. */
      readonly named: readonly string[];
      readonly goodbyes: readonly string[];
    };

/** Null when the packet is broken. */
export function readPacket(bytes: Buffer, own: OwnNames): Heard | null {
  const safe = safePacket(bytes);
  if (!safe) return null;
  try {
    const packet = decode(safe);
    // Other operations and failures are to be ignored (RFC 6762, 18.3 and 18.11).
    if ((packet.flags ?? 0) & 0x780f) return null;
    return packet.flag_qr ? readAnswer(packet) : readQuestion(packet, own);
  } catch {
    return null;
  }
}

const lower = (name: string): string => name.toLowerCase();

function readQuestion({ questions = [], answers = [] }: DecodedPacket, own: OwnNames): Heard {
  const isBrowsing = questions.some(({ type, name }) => isType(type, 'PTR') && lower(name) === serviceName);
  const ours = [own.fullname, `${own.host}.local`].map(lower);
  const isAboutOurs = questions.some(
    ({ type, name }) =>
      (isType(type, 'PTR') && lower(name) === servicesName) || (type !== 'PTR' && ours.includes(lower(name))),
  );
  // Who says that he knows us, for a while to come, gets no answer (RFC 6762, 7.1).
  const isKnown = answers.some(
    (answer) =>
      answer.type === 'PTR' && lower(answer.data) === lower(own.fullname) && (answer.ttl ?? 0) * 2 >= mdnsTtlSeconds,
  );
  // Who brings answers along does not ask for all of us: his question stands for none of ours (RFC 6762, 7.3).
  const isForAll = isBrowsing && answers.length === 0;
  return { kind: 'question', concernsUs: isAboutOurs || (isBrowsing && !isKnown), isForAll };
}

const isType = (type: string, wanted: string): boolean => type === wanted || type === 'ANY';

function readAnswer({ answers = [], additionals = [] }: DecodedPacket): Heard {
  const records = [...answers, ...additionals].filter(isOfInternet);
  const goodbyes = new Set<string>();
  const named = new Set<string>();
  const services = new Map<string, { port: number; target: string }>();
  const texts = new Map<string, readonly string[]>();
  const hosts = new Map<string, string[]>();
  for (const record of records) {
    const name = lower(record.name);
    const isLeaving = record.ttl === 0;
    if (record.type === 'PTR' && name === serviceName) {
      (isLeaving ? goodbyes : named).add(lower(record.data));
    } else if (record.type === 'SRV' && isInstance(name)) {
      if (isLeaving) goodbyes.add(name);
      else if (!services.has(name)) services.set(name, { port: record.data.port, target: lower(record.data.target) });
    } else if (record.type === 'TXT' && isInstance(name) && !texts.has(name)) {
      texts.set(name, textsOf(record.data));
    } else if (record.type === 'A' && !isLeaving) {
      hosts.set(name, [...(hosts.get(name) ?? []), record.data].slice(0, mdnsInstancesMax));
    }
  }
  const instances: Instance[] = [];
  for (const [fullname, { port, target }] of services) {
    const txt = texts.get(fullname);
    if (!txt || port < 1 || goodbyes.has(fullname)) continue;
    instances.push({ fullname, port, txt, addresses: hosts.get(target) ?? [] });
    if (instances.length === mdnsInstancesMax) break;
  }
  const first = (names: Set<string>): string[] => [...names].slice(0, mdnsInstancesMax);
  for (const name of goodbyes) named.delete(name);
  return { kind: 'answer', instances, named: first(named), goodbyes: first(goodbyes) };
}

type InternetRecord = (StringAnswer & { type: 'A' | 'PTR' }) | SrvAnswer | TxtAnswer;

const isOfInternet = (record: Answer): record is InternetRecord =>
  ['A', 'PTR', 'SRV', 'TXT'].includes(record.type) && 'class' in record && record.class === 'IN';

const isInstance = (name: string): boolean => name.endsWith(`.${serviceName}`);

const textsOf = (data: unknown): string[] =>
  (Array.isArray(data) ? data : [data])
    .filter((piece) => Buffer.isBuffer(piece))
    .map((piece) => piece.toString('utf8'));
