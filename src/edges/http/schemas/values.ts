// The kinds of values that members have, each with the sentence that says what it must be.

import { z } from '@hono/zod-openapi';
import { quantityToUnits } from '../../../core/facts.ts';
import { isJsonObject } from '../../../core/json.ts';
import { amountMax, idPattern, quantityScale, textCharsMax } from '../../../core/limits.ts';
import { isCanonicalTime, parseTime } from '../times.ts';
import { isTextUpTo, withGlance } from './glance.ts';

const must = (sentence: string) => ({ error: sentence });

export const idRule = 'An id has 1 to 64 of the characters A-Z a-z 0-9 _ . : -';

export const id = withGlance(
  z
    .string(must(idRule))
    .regex(idPattern, must(idRule))
    .openapi({ description: idRule, example: '01938f6e-5c1a-7b3e-9d2f-4a8c6e0b1d37' }),
  (value) => typeof value === 'string' && idPattern.test(value),
);

/** A name of something that may not be here: looser than an id, because it must never cost a sale. */
export const reference = withGlance(
  z.string(must('must be a text of at most 200 characters')).max(200),
  isTextUpTo(200),
);

export const text = withGlance(z.string(must('must be a text')).max(textCharsMax), isTextUpTo(textCharsMax));

type WholeNumberRule = {
  readonly minimum: number;
  readonly maximum: number;
  readonly rule: string;
  readonly outside: (value: number) => string;
  readonly shown: { readonly description: string; readonly example: number };
};

/** In one check, because a ticket is full of them: zod takes as long for each of .int(), .min() and .max(). */
function wholeNumber({ minimum, maximum, rule, outside, shown }: WholeNumberRule) {
  const isSound = (value: unknown): boolean =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum && value <= maximum;
  const schema = z
    .number(must(rule))
    .refine(isSound, {
      error: ({ input }) => (typeof input === 'number' && Number.isSafeInteger(input) ? outside(input) : rule),
    })
    .openapi({ ...shown, type: 'integer', minimum, maximum });
  return withGlance(schema, isSound);
}

export const money = wholeNumber({
  minimum: -amountMax,
  maximum: amountMax,
  rule: 'must be a whole number of minor units, such as 250 for 2.50',
  outside: () => 'is beyond any amount of money',
  shown: { description: 'Money: whole minor units (cents).', example: 250 },
});

const quantityRule = 'must be a number with at most 3 decimals, such as 1.234';
/** Counted in thousandths without rest. */
const isQuantity = (value: unknown): boolean => {
  const units = typeof value === 'number' ? quantityToUnits(value) : undefined;
  return units !== undefined && units / quantityScale === value;
};
export const quantity = withGlance(
  z
    .number(must(quantityRule))
    .refine(isQuantity, must(quantityRule))
    .openapi({ description: 'Number with at most 3 decimals.', example: 1.5 }),
  isQuantity,
);

export const taxRate = wholeNumber({
  minimum: 0,
  maximum: 100_000,
  rule: 'must be a whole number of basis points, such as 2000 for 20 %',
  outside: (value) => (value < 0 ? 'must not be negative' : 'is beyond any tax rate'),
  shown: { description: 'Basis points: 2000 is 20 %.', example: 2000 },
});

const currencyRule = 'must be the three capital letters of a currency, such as EUR';
const currencyPattern = /^[A-Z]{3}$/;
export const currency = withGlance(
  z.string(must(currencyRule)).regex(currencyPattern, must(currencyRule)).openapi({ example: 'EUR' }),
  (value) => typeof value === 'string' && currencyPattern.test(value),
);

const timeRule = 'must be a time with its zone (RFC 3339), such as 2026-11-20T09:30:00Z';
/** Comes out in UTC with milliseconds, so that the same moment is the same text. */
export const time = withGlance(
  z
    .string(must(timeRule))
    .transform((value, context) => {
      const ms = parseTime(value);
      if (ms !== undefined) return new Date(ms).toISOString();
      context.addIssue({ code: 'custom', message: timeRule });
      return z.NEVER;
    })
    .openapi({ type: 'string', format: 'date-time', example: '2026-11-20T09:30:00Z' }),
  (value) => typeof value === 'string' && isCanonicalTime(value),
);

export const attributes = withGlance(
  z
    .record(z.string(), z.unknown(), must('must be an object'))
    .openapi({ description: 'Whatever the client wants to keep; merged attribute by attribute.', example: {} }),
  isJsonObject,
);

/** What the appliance says of every record. Ignored in what a client sends. */
export const madeByAppliance = {
  version: z.string().openapi({ description: 'Changes with every change; the ETag.', readOnly: true }),
  createdAt: z.string().openapi({ format: 'date-time', readOnly: true }),
  updatedAt: z.string().openapi({ format: 'date-time', readOnly: true }),
  origin: z.string().openapi({ description: 'Appliance that wrote it last.', readOnly: true }),
};
