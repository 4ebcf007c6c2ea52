// People who log in: names, passwords, roles.

import { z } from '@hono/zod-openapi';
import { passwordBytesMax, passwordCharsMin } from '../../../core/limits.ts';
import { faultOfPassword } from '../passwords.ts';
import { id, madeByAppliance } from './values.ts';

export const userName = id.openapi({
  description: 'An id: 1 to 64 of the characters A-Z a-z 0-9 _ . : -',
  example: 'ada',
});

/** One that is there; however it came to be. */
export const password = z
  .string({ error: 'must be the password' })
  .refine((value) => Buffer.byteLength(value) <= passwordBytesMax, { error: 'is longer than any password' })
  .openapi({ format: 'password' });

export const newPassword = z
  .string({ error: 'must be a password' })
  .superRefine((value, context) => {
    const fault = faultOfPassword(value);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  })
  .openapi({
    format: 'password',
    minLength: passwordCharsMin,
    description: `At least ${passwordCharsMin} characters, at most ${passwordBytesMax} bytes.`,
  });

const userRole = z.enum(['admin', 'read-only'], { error: 'must be admin or read-only' });

export const user = z
  .object({ name: userName, password: newPassword, role: userRole.default('read-only') })
  .openapi('User');

export const storedUser = z
  .object({
    name: z.string(),
    role: userRole,
    hasPassword: z.boolean(),
    hasToken: z.boolean().openapi({ description: 'Of the one record that holds the shop’s admin token.' }),
    revoked: z.boolean(),
    shopName: z.string().optional().openapi({ description: 'What the shop was called when this admin claimed it.' }),
    ...madeByAppliance,
  })
  .openapi('StoredUser');
