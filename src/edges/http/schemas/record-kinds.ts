// Products and customers as kinds of records: what differs between their routes.

import { z } from '@hono/zod-openapi';
import type { JsonObject } from '../../../core/json.ts';
import { customer, product } from './books.ts';
import * as requests from './requests.ts';
import { madeByAppliance } from './values.ts';

export type RecordKind = {
  readonly entity: 'product' | 'customer';
  readonly list: 'products' | 'customers';
  readonly schema: typeof product | typeof customer;
  readonly shown: z.ZodType;
  readonly example: JsonObject;
  readonly query: z.ZodObject;
};

const q = z.string().optional().openapi({ description: 'Part of the name, sku, barcode, e-mail or phone.' });

export const products: RecordKind = {
  entity: 'product',
  list: 'products',
  schema: product,
  shown: product.extend(madeByAppliance).openapi('StoredProduct'),
  example: {
    id: 'p-1',
    sku: 'COF-1',
    barcodes: ['5449000000996'],
    name: 'Coffee',
    price: 250,
    currency: 'EUR',
    taxRate: 1000,
  },
  query: requests.page.extend({
    q,
    barcode: z.string().optional().openapi({ description: 'UPC-A, EAN-13, EAN-8 and GTIN-14 are one number.' }),
    sku: z.string().optional(),
    archived: requests.yesNo,
  }),
};

export const customers: RecordKind = {
  entity: 'customer',
  list: 'customers',
  schema: customer,
  shown: customer.extend(madeByAppliance).openapi('StoredCustomer'),
  example: { id: 'c-1', name: 'Ada', email: 'ada@example.org' },
  query: requests.page.extend({ q, archived: requests.yesNo }),
};
