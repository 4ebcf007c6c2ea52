// What a person at the console can do about who is of the shop: make a join code, approve, revoke, read the shop key, give a
// copy an identity of its own. All of it is asked of the appliance that runs on the folder.

import { printable } from '../edges/log.ts';
import type { PeerStatus } from '../mesh/mesh.ts';
import { askRunning, ofAnotherVersion } from './console.ts';

type Told = { ok: true; text: string } | { ok: false; detail: string };

const refused = (detail: string): Told => ({ ok: false, detail });

type Reply = {
  readonly code?: string;
  readonly expiresAt?: string;
  readonly detail?: string;
  readonly state?: string;
  readonly key?: string | null;
  readonly replicaId?: string;
};

async function asked(folder: string, method: 'GET' | 'POST' | 'PATCH', path: string, body?: object) {
  const answer = await askRunning(folder, method, path, body);
  if (!answer.ok) return answer;
  const reply = answer.answer as Reply;
  const detail = reply.detail ?? `the appliance answered with ${answer.status}`;
  return answer.status < 300 ? { ok: true as const, reply } : { ok: false as const, detail };
}

export async function makeJoinCode(folder: string): Promise<Told> {
  const made = await asked(folder, 'POST', '/api/v1/join-codes', {});
  if (!made.ok) return refused(made.detail);
  const { code, expiresAt } = made.reply;
  return { ok: true, text: `${code}\n(On the other appliance: tillmesh join ${code}. Good once, until ${expiresAt}.)` };
}

/** `who`: an id, the beginning of one, a name, or the six words. */
export async function changeTrust(folder: string, who: string, trust: 'trusted' | 'revoked'): Promise<Told> {
  const status = await askRunning(folder, 'GET', '/api/v1/p2p/status');
  if (!status.ok) return refused(status.detail);
  const { peers } = status.answer as { peers?: PeerStatus[] };
  if (!Array.isArray(peers)) return refused(ofAnotherVersion);
  // A name is what its owner chose: somebody else's id or words say nothing there.
  const isWords = /^[a-z]+( [a-z]+){5}$/.test(who);
  const ways: ((peer: PeerStatus) => boolean)[] = [
    ({ id, words }) => id === who || words === who,
    ({ id }) => who.length >= 6 && id !== null && id.startsWith(who),
    ({ id, name }) => id !== null && name === who && !isWords,
  ];
  const [peer, another] = ways.map((isMeant) => peers.filter(isMeant)).find(({ length }) => length > 0) ?? [];
  if (!peer) return refused(`no appliance "${printable(who)}" was seen; "tillmesh status" lists them`);
  if (another) return refused(`more than one appliance is called "${printable(who)}": name it by its id`);
  const changed = await asked(folder, 'PATCH', `/api/v1/peers/${peer.id}`, { trust });
  if (!changed.ok) return refused(changed.detail);
  const name = printable(peer.name ?? peer.id ?? '');
  return {
    ok: true,
    text: trust === 'trusted' ? `${name} is approved.` : `${name} is shut out of the shop, on every appliance.`,
  };
}

export async function readShopKey(folder: string): Promise<Told> {
  const read = await asked(folder, 'GET', '/api/v1/shop-key');
  if (!read.ok) return refused(read.detail);
  const { state, key } = read.reply;
  if (state === 'rotated') return { ok: true, text: String(key) };
  const configured = 'the shop key is the one that was set with TILLMESH_SHOP_KEY, if one was';
  const none = 'no shop key lets anybody in: somebody who was revoked may know the last one';
  return refused(state === 'configured' ? configured : none);
}

export async function renewIdentity(folder: string): Promise<Told> {
  const renewed = await asked(folder, 'POST', '/api/v1/identity/renew', {});
  if (!renewed.ok) return refused(renewed.detail);
  return { ok: true, text: `This appliance is ${renewed.reply.replicaId} from now on, with all its books.` };
}
