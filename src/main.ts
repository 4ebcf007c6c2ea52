// The command line: takes the words apart, runs one command of cli/, and ends with its exit code. 0 done, 1 failed with
// one line on standard error that names the remedy, 2 wrong usage. Sees all; nobody sees it.

import { assets } from './assets.ts';
import { type CommandLine, helpText, parseCommandLine } from './cli/command-line.ts';
import { options, readSettings, settingsText } from './cli/settings.ts';

async function main(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(args, options);
  if (!line.ok) return complain(`${line.detail}. See tillmesh --help.`, 2);
  if (line.flags.has('version')) return tell(assets.version);
  if (line.flags.has('help')) return tell(helpText(assets.version, options));
  return run(line);
}

async function run({ words, flags }: CommandLine): Promise<number> {
  const resolved = readSettings(flags);
  if (!resolved.ok) return complain(resolved.detail, 1);
  const { settings, sources } = resolved;
  switch (words[0]) {
    case 'config':
      return tell(settingsText(settings, sources));
    default:
      return 2;
  }
}

function tell(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(detail: string, code: 1 | 2): number {
  process.stderr.write(`tillmesh: ${detail}\n`);
  return code;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = complain(error instanceof Error ? (error.stack ?? error.message) : String(error), 1);
  },
);
