// Messages for tills: what may be said, and how it is told.

import { z } from '@hono/zod-openapi';
import type { Json } from '../../../core/json.ts';
import {
  correlationIdCharsMax,
  idPattern,
  liveTypePattern,
  messageTopicsMax,
  readerTopicsMax,
} from '../../../core/limits.ts';
import { id } from './values.ts';

const topicRule = 'must be a name of 1 to 64 of the characters A-Z a-z 0-9 _ . : -';
export const topicsRule = `There are too many topics: ${readerTopicsMax} at most for one reader.`;
const topic = z.string().regex(idPattern, { error: topicRule });

/** Of a reader, in the address. */
export const topics = z
  .string()
  .transform((value, context) => {
    const names = [...new Set(value.split(',').map((name) => name.trim()))].filter((name) => name !== '');
    if (names.length <= readerTopicsMax && names.every((name) => idPattern.test(name))) return names;
    context.addIssue({
      code: 'custom',
      message: `must be up to ${readerTopicsMax} names with commas; each ${topicRule}`,
    });
    return z.NEVER;
  })
  .optional()
  .openapi({
    type: 'string',
    description: `Up to ${readerTopicsMax} topics, with commas. Sections of the books among them (products, customers, tickets, movements, stock): only their changes are told; else those of all.`,
    example: 'stock,kitchen',
  });

const typeRule = 'must be a name of 1 to 64 of the characters A-Z a-z 0-9 _ . : -';
const type = z
  .string({ error: typeRule })
  .regex(liveTypePattern, { error: typeRule })
  .openapi({ description: 'What it is about.', example: 'user.action' });
const payload = z
  .custom<Json>(() => true)
  .optional()
  .openapi({ type: 'object', description: 'Any JSON; null where it is missing.' });
const correlationRule = `must be a text of 1 to ${correlationIdCharsMax} characters`;
const correlationId = z
  .string({ error: correlationRule })
  .min(1, { error: correlationRule })
  .max(correlationIdCharsMax, { error: correlationRule })
  .optional()
  .openapi({ description: 'Told with the message: whoever answers names it.' });

export const sending = z.object({ type, payload, correlationId }).openapi('Sending');
export type Sent = { type: string; payload?: Json | undefined; correlationId?: string | undefined };

const rule = 'must be a list of topics';
const userRule = 'must name a user: "user:NAME" for a person, the id of a till';
export const broadcast = z
  .object({
    type,
    payload,
    correlationId,
    topics: z
      .array(topic, { error: rule })
      .max(messageTopicsMax, { error: `${rule}, ${messageTopicsMax} at most` })
      .optional()
      .openapi({ description: 'Only to those who subscribed to one of them; without, to all.' }),
    userId: id.optional().openapi({ description: `Only to one user; ${userRule}.`, example: 'user:ada' }),
  })
  .openapi('Broadcast');

/** A frame of a WebSocket. */
export const frame = z.object({
  type,
  payload,
  correlationId,
  topics: z.array(topic, { error: rule }).max(readerTopicsMax, { error: rule }).optional(),
});

export const sent = z.object({ success: z.literal(true), messageId: z.string(), timestamp: z.int() });

export const message = z
  .object({
    id: z.string(),
    type: z.string(),
    payload: z.unknown().openapi({ type: 'object' }),
    timestamp: z.int().openapi({ description: 'Unix milliseconds.' }),
    userId: z.string().nullable().openapi({ description: 'The user it is for; null for a topic or all.' }),
    topics: z.array(z.string()).optional(),
    correlationId: z.string().optional(),
    cursor: z.string().openapi({ description: 'The place after it.' }),
  })
  .openapi('LiveMessage');

export const polled = z.object({
  success: z.literal(true),
  messages: z.array(message),
  timestamp: z.int(),
  cursor: z.string().openapi({ description: '`since` of the next poll.' }),
  count: z.int(),
  resync: z.literal(true).optional().openapi({ description: 'Something before cannot be told any more.' }),
  lost: z
    .enum(['data', 'messages'])
    .optional()
    .openapi({ description: 'data: read the books anew; messages: some that were in no books are gone.' }),
  detail: z.string().optional(),
});

export const status = z.object({
  success: z.literal(true),
  status: z.object({
    websocket: z.object({
      enabled: z.boolean(),
      connections: z.int(),
      totalConnections: z.int(),
      subscriptions: z.int(),
    }),
    polling: z.object({ enabled: z.boolean(), endpoint: z.string(), queues: z.int(), messages: z.int() }),
    lastCheck: z.string().openapi({ format: 'date-time', description: 'When old messages were last swept away.' }),
  }),
});

export const appliance = z
  .object({
    id: z.string(),
    name: z.string(),
    self: z.boolean(),
    connected: z.boolean().openapi({ description: 'Linked with the appliance that was asked.' }),
    urls: z
      .array(z.string())
      .openapi({ description: 'Base addresses, the likeliest first.', example: ['http://10.0.0.2:3030'] }),
  })
  .openapi('ShopAppliance');
