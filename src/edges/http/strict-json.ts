// Reads JSON from outside as one meaning only, or says where it has none: no member twice, no member that is a door to a
// prototype, no number that a double cannot hold, no half characters, not too deep. JSON.parse does the work; two cheap
// passes look for what it would let through in silence, and only what looks doubtful is read again, slowly, with
// pointers. (Weighed: secure-json-parse sees prototypes only; lossless-json is a slower parser and lets members repeat.)

import type { Json } from '../../core/json.ts';
import { jsonDepthMax } from '../../core/limits.ts';

export type JsonFault = {
  readonly code:
    | 'not_json'
    | 'too_deep'
    | 'member_repeated'
    | 'member_forbidden'
    | 'number_not_exact'
    | 'text_not_exact';
  /** JSON Pointer to the value at fault; "" is the whole. */
  readonly pointer: string;
  readonly detail: string;
};

export type JsonReading = { readonly ok: true; readonly value: Json } | ({ readonly ok: false } & JsonFault);

export function readStrictJson(text: string): JsonReading {
  const survey = surveyText(text);
  if (survey.depth > jsonDepthMax) return faulty(findFault(text) ?? tooDeep(''));
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return faulty(findFault(text) ?? notJson('', 'The text ends too early or goes on too long.'));
  }
  if (survey.doubtful || countMembers(value) !== survey.memberCount) {
    const fault = findFault(text);
    if (fault) return faulty(fault);
  }
  return { ok: true, value };
}

const faulty = (fault: JsonFault): JsonReading => ({ ok: false, ...fault });

// What the text shows without being parsed

type Survey = { memberCount: number; depth: number; doubtful: boolean };

const quote = 34;
const backslash = 92;

/** Counts members and depth; `doubtful` where a number or an escape might not mean what JSON.parse makes of it. */
function surveyText(text: string): Survey {
  let memberCount = 0;
  let depth = 0;
  let deepest = 0;
  let doubtful = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      for (at++; at < text.length; at++) {
        const inside = text.charCodeAt(at);
        if (inside === quote) break;
        if (inside === backslash && text.charCodeAt(++at) === 117) doubtful ||= isDoubtfulEscape(text, at + 1);
      }
    } else if (char === 58) memberCount++;
    else if (char === 123 || char === 91) {
      if (++depth > deepest) deepest = depth;
    } else if (char === 125 || char === 93) depth--;
    else if (char === 45 || (char >= 48 && char <= 57)) {
      const start = at;
      let isZero = true;
      for (let next = text.charCodeAt(at + 1); isDigitOrDot(next); next = text.charCodeAt(at + 1)) {
        if (next > 48) isZero = false;
        at++;
      }
      if (char === 45 && isZero) doubtful = true;
      if (at - start >= 15 || (text.charCodeAt(at + 1) | 32) === 101) doubtful = true;
    }
  }
  return { memberCount, depth: deepest, doubtful };
}

const isDigitOrDot = (char: number): boolean => (char >= 48 && char <= 57) || char === 46;

/** Escapes of ASCII (a name in disguise, or NUL) and of surrogates; the accents that ASCII-only clients send are not. */
const isDoubtfulEscape = (text: string, at: number): boolean => {
  const first = text.charCodeAt(at) | 32;
  return first === 100 || (first === 48 && text.charCodeAt(at + 1) === 48 && text.charCodeAt(at + 2) < 56);
};

/** Members of all objects inside, or -1 when one of them has a forbidden name. */
function countMembers(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item !== 'object' || item === null) continue;
      const inside = countMembers(item);
      if (inside < 0) return -1;
      count += inside;
    }
    return count;
  }
  for (const name in value) {
    if (isForbiddenName(name)) return -1;
    count++;
    const member = value[name];
    if (typeof member !== 'object' || member === null) continue;
    const inside = countMembers(member);
    if (inside < 0) return -1;
    count += inside;
  }
  return count;
}

const isForbiddenName = (name: string): boolean =>
  name === '__proto__' || name === 'constructor' || name === 'prototype';

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

// The slow reading: finds the first fault and its place

const notJson = (pointer: string, detail: string): JsonFault => ({ code: 'not_json', pointer, detail });
const tooDeep = (pointer: string): JsonFault => ({
  code: 'too_deep',
  pointer,
  detail: `At most ${jsonDepthMax} objects and arrays inside one another are read.`,
});

class Found {
  readonly fault: JsonFault;
  constructor(fault: JsonFault) {
    this.fault = fault;
  }
}

/** The first fault of a text by the rules above, or undefined when there is none. */
export function findFault(text: string): JsonFault | undefined {
  try {
    new SlowReader(text).readAll();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Found) return thrown.fault;
    throw thrown;
  }
}

/** Reads without keeping anything. Recursion is bounded by the depth limit; faults leave by `throw new Found`. */
class SlowReader {
  #text: string;
  #at = 0;
  #path: (string | number)[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  readAll(): void {
    this.#value();
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#unexpected();
  }

  #value(): void {
    this.#skipSpace();
    const char = this.#text[this.#at];
    if (char === '{') this.#object();
    else if (char === '[') this.#array();
    else if (char === '"') this.#string();
    else if (char !== undefined && (char === '-' || isDigitOrDot(char.charCodeAt(0)))) this.#number();
    else if (!['true', 'false', 'null'].some((word) => this.#skip(word))) this.#unexpected();
  }

  #object(): void {
    this.#open();
    const names = new Set<string>();
    if (this.#skipMark('}')) return;
    do {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') this.#unexpected();
      const name = this.#string();
      this.#path.push(name);
      if (isForbiddenName(name)) this.#fail('member_forbidden', `No member may be named "${name}".`);
      if (names.has(name)) this.#fail('member_repeated', `The member "${name}" stands twice in one object.`);
      names.add(name);
      if (!this.#skipMark(':')) this.#unexpected();
      this.#value();
      this.#path.pop();
    } while (this.#skipMark(','));
    if (!this.#skipMark('}')) this.#unexpected();
  }

  #array(): void {
    this.#open();
    if (this.#skipMark(']')) return;
    let index = 0;
    do {
      this.#path.push(index++);
      this.#value();
      this.#path.pop();
    } while (this.#skipMark(','));
    if (!this.#skipMark(']')) this.#unexpected();
  }

  #open(): void {
    this.#at++;
    if (this.#path.length >= jsonDepthMax) throw new Found(tooDeep(this.#pointer()));
  }

  #string(): string {
    const start = this.#at++;
    for (let char = this.#text.charCodeAt(this.#at); char !== quote; char = this.#text.charCodeAt(++this.#at)) {
      if (this.#at >= this.#text.length) this.#unexpected();
      if (char === backslash) this.#at++;
    }
    const token = this.#text.slice(start, ++this.#at);
    const value = parsedString(token);
    if (value === undefined) this.#fail('not_json', 'A text has an unknown escape or a line break in it.');
    if (!value.isWellFormed()) this.#fail('text_not_exact', 'A text holds half a character (a lone surrogate).');
    if (value.includes('\u0000')) this.#fail('text_not_exact', 'A text holds the character NUL, which is no text.');
    return value;
  }

  #number(): void {
    const start = this.#at;
    while (isInNumber(this.#text.charCodeAt(this.#at))) this.#at++;
    const token = this.#text.slice(start, this.#at);
    if (!/^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/.test(token)) {
      this.#fail('not_json', `"${token.slice(0, 40)}" is not a number in JSON.`);
    }
    if (isExactNumber(token)) return;
    this.#fail(
      'number_not_exact',
      `${token.slice(0, 40)} cannot be kept exactly: whole numbers go to 9007199254740991, and -0 is not one. Send 0, or a text.`,
    );
  }

  #skipSpace(): void {
    for (;;) {
      const char = this.#text.charCodeAt(this.#at);
      if (char !== 32 && char !== 10 && char !== 13 && char !== 9) return;
      this.#at++;
    }
  }

  #skip(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #skipMark(mark: string): boolean {
    this.#skipSpace();
    return this.#skip(mark);
  }

  #unexpected(): never {
    const before = this.#text.slice(0, this.#at);
    const line = before.split('\n').length;
    const column = this.#at - before.lastIndexOf('\n');
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : 'the end';
    return this.#fail('not_json', `Not JSON at line ${line}, column ${column}: ${found} was not expected there.`);
  }

  #fail(code: JsonFault['code'], detail: string): never {
    throw new Found({ code, pointer: this.#pointer(), detail });
  }

  #pointer(): string {
    return pointerOf(this.#path);
  }
}

/** Digits, dot, sign or exponent. */
const isInNumber = (char: number): boolean =>
  isDigitOrDot(char) || char === 45 || char === 43 || char === 101 || char === 69;

const parsedString = (token: string): string | undefined => {
  try {
    return JSON.parse(token) as string;
  } catch {
    return undefined;
  }
};

/** JSON Pointer (RFC 6901) of a path of member names and indices. */
export const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
