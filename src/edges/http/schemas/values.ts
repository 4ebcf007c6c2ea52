// The kinds of values that members have, each with the sentence that says what it must be.

import { z } from '@hono/zod-openapi';
import { quantityToUnits } from '../../../core/facts.ts';
import { amountMax, idPattern, quantityScale, textCharsMax } from '../../../core/limits.ts';
import { isCanonicalTime, parseTime } from '../times.ts';

const must = (sentence: string) => ({ error: sentence });

export const idRule = 'An id has 1 to 64 of the characters A-Z a-z 0-9 _ . : -';

export const id = z
  .string(must(idRule))
  .regex(idPattern, must(idRule))
  .openapi({ description: idRule, example: '01938f6e-5c1a-7b3e-9d2f-4a8c6e0b1d37' });

/** A name of something that may not be here: looser than an id, because it must never cost a sale. */
export const reference = z.string(must('must be a text of at most 200 characters')).max(200);

export const text = z.string(must('must be a text')).max(textCharsMax);

/** In one check, because a ticket is full of them: zod takes as long for each of .int(), .min() and .max(). */
const wholeNumber = (minimum: number, maximum: number, rule: string, outside: (value: number) => string) =>
  z
    .number(must(rule))
    .refine((value) => Number.isSafeInteger(value) && value >= minimum && value <= maximum, {
      error: ({ input }) => (typeof input === 'number' && Number.isSafeInteger(input) ? outside(input) : rule),
    })
    .openapi({ type: 'integer', minimum, maximum });

export const money = wholeNumber(
  -amountMax,
  amountMax,
  'must be a whole number of minor units, such as 250 for 2.50',
  () => 'is beyond any amount of money',
).openapi({ description: 'Money: whole minor units (cents).', example: 250 });

const quantityRule = 'must be a number with at most 3 decimals, such as 1.234';
/** Counted in thousandths without rest. */
const isQuantity = (value: number): boolean => {
  const units = quantityToUnits(value);
  return units !== undefined && units / quantityScale === value;
};
export const quantity = z
  .number(must(quantityRule))
  .refine(isQuantity, must(quantityRule))
  .openapi({ description: 'Number with at most 3 decimals.', example: 1.5 });

export const taxRate = wholeNumber(
  0,
  100_000,
  'must be a whole number of basis points, such as 2000 for 20 %',
  (value) => (value < 0 ? 'must not be negative' : 'is beyond any tax rate'),
).openapi({ description: 'Basis points: 2000 is 20 %.', example: 2000 });

const currencyRule = 'must be the three capital letters of a currency, such as EUR';
export const currency = z
  .string(must(currencyRule))
  .regex(/^[A-Z]{3}$/, must(currencyRule))
  .openapi({ example: 'EUR' });

const timeRule = 'must be a time with its zone (RFC 3339), such as 2026-11-20T09:30:00Z';
/** Comes out in UTC with milliseconds, so that the same moment is the same text. */
export const time = z
  .string(must(timeRule))
  .transform((value, context) => {
    if (isCanonicalTime(value)) return value;
    const ms = parseTime(value);
    if (ms !== undefined) return new Date(ms).toISOString();
    context.addIssue({ code: 'custom', message: timeRule });
    return z.NEVER;
  })
  .openapi({ type: 'string', format: 'date-time', example: '2026-11-20T09:30:00Z' });

export const attributes = z
  .record(z.string(), z.unknown(), must('must be an object'))
  .openapi({ description: 'Whatever the client wants to keep; merged attribute by attribute.', example: {} });

/** What the appliance says of every record. Ignored in what a client sends. */
export const madeByAppliance = {
  version: z.string().openapi({ description: 'Changes with every change; the ETag.', readOnly: true }),
  createdAt: z.string().openapi({ format: 'date-time', readOnly: true }),
  updatedAt: z.string().openapi({ format: 'date-time', readOnly: true }),
  origin: z.string().openapi({ description: 'Appliance that wrote it last.', readOnly: true }),
};
