// Conditions on versions: If-Match and If-None-Match as HTTP has them (RFC 9110, section 13). Our ETags are strong; a
// weak one never matches where we write.

import type { Precondition } from '../../commands/record-edit.ts';
import { type Failure, failure } from '../../core/command.ts';

export const etagOf = (version: string): string => `"${version}"`;

/** Reads both headers; values that are no list of ETags are refused, since to overlook them would overwrite. */
export function preconditionOf(headers: Headers): { ok: true; precondition: Precondition } | Failure {
  const precondition: { match?: readonly string[] | '*'; noneMatch?: readonly string[] | '*' } = {};
  for (const [name, key] of names) {
    const value = headers.get(name);
    if (value === null) continue;
    const versions = versionsOf(value);
    if (!versions) {
      return failure('header_malformed', `${name} takes the ETag of an earlier answer, in its quotes, or *.`);
    }
    precondition[key] = versions;
  }
  return { ok: true, precondition };
}

const names = [
  ['If-Match', 'match'],
  ['If-None-Match', 'noneMatch'],
] as const;

const etags = /^\s*(?:W\/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W\/)?"[\x21\x23-\x7e]*"\s*)*$/;

function versionsOf(value: string): readonly string[] | '*' | undefined {
  if (value.trim() === '*') return '*';
  if (value.length > 4000 || !etags.test(value)) return undefined;
  const versions: string[] = [];
  for (const [, weak, version] of value.matchAll(/(W\/)?"([^"]*)"/g)) {
    if (weak === undefined && version !== undefined) versions.push(version);
  }
  return versions;
}

/** Whether the client holds this version already (a 304). Reading compares weakly. */
export function isHeldBy(headers: Headers, version: string): boolean {
  const value = headers.get('if-none-match');
  if (value === null) return false;
  return value.trim() === '*' || value.split(',').some((etag) => etag.trim().replace(/^W\//, '') === etagOf(version));
}
