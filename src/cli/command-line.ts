// The words after "tillmesh", taken apart: commands, the flags of the options table, the few flags of one command alone,
// and the text of --help. What nobody knows is refused as wrong usage (exit 2), never ignored.

import { parseArgs } from 'node:util';
import type { Option } from '../config.ts';

export const commands = [
  { name: 'start', words: [], meaning: 'runs the appliance (also without a command)' },
  { name: 'join', words: ['CODE'], meaning: 'joins the shop that made the code (--peer HOST:PORT: where it was made)' },
  { name: 'join', words: [], meaning: 'asks the appliance at --peer HOST:PORT to let this one in' },
  { name: 'join-code', words: [], meaning: 'makes a code that lets one appliance in, for 15 minutes' },
  { name: 'approve', words: ['WHO'], meaning: 'lets in an appliance that was seen: its name, id, or six words' },
  { name: 'revoke', words: ['WHO'], meaning: 'shuts an appliance out of the shop, everywhere' },
  { name: 'shop-key', words: [], meaning: 'shows the shop key, if it is no longer the configured one' },
  { name: 'renew-identity', words: [], meaning: 'makes another appliance of a copy that runs beside its original' },
  { name: 'status', words: [], meaning: 'asks the running appliance how it is' },
  { name: 'token', words: ['admin'], meaning: 'makes the admin token of the shop anew, shown once' },
  { name: 'token', words: ['terminal', 'NAME'], meaning: 'makes a token for a till, shown once' },
  { name: 'verify', words: [], meaning: 'checks journal, books and digests on a copy' },
  { name: 'config', words: [], meaning: 'shows the effective configuration and where each value came from' },
  { name: 'demo', words: [], meaning: 'three appliances and a trading day on loopback' },
] as const;

/** A flag of its own, beside the options. Takes a value unless `value` is missing. `command`: only there. */
type OwnFlag = {
  readonly name: string;
  readonly short?: string;
  readonly value?: string;
  readonly command?: string;
  readonly meaning: string;
};

const ownFlags: readonly OwnFlag[] = [
  { name: 'csv', value: 'FILE', command: 'demo', meaning: 'plays a real day (InvoiceNo, StockCode, Description, …)' },
  { name: 'seed', value: 'N', command: 'demo', meaning: 'another generated day; the same seed gives the same day' },
  { name: 'tickets', value: 'N', command: 'demo', meaning: 'tickets of the generated day' },
  { name: 'bring-books', command: 'join', meaning: 'books of this appliance, if it has any, come along' },
  { name: 'version', meaning: 'prints the version' },
  { name: 'help', short: 'h', meaning: 'prints this' },
];

export type CommandLine = {
  /** The command first; "start" where none was given. */
  readonly words: readonly [string, ...string[]];
  /** Texts of each flag given, in order; an empty text for a flag without value. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
};

export function parseCommandLine(
  args: readonly string[],
  options: readonly Option[],
): ({ ok: true } & CommandLine) | { ok: false; detail: string } {
  const known = new Map<string, OwnFlag>(ownFlags.map((flag) => [flag.name, flag]));
  for (const { flag, meaning } of options) if (flag) known.set(flag.name, { ...flag, meaning });
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries([...known.values()].map((flag) => [flag.name, toParseArgs(flag)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const flags = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = known.get(token.name);
    if (!flag) return refused(`${token.rawName} is no option of tillmesh`);
    if (!flag.value && token.value !== undefined) return refused(`${token.rawName} takes no value`);
    if (flag.value && !token.value) return refused(`${token.rawName} needs a value: ${token.rawName} ${flag.value}`);
    flags.set(token.name, [...(flags.get(token.name) ?? []), token.value ?? '']);
  }
  const [command = 'start', ...rest] = words;
  for (const { name, command: owner } of ownFlags) {
    if (owner && owner !== command && flags.has(name)) return refused(`--${name} belongs to the command ${owner}`);
  }
  const detail = flags.has('help') || flags.has('version') ? undefined : checkWords(command, rest);
  return detail === undefined ? { ok: true, words: [command, ...rest], flags } : refused(detail);
}

const refused = (detail: string) => ({ ok: false as const, detail });

const toParseArgs = ({ value, short }: OwnFlag) => ({
  type: value ? ('string' as const) : ('boolean' as const),
  ...(short ? { short } : {}),
});

/** What is wrong with the words, as a sentence; undefined when nothing is. */
function checkWords(command: string, rest: readonly string[]): string | undefined {
  const forms = commands.filter(({ name }) => name === command);
  if (forms.length === 0) return `"${command}" is no command of tillmesh`;
  const fits = forms.some(
    ({ words }) => words.length === rest.length && words.every((word, i) => word === rest[i] || isPlaceholder(word)),
  );
  if (fits) return undefined;
  return `write ${forms.map(({ name, words }) => `"tillmesh ${[name, ...words].join(' ')}"`).join(' or ')}`;
}

const isPlaceholder = (word: string): boolean => word === word.toUpperCase();

export function helpText(version: string, options: readonly Option[]): string {
  const commandRows = commands.map(({ name, words, meaning }) => [[name, ...words].join(' '), meaning]);
  const optionRows = options.map((option) => [optionForm(option), optionMeaning(option)]);
  const flagRows = ownFlags.map(({ name, value, command, meaning }) => [
    [`--${name}`, value].filter(Boolean).join(' '),
    command ? `${command}: ${meaning}` : meaning,
  ]);
  return [
    `tillmesh ${version}: the shop's books on several appliances`,
    '',
    'tillmesh [COMMAND] [OPTIONS]',
    '',
    ...columns(commandRows),
    '',
    'Options: flags beat the environment, which beats config.json in the data folder.',
    '',
    ...columns([...optionRows, ...flagRows]),
  ].join('\n');
}

const optionForm = ({ flag, env }: Option): string =>
  flag ? [`--${flag.name}`, flag.value].filter(Boolean).join(' ') : (env[0] ?? '');

function optionMeaning({ meaning, env, default: text, secret }: Option): string {
  const names = env.map((name) => (secret ? `${name} or ${name}_FILE` : name)).join(', ');
  return `${meaning} [${names}${text ? `; ${text}` : ''}]`;
}

/** Rows as lines, each column as wide as its widest cell. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
}
