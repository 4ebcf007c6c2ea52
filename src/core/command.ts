// A command: a request that may become ops. It decides on the books as they are inside the commit that will hold its
// ops, so two commands of one batch see each other. Pure but for reading: deciding twice is harmless.

import type { Books } from './books.ts';
import type { JsonObject } from './json.ts';
import type { Draft } from './op.ts';

export type CommandContext = {
  readonly books: Books;
  /** Of the appliance that decides: the origin of what is written now. */
  readonly replicaId: string;
  /** Unix milliseconds as our own clock says, and as the mesh thinks. */
  readonly clockMs: number;
  readonly meshMs: number;
  /** SHA-256 as hex, for the digests that a 409 shows. */
  sha256Hex(text: string): string;
  /** An id that nobody else makes (UUIDv7). */
  newId(): string;
};

/** What is expected to go wrong. `code` is the stable name of it, in problem+json and in the table of edges/http. */
export type Failure = {
  readonly ok: false;
  readonly code: string;
  /** A sentence that says what to do. */
  readonly detail: string;
  readonly errors?: readonly { pointer: string; detail: string }[];
  /** Further members of the answer, such as the two digests of a 409. */
  readonly facts?: JsonObject;
};

/** `result` is read after the ops were merged, in the same commit: what the caller is told is what is on disk. */
export type Decision<Result> =
  | { readonly ok: true; readonly drafts: readonly Draft[]; readonly result: (books: Books) => Result }
  | Failure;

export type Command<Result> = (context: CommandContext) => Decision<Result>;

export type Outcome<Result> = { readonly ok: true; readonly result: Result } | Failure;

export const failure = (
  code: string,
  detail: string,
  more: Partial<Pick<Failure, 'errors' | 'facts'>> = {},
): Failure => ({
  ok: false,
  code,
  detail,
  ...more,
});
