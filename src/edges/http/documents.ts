// Rows of the books as clients see them: what they sent, and what the appliance adds, times as text, quantities as
// numbers.

import { recordDefaults } from '../../commands/record-edit.ts';
import { isLivingUser, passwordHashOf, userRoleOf, userTokenHashOf } from '../../commands/user-record.ts';
import type { MovementRow, RecordRow, StockRow, TicketRow } from '../../core/books.ts';
import type { JsonObject } from '../../core/json.ts';
import { quantityScale } from '../../core/limits.ts';
import { fieldsToDocument } from '../../core/merge.ts';
import type { Change } from '../../feed/feed.ts';
import { timeText } from './times.ts';

export function recordDocument(row: RecordRow): JsonObject {
  const fields =
    row.entity === 'product' ? { ...recordDefaults, ...row.fields } : { '/archived': false, ...row.fields };
  return { id: row.id, ...fieldsToDocument(fields), ...madeByAppliance(row) };
}

/** Never the hash of the token. */
export function terminalDocument(row: RecordRow): JsonObject {
  const { tokenHash: _, revoked, ...document } = fieldsToDocument(row.fields);
  return { id: row.id, role: 'terminal', ...document, revoked: revoked === true, ...madeByAppliance(row) };
}

/** Never a hash: only what is named here. */
export function userDocument(row: RecordRow): JsonObject {
  const { shopName } = fieldsToDocument(row.fields);
  return {
    name: row.id,
    role: userRoleOf(row),
    hasPassword: passwordHashOf(row) !== undefined,
    hasToken: userTokenHashOf(row) !== undefined,
    revoked: !isLivingUser(row),
    ...(typeof shopName === 'string' ? { shopName } : {}),
    ...madeByAppliance(row),
  };
}

const madeByAppliance = (row: RecordRow): JsonObject => ({
  version: row.version,
  createdAt: timeText(row.createdAt),
  updatedAt: timeText(row.updatedAt),
  origin: row.origin,
});

export function ticketDocument(row: TicketRow): JsonObject {
  const { body, flags, receivedAt } = row.payload;
  const told = [...flags];
  if (row.hasDuplicateNumber) told.push('duplicate_number');
  if (row.hasRival) told.push('id_conflict');
  const at = timeText(receivedAt);
  return { soldAt: at, ...body, id: row.id, receivedAt: at, origin: row.origin, flags: told };
}

export const movementDocument = (row: MovementRow): JsonObject => ({
  ...row.body,
  id: row.id,
  productId: row.productId,
  kind: row.kind,
  quantity: row.quantity / quantityScale,
  ticketId: row.ticketId,
  at: timeText(row.at),
  origin: row.origin,
});

export const stockDocument = (row: StockRow): JsonObject => ({
  productId: row.productId,
  onHand: row.onHand / quantityScale,
  updatedAt: timeText(row.updatedAt),
});

/** `record` is null for what was deleted. */
export const changeDocument = (change: Change): JsonObject => ({
  cursor: change.cursor,
  entity: change.entity,
  id: change.id,
  kind: change.kind,
  record: change.kind === 'deleted' ? null : changedDocument(change),
});

function changedDocument(change: Change): JsonObject {
  if (change.entity === 'ticket') return ticketDocument(change.record);
  if (change.entity === 'movement') return movementDocument(change.record);
  if (change.entity === 'stock') return stockDocument(change.record);
  return recordDocument(change.record);
}
