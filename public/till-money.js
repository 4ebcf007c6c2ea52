// Money is in minor units, 490 for 4.90. How many digits these are is the currency's in ISO 4217, and not what a browser shows:
// that leaves out the fillér of HUF, whose prices are in hundredths all the same.

import { language } from '/till-texts.js';

/** By the number of digits, of each currency that has not 2. */
const currencies = Object.entries({
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
});
const digitsOf = (currency) => Number(currencies.find(([, codes]) => codes.includes(currency))?.[0] ?? 2);

/** Of a line. Quantities are in thousandths: 1.015 * 100 is 101.49999999999999, and half a cent would be lost. */
export const amountOf = ({ quantity, unitPrice }) =>
  Math.round((Math.round(quantity * 1000) * (unitPrice ?? 0)) / 1000);
export const totalOf = (lines) => lines.reduce((sum, line) => sum + amountOf(line), 0);

export const money = (amount, currency) => format(amount, currency, { style: 'currency', currency });
/** As it stands in a field, ready to be typed over. */
export const decimal = (amount, currency) => format(amount, currency, { useGrouping: false });

function format(amount, currency, style) {
  const digits = digitsOf(currency);
  const exactly = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, { ...style, ...exactly }).format(amount / 10 ** digits);
}

/** Of a price as people type it, with point or comma; null for anything else. */
export function minorUnits(typed, currency) {
  const [, whole, part = ''] = /^\s*(\d{1,9})(?:[.,](\d*))?\s*$/.exec(typed) ?? [];
  if (whole === undefined || part.length > digitsOf(currency) || isLikeBarcode(typed)) return null;
  return Number(whole + part.padEnd(digitsOf(currency), '0'));
}

/** A scanner types wherever one is: an EAN-8 in a price would be sold for 963,850.74. */
export const isLikeBarcode = (typed) => /^\s*\d{7,}\s*$/.test(typed);
