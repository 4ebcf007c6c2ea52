// A ticket as a till sends it, after the door has read it: types checked, times in UTC, absent members absent. Little
// must be there: what is missing is a question for the shop, never a reason to lose a sale.

import type { JsonObject } from '../core/json.ts';

export type TicketLine = JsonObject & {
  productId?: string;
  sku?: string;
  barcode?: string;
  name?: string;
  /** At most three decimals; 1 where the till says nothing. */
  quantity: number;
  /** Minor units, as all money. */
  unitPrice?: number;
  discount?: number;
  /** Basis points. */
  taxRate?: number;
  total?: number;
};

export type Payment = JsonObject & { method?: string; amount?: number; reference?: string };

/** Without id (it stands beside) and without what the appliance adds. Equal bodies are the same ticket. */
export type TicketBody = JsonObject & {
  kind: 'sale' | 'refund' | 'void';
  lines: TicketLine[];
  terminalId?: string;
  number?: string | number;
  /** Id of the ticket that a refund or void is about. */
  ref?: string;
  currency?: string;
  payments?: Payment[];
  total?: number;
  customerId?: string;
  cashier?: string;
  /** RFC 3339, UTC, milliseconds; where it is missing, the ticket was sold when it was received. */
  soldAt?: string;
};
