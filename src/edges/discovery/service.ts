// What an appliance calls itself on the network, and what it says there: names and TXT. The name of an instance holds the
// replica id, so two appliances with one name never fight for it; identity is the id in TXT. Pure.

import { mdnsLabelBytesMax, mdnsTxtBytesMax, seenNameCharsMax } from '../../core/limits.ts';
import type { Announcement } from '../../ports.ts';

export const serviceType = '_tillmesh._tcp';
export const serviceName = `${serviceType}.local`;
/** Asked for by browsers that list what services there are (RFC 6763, 9). */
export const servicesName = '_services._dns-sd._udp.local';

/** Names of ours. All compare in lower case. */
export type OwnNames = { readonly instance: string; readonly fullname: string; readonly host: string };

export function ownNames({ name, replicaId }: Announcement): OwnNames {
  // A dot would make two labels of one.
  const plain = name.replace(/[^\p{L}\p{N} _-]/gu, '-');
  const instance = `${bytesAtMost(plain, mdnsLabelBytesMax - replicaId.length - 1)} ${replicaId}`.trim();
  return { instance, fullname: `${instance}.${serviceName}`, host: `tillmesh-${replicaId}` };
}

/** What an appliance says of itself. */
export type Told = { readonly replicaId: string; readonly shop: string; readonly name: string; readonly start: string };

/** Members of TXT. `start` differs with each start: who is heard with another one has been away, however shortly. */
export function txtOf({ replicaId, shop, name }: Announcement, start: string): Record<string, string> {
  const txt = { v: '1', id: replicaId, shop, start };
  const used = Object.entries(txt).reduce(
    (sum, [key, value]) => sum + key.length + value.length + 2,
    'name='.length + 1,
  );
  return { ...txt, name: bytesAtMost(name, Math.min(mdnsTxtBytesMax - 1 - used, 200)) };
}

const idPattern = /^[a-z2-7]{26}$/;

/** Null when it is nothing that an appliance says. Of members that come twice the first counts (RFC 6763, 6.4). */
export function readTxt(strings: readonly string[]): Told | null {
  const members = new Map<string, string>();
  for (const text of strings) {
    const at = text.indexOf('=');
    const key = text.slice(0, at).toLowerCase();
    if (at > 0 && !members.has(key)) members.set(key, text.slice(at + 1));
  }
  const replicaId = members.get('id') ?? '';
  const shop = members.get('shop') ?? '';
  if (!idPattern.test(replicaId) || !idPattern.test(shop)) return null;
  const name = printable(members.get('name') ?? '') || replicaId;
  return { replicaId, shop, name, start: members.get('start') ?? '' };
}

/** Without control and formatting characters, which turn lines round or hide; cut to what fits a line. */
function printable(text: string): string {
  const clean = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '').trim();
  return [...clean].slice(0, seenNameCharsMax).join('');
}

/** Whole characters only. */
export function bytesAtMost(text: string, bytesMax: number): string {
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > bytesMax) break;
    kept += character;
  }
  return kept;
}
