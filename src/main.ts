// The command line: takes the words apart, runs one command of cli/, and ends with its exit code. 0 done, 1 failed with
// one line on standard error that names the remedy, 2 wrong usage. Sees all; nobody sees it.

import { assets } from './assets.ts';
import { type CommandLine, helpText, parseCommandLine } from './cli/command-line.ts';
import { options, readSettings, settingsText } from './cli/settings.ts';
import type { Settings } from './config.ts';

async function main(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(args, options);
  if (!line.ok) return complain(`${line.detail}. See tillmesh --help.`, 2);
  if (line.flags.has('version')) return tell(assets.version);
  if (line.flags.has('help')) return tell(helpText(assets.version, options));
  const resolved = readSettings(line.flags);
  if (!resolved.ok) return complain(resolved.detail);
  return run(line, resolved.settings, () => settingsText(resolved.settings, resolved.sources));
}

/** Each command is loaded when it is asked for: most of what `start` needs is of no use to the others. */
async function run({ words, flags }: CommandLine, settings: Settings, showSettings: () => string): Promise<number> {
  const [command, ...rest] = words;
  switch (command) {
    case 'config':
      return tell(showSettings());
    case 'status':
      return answer(await (await import('./cli/status.ts')).readStatus(settings.data));
    case 'join': {
      const peer = flags.get('peer')?.at(-1);
      const words = { code: rest[0], peer, bringBooks: flags.has('bring-books') };
      return answer(await (await import('./cli/join.ts')).joinShop(settings, words, tell));
    }
    case 'join-code':
      return answer(await (await import('./cli/membership.ts')).makeJoinCode(settings.data));
    case 'approve':
    case 'revoke': {
      const { changeTrust } = await import('./cli/membership.ts');
      return answer(await changeTrust(settings.data, rest[0] ?? '', command === 'approve' ? 'trusted' : 'revoked'));
    }
    case 'shop-key':
      return answer(await (await import('./cli/membership.ts')).readShopKey(settings.data));
    case 'renew-identity':
      return answer(await (await import('./cli/membership.ts')).renewIdentity(settings.data));
    case 'token': {
      const { makeToken } = await import('./cli/token.ts');
      return answer(await makeToken(settings, rest[0] === 'admin' ? null : (rest[1] ?? '')));
    }
    case 'verify':
      return answer((await import('./cli/verify.ts')).verifyBooks(settings));
    case 'demo':
      return (await import('./cli/demo.ts')).demo(flags, complain);
    default:
      return serve(settings);
  }
}

/** Until a signal. The second one ends it at once. */
async function serve(settings: Settings): Promise<number> {
  const stopAsked = new Promise<void>((resolve) => {
    let isAsked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (isAsked) process.exit(1);
        isAsked = true;
        resolve();
      });
    }
  });
  const { start } = await import('./cli/start.ts');
  const running = await start(settings);
  if (!running.ok) return complain(running.detail);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error) => {
      // What is on disk is whole; what is in memory may not be. Whoever supervises us starts us again.
      running.log.error('stopping: a defect', { error });
      process.exit(1);
    });
  }
  if (running.claimCode !== null) tell(`Claim code, to make the first admin with: ${running.claimCode}`);
  tell(`ready ${running.url}`);
  await stopAsked;
  await running.stop();
  return 0;
}

type Told = { ok: true; text: string } | { ok: false; detail: string };

const answer = (told: Told): number => (told.ok ? tell(told.text) : complain(told.detail));

function tell(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(detail: string, code: 1 | 2 = 1): number {
  process.stderr.write(`tillmesh: ${detail}\n`);
  return code;
}

// Whoever read our output may be gone; that is no reason to end.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(complain(error instanceof Error ? (error.stack ?? error.message) : String(error))),
);
