// A key as words, for two people who compare them on two pages: six of the 2048 words of BIP 39, which are short, common
// and all different in their first four letters. 66 bits: nobody makes another key with the same six.

import { wordlist } from '@scure/bip39/wordlists/english.js';
import { base32Alphabet } from '../core/identity.ts';

const wordCount = 6;
const bitsPerWord = 11;

/** The words of an appliance, from its replica id, which follows from its key; what is no replica id has none. */
export function fingerprintWords(replicaId: string): string | null {
  let bits = '';
  for (const character of replicaId) {
    const value = base32Alphabet.indexOf(character);
    if (value < 0) return null;
    bits += value.toString(2).padStart(5, '0');
  }
  if (bits.length < wordCount * bitsPerWord) return null;
  const words = Array.from({ length: wordCount }, (_, index) => {
    const start = index * bitsPerWord;
    return wordlist[Number.parseInt(bits.slice(start, start + bitsPerWord), 2)];
  });
  return words.join(' ');
}
