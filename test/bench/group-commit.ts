// Tickets of 1 KB over 32 connections into one appliance: against the same code with a commit for each request, and
// against the same HTTP server that only parses. Rounds of all three in turn, so that a busy moment hits them alike.

import { createApi } from '../../src/demo/appliance-process.ts';
import { type Figure, perSecond, type Row, type Setting } from './figure.ts';
import type { Lab } from './lab.ts';
import type { Outcome } from './load.ts';
import { connectionCount, makeTills, postAll } from './shop.ts';
import { medianOf } from './statistics.ts';
import { productCount, products } from './tickets.ts';

type Target = { readonly port: number; readonly tokens: readonly string[] };

export const groupCommit: Figure = { name: 'group-commit', run };

async function run({ lab, quick, note }: Setting): Promise<Row[]> {
  const targets = { grouped: await grouped(lab), single: await single(lab), parsing: await parsing(lab) };
  const seconds = quick ? 1.5 : 3;
  const round = async (): Promise<Record<keyof typeof targets, Outcome>> => ({
    grouped: await lab.load({ ...targets.grouped, seconds }),
    single: await lab.load({ ...targets.single, seconds }),
    parsing: await lab.load({ ...targets.parsing, seconds }),
  });
  await round();
  const rounds: Awaited<ReturnType<typeof round>>[] = [];
  for (let index = 0; index < (quick ? 1 : 3); index++) rounds.push(await round());
  const rate = (name: keyof typeof targets) =>
    medianOf(rounds.map((one) => one[name].acknowledged / one[name].seconds));
  const rates = { grouped: rate('grouped'), single: rate('single'), parsing: rate('parsing') };
  const [last] = rounds.slice(-1);
  if (last)
    note(
      `load: p50 ${last.grouped.p50Ms.toFixed(1)} ms, p99 ${last.grouped.p99Ms.toFixed(1)} ms grouped; it took ${last.grouped.coreShare.toFixed(2)} of a core, ${last.parsing.coreShare.toFixed(2)} beside the parsing server`,
    );
  const [toSingle, toParsing] = [rates.grouped / rates.single, rates.grouped / rates.parsing];
  const measured = perSecond(rates.grouped);
  return [
    {
      what: 'group commit, 1 KB tickets, 32 connections',
      measured,
      beside: `${perSecond(rates.single)} a commit each`,
      ratio: toSingle,
      wanted: quick ? '≥ 2 ×' : '≥ 4 ×',
      passed: toSingle >= (quick ? 2 : 4),
    },
    {
      what: 'the same',
      measured,
      beside: `${perSecond(rates.parsing)} HTTP that only parses`,
      ratio: toParsing,
      wanted: quick ? '≥ 0.25 ×' : '≥ 0.5 ×',
      passed: toParsing >= (quick ? 0.25 : 0.5),
    },
  ];
}

async function grouped(lab: Lab): Promise<Target> {
  const { admin, port } = await lab.start('grouped');
  await postAll(admin, '/api/v1/products', products(productCount));
  return { port, tokens: await makeTills(admin, connectionCount) };
}

async function single(lab: Lab): Promise<Target> {
  const { said } = await lab.child('one-commit-server.ts', [lab.folder(), lab.shopKey, lab.adminToken]);
  const { port } = said as { port: number };
  const admin = createApi(`http://127.0.0.1:${port}`, lab.adminToken);
  await postAll(admin, '/api/v1/products', products(productCount));
  return { port, tokens: await makeTills(admin, connectionCount) };
}

async function parsing(lab: Lab): Promise<Target> {
  const { said } = await lab.child('parsing-server.ts', []);
  return { port: (said as { port: number }).port, tokens: Array(connectionCount).fill('none') };
}
