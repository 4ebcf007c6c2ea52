// What is said to tills and people, apart from what stands in the books: whom it is for, and the types that mean something
// to us. A payload is carried as its text: it is read by whoever made it and by whoever gets it, never on the way.

import { type Json, jsonDepth } from '../core/json.ts';
import {
  correlationIdCharsMax,
  idPattern,
  jsonDepthMax,
  liveTypePattern,
  liveUserCharsMax,
  messageTopicsMax,
} from '../core/limits.ts';

/** A user, whoever subscribed to one of the topics, or everybody. */
export type Audience = { readonly user: string } | { readonly topics: readonly string[] } | 'all';

export type LiveMessage = {
  /** The same id is the same message, on every appliance. */
  readonly id: string;
  readonly type: string;
  /** Text of JSON. */
  readonly payload: string;
  readonly audience: Audience;
  /** Unix milliseconds. */
  readonly timestamp: number;
  readonly correlationId: string | undefined;
  /** Replica at which it was said. */
  readonly author: string;
  /** It is of this appliance, and not passed on. */
  readonly staysHere: boolean;
};

export const typeOfUpdates = 'data.updated';
export const typeOfErrors = 'sync.error';

/** Sections of the books, as `data.updated` names them, and topics do. */
export const sections = ['products', 'customers', 'tickets', 'movements', 'stock'] as const;
export type Section = (typeof sections)[number];
export const isSection = (text: string): text is Section => (sections as readonly string[]).includes(text);

/** What the two ends of a connection say to each other, in no message's name. */
const ofConnections = [
  'connected',
  'resync',
  'ping',
  'pong',
  'heartbeat',
  'subscribe',
  'unsubscribe',
  'subscribed',
  'sent',
];

/** Whether a message may have this type, whoever says it. */
export const isTypeFree = (type: string): boolean => !ofConnections.includes(type);

/** Nobody but the feed says what is in the books. */
export const claimsBooks = (type: string, payload: Json): boolean =>
  type === typeOfUpdates && !(isObject(payload) && typeof payload.section === 'string' && !isSection(payload.section));

const isObject = (value: Json): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether what a peer passed on could have been said here: its shape has been looked at, its meaning has not. */
export function isSound({ type, payload, audience, id }: LiveMessage): boolean {
  if (!idPattern.test(id) || !liveTypePattern.test(type) || !isTypeFree(type) || !isAudience(audience)) return false;
  try {
    const value = JSON.parse(payload) as Json;
    return jsonDepth(value, jsonDepthMax + 1) <= jsonDepthMax && !claimsBooks(type, value);
  } catch {
    return false;
  }
}

export function isAudience(audience: Audience): boolean {
  if (audience === 'all') return true;
  if ('user' in audience) return audience.user.length > 0 && audience.user.length <= liveUserCharsMax;
  const { topics } = audience;
  return topics.length > 0 && topics.length <= messageTopicsMax && topics.every((topic) => idPattern.test(topic));
}

export const isCorrelationId = ({ length }: string): boolean => length > 0 && length <= correlationIdCharsMax;

/** What a reader hears. */
export type Interest = {
  readonly user: string;
  readonly topics: ReadonlySet<string>;
};

export const isForReader = (audience: Audience, { user, topics }: Interest): boolean =>
  audience === 'all' ||
  ('user' in audience ? audience.user === user : audience.topics.some((topic) => topics.has(topic)));

/** Everything that changes in the books, unless sections are named: then these. */
export function hearsSection({ topics }: Interest, section: Section): boolean {
  if (topics.has(section)) return true;
  for (const known of sections) if (topics.has(known)) return false;
  return true;
}
