// People at an appliance of the tests: the first admin, by its claim code, and whoever logs in.

import type { Reply, TestShop } from './appliance.ts';

export const claimCode = 'ABCD-EFGH-JKMN-PQRS';
export const password = 'a good long password';

export type LoggedIn = {
  readonly csrfToken: string;
  readonly cookie: { Cookie: string };
  readonly withCsrf: { Cookie: string; 'X-CSRF-Token': string };
};

export const loggedIn = ({ status, headers, json, text }: Reply): LoggedIn => {
  if (status !== 200) throw new Error(`not logged in: ${status} ${text}`);
  const cookie = { Cookie: (headers.get('set-cookie') ?? '').split(';')[0] ?? '' };
  return { csrfToken: json.csrfToken, cookie, withCsrf: { ...cookie, 'X-CSRF-Token': json.csrfToken } };
};

/** Makes the first admin, with `password`. */
export const claimed = async (shop: TestShop): Promise<LoggedIn> =>
  loggedIn(await shop.ask('POST', '/api/v1/claim', { code: claimCode, password }, { token: null }));

export const logIn = async (shop: TestShop, user = 'admin', word = password): Promise<LoggedIn> =>
  loggedIn(await shop.ask('POST', '/api/v1/session', { user, password: word }, { token: null }));
