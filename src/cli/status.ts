// The command `status`: how the running appliance is, for a person at the console.

import { printable } from '../edges/log.ts';
import type { GossipInfo, MeshStatus, PeerStatus, SnapshotProgress } from '../mesh/mesh.ts';
import { columns } from './command-line.ts';
import { askRunning, ofAnotherVersion } from './console.ts';

export type StatusAnswer = { ok: true; text: string } | { ok: false; detail: string };

export async function readStatus(folder: string): Promise<StatusAnswer> {
  const mesh = await askRunning(folder, 'GET', '/api/v1/p2p/status');
  if (!mesh.ok) {
    const remedy = mesh.isRunning ? '' : `; start one with "tillmesh start --data ${folder}"`;
    return { ok: false, detail: mesh.detail + remedy };
  }
  const info = await askRunning(folder, 'GET', '/api/v1/gossip/info');
  const ready = await askRunning(folder, 'GET', '/readyz');
  if (!info.ok || !ready.ok || mesh.status !== 200 || info.status !== 200) {
    return {
      ok: false,
      detail: `the appliance on ${folder} runs but does not tell its status (${mesh.status}); see its log`,
    };
  }
  const readiness = ready.status === 200 ? 'yes' : ((ready.answer as { detail?: string }).detail ?? 'no');
  try {
    return { ok: true, text: statusText(mesh.answer as Shown<MeshStatus>, info.answer as GossipInfo, readiness) };
  } catch {
    return { ok: false, detail: ofAnotherVersion };
  }
}

/** As the API shows them: times are RFC 3339. */
type Shown<Status> = {
  [Name in keyof Status]: Status[Name] extends number | null ? Status[Name] | string : Status[Name];
};

type MdnsShown = Shown<MeshStatus['discovery']['mdns']>;

function statusText(mesh: Shown<MeshStatus>, info: GossipInfo, readiness: string): string {
  const { counts } = info;
  const books = `${counts.products} products, ${counts.customers} customers, ${counts.tickets} tickets, ${counts.movements} movements`;
  const equal =
    mesh.verifiedEqualAt === null
      ? 'not yet compared with every peer'
      : `equal with every peer at ${mesh.verifiedEqualAt}`;
  const peerCount = mesh.peers.filter(({ trust }) => trust === 'trusted').length;
  const connected = peerCount === 0 ? 'no peers yet' : `${mesh.connected} of ${peerCount} peers connected; ${equal}`;
  const links = mesh.enabled ? connected : 'turned off';
  return columns([
    ['appliance', `${mesh.name} (${mesh.replicaId}), Tillmesh ${info.version}`],
    ['words', mesh.words ?? ''],
    ['shop', mesh.shop],
    ['takes sales', readiness],
    ['books', books],
    ['ports', `HTTP ${mesh.port}, mesh ${mesh.meshPort}`],
    ['mesh', links],
    ['mDNS', mdnsText(mesh.discovery.mdns)],
    ...mesh.peers.map((peer) => ['peer', peerText(peer)]),
    ...mesh.alarms.map(({ code, detail }) => ['alarm', `${code}: ${detail}`]),
  ])
    .map(printable)
    .join('\n');
}

function mdnsText({ enabled, interfaces, lastHeardAt, seen, lastError, silent }: MdnsShown): string {
  if (!enabled) return 'off';
  const on = interfaces.map(({ name, address }) => `${name} (${address})`).join(', ') || 'no interface';
  const heard = lastHeardAt === null ? 'nothing heard yet' : `last heard at ${lastHeardAt}`;
  return [`on ${on}`, `appliances seen: ${seen}`, heard, silent, lastError].filter((part) => part !== null).join('; ');
}

function peerText(peer: PeerStatus): string {
  const named = peer.name !== null && peer.id !== null ? `${peer.name} (${peer.id})` : (peer.name ?? peer.id);
  const who = [named, peer.address].filter((part) => part !== null).join(' at ') || 'unknown';
  const waiting = `${peer.pending} to send, ${peer.behind} to come`;
  const words = peer.trust === 'pending' && peer.words ? `; its words: ${peer.words}` : '';
  const asks = peer.asks ? '; asks to be let in' : '';
  const failed = peer.lastError && peer.state !== 'connected' ? `; ${peer.lastError}` : '';
  const file = peer.snapshot ? `; ${snapshotText(peer.snapshot)}` : '';
  return `${who}: ${peer.state}, ${peer.trust}; ${waiting}${file}${asks}${words}${failed}`;
}

function snapshotText({ direction, step, chunks, chunksDone, bytes, bytesDone }: SnapshotProgress): string {
  const size = `${(bytesDone / 1e6).toFixed(1)} of ${(bytes / 1e6).toFixed(1)} MB`;
  if (step === 'making') return `a snapshot is being made (${size})`;
  if (step === 'checking') return `a snapshot of ${chunks} chunks is being checked`;
  return `${direction} a snapshot: ${chunksDone} of ${chunks} chunks, ${size}`;
}
