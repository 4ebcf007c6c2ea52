// The page in a real browser: that people get in by it, that it can be framed nowhere, and what the page of somebody else
// can do with the cookie of who is logged in, from another port of the same machine, where SameSite does not help.
// Against an address of the LAN where there is one: on loopback browsers allow more.

import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { node } from '../built-file.ts';
import { ask, password, startTarget, type Target } from './target.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (!executablePath) console.warn('no Chromium here: what a browser does with the page is not tried');

const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
const quiet = ['--disable-component-update', '--disable-sync'];

const address =
  Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';

describe.skipIf(!executablePath)('in Chromium', () => {
  let target: Target;
  let browser: Browser;
  beforeAll(async () => {
    target = await startTarget(node, [], {});
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: [...args, ...quiet] });
  });
  afterAll(async () => {
    await browser?.close();
    await target?.stop();
  });

  const own = () => `http://${address}:${target.port}`;

  /** A browser of somebody's own, and what its pages complained of. */
  async function newPage(): Promise<{ page: Page; complaints: string[] }> {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) complaints.push(message.text());
    });
    return { page, complaints };
  }

  /** A page of somebody else, at another port of the same machine. */
  async function foreignPage(html: string): Promise<string> {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>evil</title>${html}`);
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    onTestFinished(() => void server.close());
    return `http://${address}:${(server.address() as AddressInfo).port}/`;
  }

  async function logIn(page: Page): Promise<void> {
    await page.goto(own());
    await page.locator('#log-in input[name=password]').fill(password);
    await page.locator('#log-in button').click();
    await page.locator('#who', { hasText: 'admin (admin)' }).waitFor();
  }

  test('B10 the first admin is made with the claim code, logs out and in again', async () => {
    const { page, complaints } = await newPage();
    await page.goto(own());
    await page.locator('summary').click();
    await page.locator('#claim input[name=code]').fill('WRONG');
    await page.locator('#claim input[name=password]').fill(password);
    await page.locator('#claim button').click();
    await page.locator('#claim [role=alert]', { hasText: 'not the claim code' }).waitFor();
    await page.locator('#claim input[name=code]').fill(readFileSync(join(target.data, 'claim-code'), 'utf8'));
    await page.locator('#claim button').click();
    await page.locator('#who', { hasText: 'admin (admin)' }).waitFor();
    await page.reload();
    await page.locator('#who', { hasText: 'admin (admin)' }).waitFor();
    await page.locator('#log-out').click();
    await page.locator('#log-in').waitFor();
    await logIn(page);
    expect(await page.evaluate('document.cookie')).toBe('');
    expect(new URL(page.url()).search).toBe('');
    expect(complaints).toEqual([]);
  });

  test('A10 framed by another page it stays empty', async () => {
    const { page } = await newPage();
    const harmless = await foreignPage('<p id="inside">framed</p>');
    const frames = `<iframe id="ours" src="${own()}/"></iframe><iframe id="theirs" src="${harmless}"></iframe>`;
    await page.goto(await foreignPage(frames), { waitUntil: 'load' });
    // So that it shows: frames do work here.
    await page.frameLocator('#theirs').locator('#inside').waitFor();
    const framed = page.frames().find((frame) => frame !== page.mainFrame() && !frame.url().startsWith(harmless));
    expect(framed?.url()).toBe('chrome-error://chromewebdata/');
    expect(await page.frameLocator('#ours').locator('#log-in').count()).toBe(0);
  });

  test('A7 A8 the page of another port, with the cookie of who is logged in, writes nothing and reads nothing', async () => {
    const { page } = await newPage();
    await logIn(page);
    const evil = await foreignPage('');
    await page.goto(evil);
    const statuses: string[] = [];
    page.on('response', (response) => {
      statuses.push(`${response.request().method()} ${response.status()}`);
    });
    const outcomes = await page.evaluate(attack, own());
    expect(outcomes).toEqual({ read: 'refused', simple: 'opaque', preflighted: 'refused', socket: 'refused' });
    // 403 and not 401: the cookie did ride along, and it is we who refused.
    expect(statuses).toEqual(['POST 403']);
    const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    expect((await ask(target, '/api/v1/session', { headers: { cookie } })).json.user).toBe('admin');
    expect((await ask(target, '/api/v1/products/evil', { headers: { cookie } })).status).toBe(404);
  });
});

/** Runs in the foreign page. */
async function attack(url: string) {
  const body = JSON.stringify({ id: 'evil', name: 'Evil' });
  const asked = (path: string, init: RequestInit) =>
    fetch(url + path, { credentials: 'include', ...init }).then(
      (response) => (response.type === 'opaque' ? 'opaque' : 'read'),
      () => 'refused',
    );
  const socket = () =>
    new Promise<string>((resolve) => {
      const opened = new WebSocket(`${url.replace('http', 'ws')}/ws`);
      opened.onopen = () => resolve('opened');
      opened.onerror = () => resolve('refused');
    });
  const headers = { 'Content-Type': 'application/json' };
  return {
    read: await asked('/api/v1/products', {}),
    simple: await asked('/api/v1/products', { method: 'POST', mode: 'no-cors', body }),
    preflighted: await asked('/api/v1/products', { method: 'POST', headers, body }),
    socket: await socket(),
  };
}
