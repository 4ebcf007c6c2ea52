// The slow reading of JSON: finds the first thing that is wrong, and says where. Used only where the quick passes of
// strict-json.ts have a doubt.

import { jsonDepthMax } from '../../core/limits.ts';
import { isExactNumber } from './exact-number.ts';

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

export const notJson = (pointer: string, detail: string): JsonFault => ({ code: 'not_json', pointer, detail });
export const tooDeep = (pointer: string): JsonFault => ({
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

const quote = 34;
const backslash = 92;

const isDigitOrDot = (char: number): boolean => (char >= 48 && char <= 57) || char === 46;

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

export const isForbiddenName = (name: string): boolean =>
  name === '__proto__' || name === 'constructor' || name === 'prototype';

/** JSON Pointer (RFC 6901) of a path of member names and indices. */
export const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
