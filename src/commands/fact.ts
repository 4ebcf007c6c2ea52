// Tickets and movements are facts: written once, never changed. The same one again is known; another under the same id
// is told apart by the digests of both.

import { type CommandContext, type Failure, failure } from '../core/command.ts';
import { canonicalJson, type JsonObject } from '../core/json.ts';

/** `known`: the same fact was written before, here or elsewhere; what is told is the first. */
export type FactAnswer<Row> = { readonly outcome: 'created' | 'known'; readonly row: Row };

/** Undefined when `sent` is what is stored; else the failure, with the SHA-256 of both canonical bodies. */
export function differingFact(
  context: CommandContext,
  kind: 'ticket' | 'movement',
  stored: JsonObject,
  sent: JsonObject,
): Failure | undefined {
  const storedText = canonicalJson(stored);
  const sentText = canonicalJson(sent);
  if (storedText === sentText) return undefined;
  return failure(
    `${kind}_differs`,
    `Another ${kind} was stored under this id before, and it stays as it is. Send this one under an id of its own.`,
    { facts: { storedDigest: context.sha256Hex(storedText), sentDigest: context.sha256Hex(sentText) } },
  );
}
