// A newcomer gets 50,000 products and 200,000 tickets over a link of 50 Mbit/s, from empty to equal. Needs the network lab
// (root, iproute2, nftables; TILLMESH_LANLAB names its script): where it cannot run it is left out, and said.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Figure, Row, Setting } from './figure.ts';
import type { HostOrder, HostResult } from './newcomer-host.ts';

export const newcomerLab: Figure = { name: 'newcomer-lab', run };

const script = process.env.TILLMESH_LANLAB ?? join(import.meta.dirname, '../../../shared/lanlab.sh');
const net = '10.78.0';
const env = { ...process.env, LANLAB_NAME: 'newcomer', LANLAB_NET: net };
const rateMbit = 50;

async function run({ lab, quick, note }: Setting): Promise<Row[]> {
  const left = whyNot();
  if (left) {
    note(`left out: ${left}`);
    return [];
  }
  const [products, tickets] = quick ? [5_000, 20_000] : [50_000, 200_000];
  const fullFolder = lab.folder();
  const { said } = await lab.child('populate.ts', [fullFolder, lab.shopKey, String(tickets), String(products)]);
  note(`${products} products and ${tickets} tickets written in ${(said as { seconds: number }).seconds.toFixed(1)} s`);
  const order: HostOrder = {
    lanlab: script,
    file: lab.file,
    fullFolder,
    freshFolder: lab.folder(),
    shopKey: lab.shopKey,
    adminToken: lab.adminToken,
    net,
  };
  try {
    lanlab('up', '2');
    lanlab('netem', '1', 'rate', `${rateMbit}mbit`);
    const { ms, bytes } = await inHost(order, note);
    const bareMs = (bytes * 8) / (rateMbit * 1e3);
    return [
      {
        what: `${products.toLocaleString('en')} products and ${tickets.toLocaleString('en')} tickets over ${rateMbit} Mbit/s`,
        measured: `${(ms / 1000).toFixed(1)} s`,
        beside: `${(bareMs / 1000).toFixed(1)} s for ${(bytes / 1e6).toFixed(1)} MB at that rate`,
        ratio: ms / bareMs,
        wanted: '',
        passed: true,
      },
    ];
  } finally {
    lanlab('down');
  }
}

function whyNot(): string | undefined {
  if (!existsSync(script)) return `there is no ${script} (TILLMESH_LANLAB names one)`;
  const { status, stderr } = spawnSync(script, ['check'], { env, encoding: 'utf8' });
  return status === 0 ? undefined : stderr.trim() || 'this machine cannot run a network lab';
}

function lanlab(...args: string[]): void {
  const { status, stderr } = spawnSync(script, args, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`lanlab ${args.join(' ')}: ${stderr}`);
}

async function inHost(order: HostOrder, note: (text: string) => void): Promise<HostResult> {
  const program = join(import.meta.dirname, 'newcomer-host.ts');
  const child = spawn(script, ['exec', '2', process.execPath, program, JSON.stringify(order)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let result: HostResult | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) result = JSON.parse(line) as HostResult;
    else note(line);
  }
  await ended;
  if (!result) throw new Error('the lab told no result');
  return result;
}
