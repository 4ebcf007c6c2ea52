// A message as appliances pass it to each other, and back.

import type { LiveWireMessage } from '../core/message.ts';
import type { Audience, LiveMessage } from './message.ts';

export function toWire(message: LiveMessage, ageMs: number): LiveWireMessage {
  const { id, author, type: kind, payload, audience, timestamp, correlationId } = message;
  return {
    type: 'live',
    author,
    id,
    kind,
    payload,
    timestamp,
    ageMs: Math.trunc(ageMs),
    ...(audience === 'all' ? {} : audience),
    ...(correlationId === undefined ? {} : { correlationId }),
  };
}

export function fromWire(wire: LiveWireMessage): LiveMessage {
  const { id, author, kind: type, payload, timestamp, correlationId } = wire;
  return { id, author, type, payload, audience: audienceOf(wire), timestamp, correlationId, staysHere: false };
}

const audienceOf = ({ user, topics }: LiveWireMessage): Audience =>
  user !== undefined ? { user } : topics !== undefined ? { topics } : 'all';
