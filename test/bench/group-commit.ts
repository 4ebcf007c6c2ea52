// Tickets of 1 KB over 32 connections into one appliance: against the same code with a commit for each request, against
// the same HTTP server that only parses, and, for scale, against bare servers that do nothing but JSON.parse, or that and
// write the rows. Rounds of all five in turn, so that a busy moment hits them alike.

import { createApi } from '../../src/demo/appliance-process.ts';
import { type Figure, inMs, perSecond, type Row, type Setting } from './figure.ts';
import type { Lab } from './lab.ts';
import type { Outcome } from './load.ts';
import { connectionCount, makeTills, postAll } from './shop.ts';
import { medianOf } from './statistics.ts';
import { productCount, products } from './tickets.ts';

type Target = { readonly port: number; readonly tokens: readonly string[] };
type Name = 'grouped' | 'single' | 'parsing' | 'bare' | 'rows';
type Round = Record<Name, Outcome>;

export const groupCommit: Figure = { name: 'group-commit', run };

async function run({ lab, quick, note }: Setting): Promise<Row[]> {
  const targets: Record<Name, Target> = {
    grouped: await grouped(lab),
    single: await edge(lab, 'each'),
    parsing: await edge(lab, 'parses'),
    bare: await bare(lab, []),
    rows: await bare(lab, [lab.folder()]),
  };
  const seconds = quick ? 1 : 3;
  const rounds: Round[] = [];
  for (let index = 0; index < (quick ? 2 : 5); index++) {
    const outcomes = {} as Round;
    for (const name of Object.keys(targets) as Name[]) outcomes[name] = await lab.load({ ...targets[name], seconds });
    rounds.push(outcomes);
    note(`round ${index}: ${(Object.keys(targets) as Name[]).map((name) => tell(name, outcomes[name])).join(', ')}`);
  }
  // The first is for the compilers to warm up.
  const counted = rounds.slice(1);
  const rateOf = (name: Name) => medianOf(counted.map((one) => one[name].acknowledged / one[name].seconds));
  const row = (name: Name, what: string, least: number, leastQuick: number): Row => {
    const ratio = rateOf('grouped') / rateOf(name);
    const wanted = quick ? leastQuick : least;
    return {
      what: 'group commit, 1 KB tickets, 32 connections',
      measured: perSecond(rateOf('grouped')),
      beside: `${perSecond(rateOf(name))} ${what}`,
      ratio,
      wanted: wanted > 0 ? `≥ ${wanted} ×` : '',
      passed: ratio >= wanted,
    };
  };
  return [
    row('single', 'a commit each', 4, 2),
    row('parsing', 'our HTTP that only parses', 0.5, 0.25),
    row('bare', 'bare HTTP and JSON.parse', 0, 0),
    row('rows', 'the same, and three bare rows', 0, 0),
  ];
}

const tell = (name: Name, { acknowledged, seconds, p99Ms, coreShare }: Outcome): string =>
  `${name} ${perSecond(acknowledged / seconds)} (p99 ${inMs(p99Ms)}, load ${Math.round(coreShare * 100)} % of a core)`;

async function grouped(lab: Lab): Promise<Target> {
  const { admin, port } = await lab.start('grouped');
  await postAll(admin, '/api/v1/products', products(productCount));
  return { port, tokens: await makeTills(admin, connectionCount) };
}

async function edge(lab: Lab, way: 'each' | 'parses'): Promise<Target> {
  const { said } = await lab.child('edge-server.ts', [way, lab.folder(), lab.shopKey, lab.adminToken]);
  const { port } = said as { port: number };
  const admin = createApi(`http://127.0.0.1:${port}`, lab.adminToken);
  await postAll(admin, '/api/v1/products', products(productCount));
  return { port, tokens: await makeTills(admin, connectionCount) };
}

async function bare(lab: Lab, args: readonly string[]): Promise<Target> {
  const { said } = await lab.child('bare-server.ts', args);
  return { port: (said as { port: number }).port, tokens: Array(connectionCount).fill('none') };
}
