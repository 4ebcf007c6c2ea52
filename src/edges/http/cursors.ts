// Cursors of lists: a position as storage has it, with the list, shop and appliance that it is of, so that one from
// elsewhere is told apart instead of skipping rows. Opaque to clients; nothing secret, nothing trusted.

import { hash } from 'node:crypto';
import { type Failure, failure } from '../../core/command.ts';

export type ListName =
  | 'products'
  | 'customers'
  | 'terminals'
  | 'users'
  | 'stock'
  | 'movements'
  | 'tickets'
  | 'conflicts';

export type Cursors = {
  encode(list: ListName, position: string | null): string | null;
  /** The position; undefined for none, which is the beginning. */
  decode(list: ListName, cursor: string | undefined): { ok: true; position: string | undefined } | Failure;
};

const cursorCharsMax = 300;

export function createCursors(shop: string, replicaId: string): Cursors {
  const shopMark = markOf(shop);
  const applianceMark = markOf(replicaId);
  return {
    encode(list, position) {
      if (position === null) return null;
      return Buffer.from(`${list}.${shopMark}.${applianceMark}.${position}`).toString('base64url');
    },
    decode(list, cursor) {
      if (cursor === undefined) return { ok: true, position: undefined };
      const parts = cursor.length > cursorCharsMax ? null : pattern.exec(Buffer.from(cursor, 'base64url').toString());
      const [, ofList, ofShop, ofAppliance, position] = parts ?? [];
      if (position === undefined || !isSamePosition(list, position)) {
        return failure('cursor_malformed', `This is not a cursor of a list. ${beginAgain}`);
      }
      if (ofShop !== shopMark)
        return failure('cursor_of_another_shop', `This cursor is of another shop. ${beginAgain}`);
      if (ofList !== list) {
        return failure('cursor_of_another_list', `This cursor is of the list of ${ofList}. ${beginAgain}`);
      }
      if (ofAppliance !== applianceMark) {
        return failure('cursor_of_another_appliance', `Each appliance lists in its own order. ${beginAgain}`);
      }
      return { ok: true, position };
    },
  };
}

const beginAgain = 'Leave `after` out to begin the list again.';
const pattern = /^([a-z]{1,16})\.([0-9a-f]{8})\.([0-9a-f]{8})\.(.{1,200})$/;

const markOf = (id: string): string => hash('sha256', id, 'hex').slice(0, 8);

/** Lists in the order of arrival count their rows. */
const isSamePosition = (list: ListName, position: string): boolean =>
  (list !== 'tickets' && list !== 'movements') || /^[0-9]{1,15}$/.test(position);
