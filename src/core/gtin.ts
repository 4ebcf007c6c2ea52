// Barcodes as one number space: UPC-A (12 digits), EAN-13, EAN-8 and GTIN-14 are the same number with leading zeros
// (GS1 General Specifications, §1.5). Codes that are no GTIN (a shop's own labels) stay what they are.

/** Key under which a code is looked up: 14 digits when it is a number of at most 14 digits, else the code itself. */
export function gtinOf(barcode: string): string {
  const code = barcode.trim();
  return /^[0-9]{1,14}$/.test(code) ? code.padStart(14, '0') : code;
}
