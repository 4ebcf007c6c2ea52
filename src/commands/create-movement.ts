// Takes in a movement of stock. A count ("there are 12") is the difference to what these books say now, so that sales
// made elsewhere meanwhile still apply.

import type { MovementPayload, MovementRow } from '../core/books.ts';
import { type Command, failure } from '../core/command.ts';
import { quantityToUnits } from '../core/facts.ts';
import type { JsonObject } from '../core/json.ts';
import { differingFact, type FactAnswer } from './fact.ts';
import type { By } from './record-edit.ts';

export const movementKinds = ['sale', 'return', 'receipt', 'transfer', 'waste', 'adjustment', 'count'] as const;

/** Without id and what the appliance adds; either `quantity` (signed), or `counted` when the kind is count. */
export type MovementBody = JsonObject & {
  productId: string;
  kind: (typeof movementKinds)[number];
  quantity?: number;
  counted?: number;
  reason?: string;
  ticketId?: string;
  /** RFC 3339, UTC; where it is missing, when it was received. */
  at?: string;
};

export type CreateMovement = { readonly id?: string | undefined; readonly body: MovementBody; readonly by: By };

export const createMovement =
  (request: CreateMovement): Command<FactAnswer<MovementRow>> =>
  (context) => {
    const { by } = request;
    const id = request.id ?? context.newId();
    const body = { id, ...request.body };
    const stored = context.books.movement(id);
    if (stored) {
      const refusal = differingFact(context, 'movement', stored.body ?? {}, body);
      return refusal ?? { ok: true, drafts: [], result: () => ({ outcome: 'known', row: stored }) };
    }
    const sent = quantityToUnits(body.kind === 'count' ? body.counted : body.quantity);
    if (sent === undefined) return failure('quantity_missing', 'Say how many: quantity, or counted for a count.');
    const onHand = body.kind === 'count' ? (context.books.stock(body.productId)?.onHand ?? 0) : 0;
    const payload: MovementPayload = {
      body,
      productId: body.productId,
      kind: body.kind,
      quantity: sent - onHand,
      receivedAt: context.meshMs,
      by,
    };
    return {
      ok: true,
      drafts: [{ entity: 'movement', id, payload }],
      result: (books) => {
        const row = books.movement(id);
        if (!row) throw new Error('a movement is not there after its commit');
        return { outcome: 'created', row };
      },
    };
  };
