// The command `join`: with a code, or by asking an appliance whose admin must approve this one. It goes through the
// appliance that runs on the folder; where none runs, one is started for as long as it takes.

import { createInterface } from 'node:readline/promises';
import type { Settings } from '../config.ts';
import { printable } from '../edges/log.ts';
import type { MeshStatus, PeerStatus } from '../mesh/mesh.ts';
import { askRunning } from './console.ts';
import { start } from './start.ts';

export type JoinWords = {
  readonly code: string | undefined;
  /** HOST:PORT of a mesh port. */
  readonly peer: string | undefined;
  readonly bringBooks: boolean;
};

type Told = { ok: true; text: string } | { ok: false; detail: string };

/** `say`: what is told meanwhile, a line each. */
export async function joinShop(settings: Settings, words: JoinWords, say: (line: string) => void): Promise<Told> {
  const isRunning = (await askRunning(settings.data, 'GET', '/api/v1/p2p/status')).ok;
  if (isRunning) return joinRunning(settings.data, words, say);
  const started = await start({ ...settings, logLevel: 'error' });
  if (!started.ok) return refused(started.detail);
  try {
    return await joinRunning(settings.data, words, say);
  } finally {
    await started.stop();
  }
}

const refused = (detail: string): Told => ({ ok: false, detail });

async function joinRunning(folder: string, words: JoinWords, say: (line: string) => void): Promise<Told> {
  const { code, peer } = words;
  const target = code === undefined ? await seenAt(folder, peer) : { ok: true as const, peer };
  if (!target.ok) return target;
  let shopBefore = '';
  const isThere = await untilStatus(folder, stayMs, ({ shop }) => {
    shopBefore = shop;
    return true;
  });
  if (!isThere) return refused('the appliance does not answer; see its log');
  let answer = await ask(folder, { code, peer: target.peer, bringBooks: words.bringBooks });
  if (answer.code === 'has_own_books') {
    if (!(await isAgreed(answer.detail))) return refused(`${answer.detail} On this console: --bring-books.`);
    answer = await ask(folder, { code, peer: target.peer, bringBooks: true });
  }
  if (answer.state === 'asked') {
    say(`Asked. The words of that appliance are: ${answer.words}`);
    say('If its page or its "tillmesh status" shows the same, approve this appliance there; this command waits.');
    const isOver = await untilStatus(folder, askedMsMax, (status) => status.asked === null);
    if (!isOver)
      return { ok: true, text: 'Not approved yet. It goes on asking; "tillmesh status" tells how it stands.' };
    if (!(await hasMoved(folder, shopBefore)))
      return refused('it no longer asks: meanwhile it was used, or another appliance came into its shop');
  } else if (answer.state !== 'joined') return refused(answer.detail);
  say(
    answer.hostName
      ? `Let in by ${printable(answer.hostName)}: taking over the books.`
      : 'Let in: taking over the books.',
  );
  return holdsBooks(folder, say);
}

type JoinReply = {
  readonly state?: 'joined' | 'asked';
  readonly hostName?: string;
  readonly words?: string;
  readonly code?: string;
  readonly detail: string;
};

const joinMsMax = 30_000;
const askedMsMax = 15 * 60_000;
/** Asked no more, an appliance that moves is away by then. */
const stayMs = 5_000;
const booksMsMax = 10 * 60_000;
const lookMs = 300;

async function ask(folder: string, body: object): Promise<JoinReply> {
  const asked = await askRunning(folder, 'POST', '/api/v1/join', body, joinMsMax);
  if (!asked.ok) return { detail: asked.detail };
  const { detail = `answered with ${asked.status}`, ...reply } = asked.answer as Partial<JoinReply>;
  return { ...reply, detail };
}

/** The id of the appliance at an address, which is looked for there. */
async function seenAt(
  folder: string,
  address: string | undefined,
): Promise<{ ok: true; peer: string } | { ok: false; detail: string }> {
  if (address === undefined)
    return { ok: false, detail: 'give a join code, or name the appliance to be asked: tillmesh join --peer HOST:PORT' };
  const added = await askRunning(folder, 'POST', '/api/v1/peers', { address });
  if (!added.ok) return { ok: false, detail: added.detail };
  if (added.status !== 201) return { ok: false, detail: (added.answer as JoinReply).detail };
  let found: PeerStatus | undefined;
  await untilStatus(folder, joinMsMax, ({ peers }) => {
    found = peers.find((peer) => peer.address === address && peer.id !== null);
    return found !== undefined;
  });
  return found?.id ? { ok: true, peer: found.id } : { ok: false, detail: `no appliance was found at ${address}` };
}

/** Only a person can agree; whoever else asks must say so beforehand. */
async function isAgreed(detail: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await lines.question(`${detail}\nBring the books along? [y/N] `);
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** Waits until a peer's books were compared equal with ours, and tells how many there are meanwhile. */
async function holdsBooks(folder: string, say: (line: string) => void): Promise<Told> {
  let told = '';
  const isEqual = await untilStatus(folder, booksMsMax, async (status) => {
    const counted = await countsText(folder);
    if (counted !== '' && counted !== told) say(counted);
    told = counted || told;
    return status.peers.some((peer) => peer.trust === 'trusted' && peer.verifiedEqualAt !== null);
  });
  const text = `Joined. This appliance holds the whole books: ${told}.`;
  return isEqual
    ? { ok: true, text }
    : { ok: true, text: 'Joined. The books are still coming: see "tillmesh status".' };
}

async function countsText(folder: string): Promise<string> {
  const info = await askRunning(folder, 'GET', '/api/v1/gossip/info');
  if (!info.ok || info.status !== 200) return '';
  const { counts } = info.answer as { counts: Record<string, number> };
  return Object.entries(counts)
    .map(([part, count]) => `${count} ${part}`)
    .join(', ');
}

/** However long the books take that are brought along; not, where it goes on as it was. */
async function hasMoved(folder: string, shopBefore: string): Promise<boolean> {
  let stayedMs = 0;
  let hasMoved = false;
  await untilStatus(folder, booksMsMax, ({ shop }) => {
    hasMoved = shop !== shopBefore;
    stayedMs += lookMs;
    return hasMoved || stayedMs > stayMs;
  });
  return hasMoved;
}

/** While it changes shops the appliance is away for a moment: that is no answer yet. */
async function untilStatus(
  folder: string,
  msMax: number,
  isSo: (status: MeshStatus) => boolean | Promise<boolean>,
): Promise<boolean> {
  for (let waited = 0; waited < msMax; waited += lookMs) {
    const asked = await askRunning(folder, 'GET', '/api/v1/p2p/status');
    if (asked.ok && asked.status === 200 && (await isSo(asked.answer as MeshStatus))) return true;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  return false;
}
