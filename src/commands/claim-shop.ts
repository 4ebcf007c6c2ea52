// Makes the shop's first admin, for whoever has shown the claim code; refused where there is an admin already, also one
// that came from a peer meanwhile.

import { type Command, failure } from '../core/command.ts';
import { makeUser } from './make-user.ts';
import type { RecordAnswer } from './record-edit.ts';
import { hasAdmin, isLivingUser } from './user-record.ts';

export type ClaimShop = {
  readonly name: string;
  readonly passwordHash: string;
  /** What people call the shop; kept with its first admin. */
  readonly shopName?: string | undefined;
};

export const claimShop =
  (request: ClaimShop): Command<RecordAnswer> =>
  (context) => {
    const { name, passwordHash, shopName } = request;
    if (hasAdmin(context.books) || isLivingUser(context.books.record('user', name))) return claimedAlready();
    const more = shopName === undefined ? undefined : { shopName };
    return makeUser({ name, role: 'admin', passwordHash, more, by: 'system' })(context);
  };

export const claimedAlready = () =>
  failure('claimed_already', 'This shop has an admin. Log in, or ask the admin to make a user for you.');
