// Reads JSON from outside as one meaning only, or says where it has none: no member twice, no member that is a door to a
// prototype, no number that a double cannot hold, no half characters, not too deep. JSON.parse does the work; two cheap
// passes look for what it would let through in silence, and only what looks doubtful is read again, slowly, with
// pointers. (secure-json-parse looks for prototypes only, lossless-json makes objects of numbers: neither does the whole.)

import type { Json } from '../../core/json.ts';
import { jsonDepthMax } from '../../core/limits.ts';
import { findFault, isForbiddenName, type JsonFault, notJson, tooDeep } from './json-fault.ts';

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
