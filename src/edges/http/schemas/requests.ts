// What stands in addresses: parameters of paths and queries, and the envelopes of lists and batches.

import { z } from '@hono/zod-openapi';
import { feedWaitSecondsMax, pageRowsDefault, pageRowsMax } from '../../../core/limits.ts';
import { parseTime } from '../times.ts';
import { id, idRule } from './values.ts';

const limitRule = `must be a whole number from 1 to ${pageRowsMax}`;

export const limit = z
  .string()
  .regex(/^[0-9]{1,6}$/, { error: limitRule })
  .transform(Number)
  .refine((value) => value >= 1 && value <= pageRowsMax, { error: limitRule })
  .default(pageRowsDefault)
  .openapi({ type: 'integer', minimum: 1, maximum: pageRowsMax, default: pageRowsDefault });

export const after = z.string().optional().openapi({ description: 'Cursor: `next` of the answer before.' });

const waitRule = 'must be a number of seconds';
export const wait = z
  .string()
  .regex(/^[0-9]{1,6}(\.[0-9]{1,3})?$/, { error: waitRule })
  .transform((value) => Math.min(Number(value), feedWaitSecondsMax))
  .optional()
  .openapi({
    type: 'number',
    description: `Seconds to wait where there is nothing yet; ${feedWaitSecondsMax} at most.`,
  });

export const yesNo = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((value) => value === 'true')
  .optional()
  .openapi({ type: 'boolean' });

const momentRule = 'must be a time with its zone, such as 2026-11-20T09:30:00Z, or a day such as 2026-11-20 (UTC)';
/** Unix milliseconds. A plus that was not escaped arrives as a space. */
export const moment = z
  .string()
  .transform((value, context) => {
    const time = /^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : value.replace(/ (\d\d:\d\d)$/, '+$1');
    const ms = parseTime(time);
    if (ms !== undefined) return ms;
    context.addIssue({ code: 'custom', message: momentRule });
    return z.NEVER;
  })
  .optional()
  .openapi({ type: 'string', format: 'date-time' });

export const page = z.object({ limit, after });

export const byId = z.object({ id: id.openapi({ description: idRule, param: { name: 'id', in: 'path' } }) });

export const listOf = (item: z.ZodType) =>
  z.object({
    data: z.array(item),
    next: z.string().nullable().openapi({ description: '`after` of the next page; null at the end.' }),
  });

/** What a batch answers for each item, in their order. */
export const itemResult = z
  .object({
    index: z.int(),
    id: z.string().nullable(),
    status: z.int().openapi({ description: 'As the item alone would have been answered.', example: 201 }),
    code: z.string().optional(),
    detail: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .openapi('ItemResult');

export const batchOf = (item: z.ZodType) => z.object({ items: z.array(item) });
export const batchAnswer = z.object({ data: z.array(itemResult) });

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({ description: 'Stable name of what is wrong.' }),
    detail: z.string().openapi({ description: 'What to do.' }),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .openapi('Problem');
