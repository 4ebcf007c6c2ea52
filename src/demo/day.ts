// A trading day: what a shop sells, what it has, and the tickets that its tills will hand in, in order of time. Generated
// from a seed here; csv.ts reads a real one.

export type Product = { id: string; sku: string; name: string; price: number; currency: string; taxRate: number };
export type Customer = { id: string; name: string };

/** Money in minor units, quantities with at most three decimals. */
export type Line = {
  productId: string;
  name: string;
  quantity: number;
  unitPrice: number;
  taxRate: number;
  total: number;
};
export type Payment = { method: string; amount: number };

export type Ticket = {
  id: string;
  kind: 'sale' | 'refund';
  ref?: string;
  currency: string;
  lines: Line[];
  payments: Payment[];
  total: number;
  customerId?: string;
  soldAt: string;
};

export type Day = {
  title: string;
  currency: string;
  products: Product[];
  customers: Customer[];
  /** Stock at the opening, by product. */
  receipts: { productId: string; quantity: number }[];
  tickets: Ticket[];
};

export const turnoverOf = (tickets: readonly Pick<Ticket, 'total'>[]): number =>
  tickets.reduce((sum, { total }) => sum + total, 0);

/** [name, price in cents, tax in basis points, sold by weight]. */
const shelf: readonly (readonly [string, number, number, boolean?])[] = [
  ['Baguette', 125, 550],
  ['Croissant', 130, 550],
  ['Pain au chocolat', 150, 550],
  ['Country loaf', 420, 550],
  ['Butter 250 g', 329, 550],
  ['Milk 1 l', 119, 550],
  ['Eggs, six', 245, 550],
  ['Comté, per kg', 2290, 550, true],
  ['Goat cheese', 480, 550],
  ['Ham, per kg', 1980, 550, true],
  ['Tomatoes, per kg', 349, 550, true],
  ['Potatoes, per kg', 189, 550, true],
  ['Apples, per kg', 279, 550, true],
  ['Bananas, per kg', 199, 550, true],
  ['Lettuce', 130, 550],
  ['Coffee 250 g', 560, 550],
  ['Green tea', 390, 550],
  ['Chocolate 70 %', 265, 2000],
  ['Honey 500 g', 890, 550],
  ['Apricot jam', 365, 550],
  ['Olive oil 75 cl', 1290, 550],
  ['Spaghetti 500 g', 149, 550],
  ['Rice 1 kg', 289, 550],
  ['Sea salt', 195, 550],
  ['Cider 75 cl', 450, 2000],
  ['Red wine 75 cl', 790, 2000],
  ['Lemonade 1 l', 210, 550],
  ['Mineral water 1.5 l', 75, 550],
  ['Soap', 320, 2000],
  ['Washing-up liquid', 249, 2000],
  ['Kitchen roll', 299, 2000],
  ['Candle', 450, 2000],
  ['Postcard', 120, 2000],
  ['Newspaper', 220, 210],
  ['Matches', 90, 2000],
  ['Paper bag', 10, 2000],
];

const openingMs = Date.UTC(2026, 2, 14, 8, 0, 0);
const openForMs = 11 * 3_600_000;
const openingStock = 500;

/** The same seed and count give the same day, to the byte. */
export function generateDay(seed: number, ticketCount: number): Day {
  const fraction = createChance(seed);
  const pick = (below: number): number => Math.floor(fraction() * below);
  const currency = 'EUR';
  const products = shelf.map(([name, price, taxRate], i) => {
    const sku = `S${String(i + 1).padStart(3, '0')}`;
    return { id: sku, sku, name, price, currency, taxRate };
  });
  const customers = Array.from({ length: 20 }, (_, i) => ({
    id: `regular-${i + 1}`,
    name: `Regular customer ${i + 1}`,
  }));
  const tickets: Ticket[] = [];
  for (let i = 0; i < ticketCount; i++) {
    const soldAt = new Date(openingMs + Math.floor((openForMs * i) / ticketCount)).toISOString();
    const earlier = tickets[pick(tickets.length)];
    const isRefund = earlier !== undefined && earlier.kind === 'sale' && fraction() < 0.03;
    const lines = isRefund
      ? earlier.lines.slice(0, 1).map((line) => ({ ...line, quantity: -line.quantity, total: -line.total }))
      : Array.from({ length: 1 + pick(7) }, () => sellLine(products, pick, fraction));
    const total = turnoverOf(lines);
    tickets.push({
      id: `day-${seed}-${i + 1}`,
      kind: isRefund ? 'refund' : 'sale',
      ...(isRefund ? { ref: earlier.id } : {}),
      currency,
      lines,
      payments: [{ method: fraction() < 0.7 ? 'card' : 'cash', amount: total }],
      total,
      ...(fraction() < 0.2 ? { customerId: `regular-${1 + pick(customers.length)}` } : {}),
      soldAt,
    });
  }
  const receipts = products.map(({ id }) => ({ productId: id, quantity: openingStock }));
  return {
    title: `a generated day of ${ticketCount} tickets (seed ${seed})`,
    currency,
    products,
    customers,
    receipts,
    tickets,
  };
}

function sellLine(products: readonly Product[], pick: (below: number) => number, fraction: () => number): Line {
  // Squared, so that some products sell far more often than others, as they do.
  const index = Math.floor(fraction() ** 2 * products.length);
  const product = products[index];
  if (!product) throw new Error('an index below the length has a product');
  const quantity = shelf[index]?.[3] ? (100 + pick(1900)) / 1000 : 1 + pick(3);
  const total = Math.round(quantity * product.price);
  const { id, name, price, taxRate } = product;
  return { productId: id, name, quantity, unitPrice: price, taxRate, total };
}

/** Uniform in [0, 1), from a seed: Mulberry32 (Tommy Ettinger). Good enough to fill baskets. */
function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
