// Digest of a part of the books: the sum, modulo 2^256, of the SHA-256 of each of its rows, hashed together with their
// number (AdHash: Bellare, Micciancio, "A New Paradigm for Collision-Free Hashing", 1997). Adding and taking away a row
// cost the same whatever the size of the books, and order does not matter. It tells honest copies apart; against
// forgery stand the seals, not this.

/** 8 little-endian 32-bit words of the sum. Mutated in place by the two functions below. */
export type DigestSum = Uint32Array;

export const digestZero = (): DigestSum => new Uint32Array(8);

/** `hash`: 32 bytes. */
export function addTerm(sum: DigestSum, hash: Uint8Array): void {
  let carry = 0;
  for (let word = 0; word < 8; word++) {
    const total = (sum[word] ?? 0) + wordAt(hash, word) + carry;
    sum[word] = total;
    carry = total > 0xffffffff ? 1 : 0;
  }
}

export function subtractTerm(sum: DigestSum, hash: Uint8Array): void {
  let borrow = 0;
  for (let word = 0; word < 8; word++) {
    const rest = (sum[word] ?? 0) - wordAt(hash, word) - borrow;
    sum[word] = rest;
    borrow = rest < 0 ? 1 : 0;
  }
}

/** What is hashed to give the digest. */
export const digestText = (sum: DigestSum, count: number): string => `${sumToHex(sum)}:${count}`;

export const sumToHex = (sum: DigestSum): string =>
  Array.from(sum, (word) => word.toString(16).padStart(8, '0')).join('');

export const sumFromHex = (text: string): DigestSum =>
  Uint32Array.from({ length: 8 }, (_, word) => Number.parseInt(text.slice(word * 8, word * 8 + 8), 16));

const wordAt = (hash: Uint8Array, word: number): number => {
  const at = word * 4;
  return (
    ((hash[at] ?? 0) | ((hash[at + 1] ?? 0) << 8) | ((hash[at + 2] ?? 0) << 16) | ((hash[at + 3] ?? 0) << 24)) >>> 0
  );
};
