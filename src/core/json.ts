// JSON as values, and its one canonical text: keys sorted by UTF-16 code unit, no spaces, numbers as ECMAScript prints
// them (the rules of RFC 8785, JCS). Two values are the same in the books exactly when their canonical texts are.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Canonical text of a value. Members whose value is undefined are left out, as JSON.stringify does. */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    let text = '[';
    for (let i = 0; i < value.length; i++) text += (i ? ',' : '') + canonicalJson(value[i] ?? null);
    return `${text}]`;
  }
  let text = '{';
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member === undefined) continue;
    text += `${text.length > 1 ? ',' : ''}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `${text}}`;
}

export const isSameJson = (a: Json, b: Json): boolean => a === b || canonicalJson(a) === canonicalJson(b);

/** Objects and arrays inside one another, counted no further than `most`, so that nothing deep can exhaust the stack. */
export function jsonDepth(value: Json, most: number): number {
  if (typeof value !== 'object' || value === null || most === 0) return 0;
  let deepest = 0;
  for (const member of Array.isArray(value) ? value : Object.values(value)) {
    deepest = Math.max(deepest, jsonDepth(member, most - 1));
  }
  return deepest + 1;
}
