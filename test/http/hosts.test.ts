// Names and origins as pure decisions: what is a name of ours, and which page is ours.

import { describe, expect, test } from 'vitest';
import { createHostRule, namesOfMachine } from '../../src/edges/http/hosts.ts';
import { createOriginRule, isForeign, isFromElsewhere, isOwnOrigin } from '../../src/edges/http/origins.ts';
import { refusalOfUpgrade } from '../../src/edges/http/upgrades.ts';

describe('A1 A2 names', () => {
  const isHostAllowed = createHostRule([...namesOfMachine('Pi-Bar.shop.lan'), 'tills.example']);

  test.each([
    undefined,
    'localhost',
    'LOCALHOST:3030',
    '127.0.0.1',
    '192.168.1.20:3030',
    '[::1]',
    '[fe80::1%eth0]:3031',
    'pi-bar',
    'pi-bar.local',
    'PI-BAR.LOCAL.:80',
    'pi-bar.shop.lan',
    'tills.example',
  ])('%j is ours', (host) => {
    // Twice: the second time it is remembered.
    expect([isHostAllowed(host), isHostAllowed(host)]).toEqual([true, true]);
  });

  test.each([
    '',
    ':3030',
    'evil.example',
    'pi-bar.evil.example',
    'xpi-bar',
    'pi-bar.local.evil.example',
    'tills.example.evil.example',
    'localhost..',
    '127.0.0.1.evil.example',
    '127.1',
    '0177.0.0.1',
    '1.2.3.4.5',
    '[::1',
    '::1',
    '[1.2.3.4]',
    '[tills.example]',
    'tills.example:port',
    'tills.example/',
    'user@tills.example',
    'tills.example#',
    'tills example',
    'tills.example,evil.example',
  ])('%j is not', (host) => {
    expect([isHostAllowed(host), isHostAllowed(host)]).toEqual([false, false]);
  });

  test('B8 values that are remembered do not grow without end', () => {
    for (let index = 0; index < 10_000; index++) expect(isHostAllowed(`10.0.${index >> 8}.${index & 255}`)).toBe(true);
    expect(isHostAllowed('evil.example')).toBe(false);
  });
});

describe('A7 pages', () => {
  const host = '192.168.1.20:3030';
  test('ours is the one of exactly this scheme, host and port', () => {
    expect(isOwnOrigin({ origin: `http://${host}`, host, isTls: false })).toBe(true);
    expect(isOwnOrigin({ origin: 'https://pi.local:3031', host: 'PI.local:3031', isTls: true })).toBe(true);
    for (const origin of [
      `https://${host}`,
      'http://192.168.1.20',
      'http://192.168.1.20:3031',
      'null',
      '',
      `http://${host}/`,
    ]) {
      expect([origin, isForeign({ origin, host, isTls: false })]).toEqual([origin, true]);
    }
    expect(isForeign({ origin: null, host, isTls: false })).toBe(false);
  });

  test('"null" is nobody, also where somebody configures it', () => {
    const isListed = createOriginRule(['null', 'https://a.example'], () => ['null', 'http://10.0.0.2:3030']);
    expect(isListed('null')).toBe(false);
    expect(isListed('https://a.example')).toBe(true);
    expect(isListed('http://10.0.0.2:3030')).toBe(true);
    expect(['http://10.0.0.2', 'https://10.0.0.2:3030', 'http://10.0.0.2:30301', null].map(isListed)).toEqual(
      Array(4).fill(false),
    );
  });

  test('only what is from our page, or from a person’s own hand, is from here', () => {
    expect([null, 'none', 'same-origin', 'same-site', 'cross-site', ''].map(isFromElsewhere)).toEqual([
      false,
      false,
      false,
      true,
      true,
      true,
    ]);
  });

  test('an upgrade is refused for its name first, then for the port, then for the page', () => {
    const isOriginListed = createOriginRule(['https://a.example'], () => []);
    const policy = { isHostAllowed: createHostRule([]), isOriginListed, httpsOnly: true };
    const ask = (more: object) => refusalOfUpgrade({ host, origin: undefined, isTls: true, ...more }, policy);
    expect(ask({ host: 'evil.example', isTls: false, origin: 'http://evil.example' })).toBe(421);
    expect(ask({ isTls: false })).toBe(403);
    expect(ask({ origin: 'http://evil.example' })).toBe(403);
    expect(ask({ origin: `https://${host}` })).toBe(undefined);
    expect(ask({ origin: 'https://a.example' })).toBe(undefined);
    expect(ask({})).toBe(undefined);
  });
});
