// Whether a number survives: what a double makes of the digits that were sent.

/**
 * Whether a double holds the number as it was written: it is the double's shortest form, or its form in 17 digits or
 * more, in which each double is itself. So 0.1 and 0.10000000000000001 pass, 9007199254740993 and 1.0000000000000001 do
 * not; nor does -0, which JSON loses.
 */
export function isExactNumber(token: string): boolean {
  const value = Number(token);
  if (!Number.isFinite(value) || Object.is(value, -0)) return false;
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return false;
  const digits = digitsOf(token);
  if (value === 0) return digits === '';
  if (digits.length > digitsMax) return false;
  if (withoutZeros(digitsOf(String(value))) === withoutZeros(digits)) return true;
  return digits.length >= 17 && digitsOf(value.toPrecision(digits.length)) === digits;
}

/** As many as `toPrecision` prints. */
const digitsMax = 100;

/** Digits from the first that is not 0, without the exponent. */
const digitsOf = (token: string): string => {
  const end = token.search(/[eE]/);
  return (end < 0 ? token : token.slice(0, end)).replace(/[-.]/g, '').replace(/^0+/, '');
};

const withoutZeros = (digits: string): string => digits.replace(/0+$/, '');
