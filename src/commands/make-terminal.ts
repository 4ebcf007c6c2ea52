// Makes a till's credential. The books hold the hash of its token, never the token.

import { type Command, failure } from '../core/command.ts';
import type { JsonObject } from '../core/json.ts';
import { documentToFields } from '../core/merge.ts';
import { type By, decideEdit, type RecordAnswer } from './record-edit.ts';

export type MakeTerminal = {
  readonly id: string;
  readonly document: JsonObject & { name: string };
  /** SHA-256 of the whole token, hex. */
  readonly tokenHash: string;
  readonly by: By;
};

/** Names in `by` that are no terminal's: those of tokens and of ourselves, and those of people. */
const isReserved = (id: string): boolean => id === 'admin' || id === 'system' || id.startsWith('user:');

export const makeTerminal =
  (request: MakeTerminal): Command<RecordAnswer> =>
  (context) => {
    const { id, by, document, tokenHash } = request;
    if (isReserved(id)) {
      return failure('id_reserved', `"${id}" says who did something that no till did. Give the terminal another id.`);
    }
    if (context.books.record('terminal', id)) {
      return failure(
        'terminal_exists',
        `The terminal "${id}" was made before, and its token was shown then. Revoke it and make another.`,
      );
    }
    const set = documentToFields({ ...document, tokenHash });
    return decideEdit(context, undefined, { entity: 'terminal', id, by, set });
  };
