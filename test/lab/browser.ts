// Chromium on a host of the lab: a page has the address of the LAN there that a shop's page has, so it is no secure context,
// and the host's cable can be pulled. What it keeps outlives it in the folder given, as on a till that is switched off.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import type { Lab } from './lab.ts';

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** Why there is no browser here, or null. */
export const browserMissing = program ? null : 'no Chromium here';

const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const launchMsMax = 30_000;
const pageMsMax = 15_000;
const graceMs = 5_000;

export type BrowserOptions = {
  /** Of what it keeps: one of the same name takes up what was kept. Below the lab's own. */
  readonly folder: string;
  readonly locale?: string;
  readonly colorScheme?: 'light' | 'dark';
  readonly viewport?: { readonly width: number; readonly height: number };
};

export type Browser = {
  newPage(): Promise<Page>;
  /** Each complaint of its pages so far: of their scripts, and of the policy about what they may load. */
  readonly complaints: readonly string[];
  /** Ends it in good order; kills it when that takes too long. */
  close(): Promise<void>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
};

export async function openBrowser(lab: Lab, host: number, options: BrowserOptions): Promise<Browser> {
  const { folder, locale = 'en-GB', ...shown } = options;
  const home = join(lab.folder, folder);
  mkdirSync(home, { recursive: true });
  const { starter, pid } = writeStarter(home, lab.output(host, 'ip', 'netns', 'identify').trim());
  const context = await chromium.launchPersistentContext(join(home, 'profile'), {
    executablePath: starter,
    args,
    locale,
    timeout: launchMsMax,
    ...shown,
  });
  const ended = new Promise<void>((resolve) => context.once('close', () => resolve()));
  context.setDefaultTimeout(pageMsMax);
  const complaints: string[] = [];
  const listen = (page: Page): void => {
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) complaints.push(message.text());
    });
  };
  context.pages().forEach(listen);
  context.on('page', listen);
  const kill = async (): Promise<void> => {
    killGroup(pid());
    await ended;
  };
  return {
    complaints,
    newPage: () => context.newPage(),
    kill,
    async close() {
      const grace = setTimeout(() => killGroup(pid()), graceMs);
      await context.close();
      clearTimeout(grace);
    },
  };
}

/** Each step of the script replaces the one before: the process that is started is the browser, and leads its own group. */
function writeStarter(home: string, space: string): { starter: string; pid: () => number } {
  const [starter, pidFile] = [join(home, 'start-chromium'), join(home, 'pid')];
  const lines = ['#!/bin/sh', `echo $$ > '${pidFile}'`, `exec ip netns exec '${space}' '${program}' "$@"`];
  writeFileSync(starter, `${lines.join('\n')}\n`, { mode: 0o755 });
  return { starter, pid: () => Number(readFileSync(pidFile, 'utf8')) };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/**
 * Runs in the page, as the body of an async function of `argument`; resolves with what it returns. A text, because a
 * function would be rewritten by the test runner, imports first of all.
 */
export const inPage = <Got>(page: Page, body: string, argument: unknown = null): Promise<Got> =>
  page.evaluate(`(async (argument) => { ${body} })(${JSON.stringify(argument)})`);
