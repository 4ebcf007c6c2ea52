// The table of options: which source wins, and what a person reads when a value is wrong.

import { describe, expect, test } from 'vitest';
import { helpText, parseCommandLine } from '../src/cli/command-line.ts';
import { firstConfigFile, type Outside, optionTable, resolveSettings } from '../src/config.ts';

const options = optionTable('pi-bar');

function resolve(args: string[], env: Outside['env'] = {}, files: Record<string, string> = {}) {
  const line = parseCommandLine(args, options);
  if (!line.ok) throw new Error(line.detail);
  return resolveSettings(options, line.flags, { env, readText: (path) => files[path] });
}

function settingsOf(...given: Parameters<typeof resolve>) {
  const resolved = resolve(...given);
  if (!resolved.ok) throw new Error(resolved.detail);
  return resolved;
}

function refusalOf(...given: Parameters<typeof resolve>): string {
  const resolved = resolve(...given);
  if (resolved.ok) throw new Error('was accepted');
  return resolved.detail;
}

const configPath = './tillmesh-data/config.json';

describe('precedence', () => {
  const env = { TILLMESH_PORT: '4002', PORT: '4003' };
  const files = { [configPath]: '{"port": 4004}' };

  test('flag beats environment beats config.json beats default, and each says where it came from', () => {
    const from = (...given: Parameters<typeof resolve>) => {
      const { settings, sources } = settingsOf(...given);
      return [settings.port, sources.port];
    };
    expect(from(['--port', '4001'], env, files)).toEqual([4001, '--port']);
    expect(from([], env, files)).toEqual([4002, 'TILLMESH_PORT']);
    expect(from([], { PORT: '4003' }, files)).toEqual([4003, 'PORT']);
    expect(from([], {}, files)).toEqual([4004, `${configPath} "port"`]);
    expect(from([])).toEqual([3030, 'default']);
  });

  test('an empty variable counts as not set', () => {
    expect(settingsOf([], { TILLMESH_PORT: '', PORT: '' }).settings.port).toBe(3030);
  });

  test('config.json is looked for in the data folder that flag or environment name', () => {
    const elsewhere = { '/srv/books/config.json': '{"name": "cellar"}' };
    expect(settingsOf(['--data', '/srv/books'], {}, elsewhere).settings.name).toBe('cellar');
    expect(settingsOf([], { TILLMESH_DATA: '/srv/books' }, elsewhere).settings.name).toBe('cellar');
  });

  test('the last of a repeated flag counts, but every --peer does', () => {
    const { settings } = settingsOf(['--port', '1', '--port', '2', '--peer', 'a:1', '--peer', '[::1]:2']);
    expect(settings).toMatchObject({ port: 2, peers: ['a:1', '[::1]:2'] });
  });

  test('peers come from a comma list in the environment and from an array in config.json', () => {
    expect(settingsOf([], { TILLMESH_PEERS: 'a:1, b:2,' }).settings.peers).toEqual(['a:1', 'b:2']);
    expect(settingsOf([], {}, { [configPath]: '{"peers": ["a:1", "b:2"]}' }).settings.peers).toEqual(['a:1', 'b:2']);
  });

  test('interfaces of mDNS come from a comma list in the environment; none named means all', () => {
    const named = (env: Outside['env']) => settingsOf([], env).settings.mdnsInterfaces;
    expect(named({ TILLMESH_MDNS_INTERFACES: 'eth0, wlan0,' })).toEqual(['eth0', 'wlan0']);
    expect([named({}), named({ TILLMESH_MDNS_INTERFACES: ' , ' })]).toEqual([null, null]);
    expect(settingsOf([], { TILLMESH_MDNS_PORT: '5454' }).settings.mdnsPort).toBe(5454);
    expect(settingsOf([]).settings.mdnsPort).toBe(5353);
  });

  test('names and origins may be given several times, or with commas', () => {
    const args = [
      '--allow-host',
      'till.lan',
      '--allow-host',
      'shop.example.',
      '--cors-origin',
      'https://a.example',
      '--https-only',
    ];
    expect(settingsOf(args).settings).toMatchObject({
      hosts: ['till.lan', 'shop.example.'],
      corsOrigins: ['https://a.example'],
      httpsOnly: true,
    });
    const env = {
      TILLMESH_HOSTS: 'a,b',
      TILLMESH_CORS_ORIGINS: 'http://a:1, http://[::1]:2',
      TILLMESH_HTTPS_ONLY: 'on',
    };
    expect(settingsOf([], env).settings).toMatchObject({
      hosts: ['a', 'b'],
      corsOrigins: ['http://a:1', 'http://[::1]:2'],
      httpsOnly: true,
    });
    expect(settingsOf([]).settings).toMatchObject({ hosts: [], corsOrigins: [], httpsOnly: false });
  });

  test('a config.json as the first start makes it changes nothing', () => {
    const { settings } = settingsOf([], {}, { [configPath]: firstConfigFile(options) });
    expect(settings).toEqual(settingsOf([]).settings);
  });
});

describe('secrets', () => {
  const shopKey = 'k'.repeat(32);

  test('come from a file too, without its last line break', () => {
    const env = { TILLMESH_SHOP_KEY_FILE: '/run/secrets/shop' };
    const { settings, sources } = settingsOf([], env, { '/run/secrets/shop': `${shopKey}\n` });
    expect([settings.shopKey, sources.shopKey]).toEqual([shopKey, 'TILLMESH_SHOP_KEY_FILE']);
  });

  test('named twice, or in a file that is not there: refused with the variable and the remedy', () => {
    expect(refusalOf([], { TILLMESH_SHOP_KEY: shopKey, TILLMESH_SHOP_KEY_FILE: '/x' })).toContain('not both');
    expect(refusalOf([], { TILLMESH_ADMIN_TOKEN_FILE: '/none' })).toContain('TILLMESH_ADMIN_TOKEN_FILE');
  });

  test('B9 a refused secret is not repeated in the message', () => {
    const detail = refusalOf([], { TILLMESH_SHOP_KEY: 'too-short-but-secret' });
    expect(detail).toContain('TILLMESH_SHOP_KEY');
    expect(detail).toContain('32');
    expect(detail).not.toContain('too-short-but-secret');
  });
});

describe('a wrong value names its source and what is wanted', () => {
  test.each([
    [['--port', '70000'], {}, '--port: the value "70000" is not valid; give a port number'],
    [['--port', '-1x'], {}, '--port'],
    [['--peer', '192.168.1.20'], {}, 'HOST:PORT'],
    [['--log-level', 'loud'], {}, 'one of debug, info'],
    [['--rate-limit', 'maybe'], {}, '"on" or "off"'],
    [[], { TILLMESH_MDNS_PORT: '0' }, 'TILLMESH_MDNS_PORT: the value "0" is not valid; give a port number from 1'],
    [[], { TILLMESH_MDNS_INTERFACES: 'eth0;wlan0 up' }, 'names of network interfaces'],
    [['--allow-host', 'http://till.lan'], {}, 'names without scheme and port'],
    [['--allow-host', 'till.lan:3030'], {}, 'names without scheme and port'],
    [['--cors-origin', '*'], {}, 'exact origins'],
    [['--cors-origin', 'https://till.example/'], {}, 'exact origins'],
    [['--cors-origin', 'null'], {}, 'exact origins'],
    [[], { PORT: 'http' }, 'PORT: the value "http"'],
    [[], { TILLMESH_ADMIN_TOKEN: 'short' }, '16 to 512 characters'],
  ])('%j %j', (args, env, sentence) => {
    expect(refusalOf(args, env)).toContain(sentence);
  });

  test.each([
    ['{"port": ', 'is not JSON'],
    ['[]', 'one JSON object'],
    ['{"prot": 1}', '"prot" is no option; known are port'],
    ['{"port": "x"}', 'config.json "port": the value "x"'],
    ['{"data": "/x"}', '"data" is no option'],
  ])('config.json %s', (text, sentence) => {
    expect(refusalOf([], {}, { [configPath]: text })).toContain(sentence);
  });
});

describe('wrong usage', () => {
  test.each([
    [['fly'], '"fly" is no command'],
    [['--fast'], '--fast is no option'],
    [['--port'], '--port needs a value'],
    [['--no-mdns=yes'], '--no-mdns takes no value'],
    [['start', 'now'], 'write "tillmesh start"'],
    [['token'], '"tillmesh token admin" or "tillmesh token terminal NAME"'],
    [['--csv', 'day.csv'], '--csv belongs to the command demo'],
  ])('%j', (args, sentence) => {
    const line = parseCommandLine(args, options);
    expect(line.ok ? 'accepted' : line.detail).toContain(sentence);
  });

  test('no word means start; a terminal may have any name', () => {
    expect(parseCommandLine([], options)).toMatchObject({ words: ['start'] });
    expect(parseCommandLine(['token', 'terminal', 'Bar 1'], options)).toMatchObject({ ok: true });
  });

  test('--help names every option by flag or variable', () => {
    const text = helpText('1.2.3', options);
    for (const { flag, env } of options) expect(text).toContain(flag ? `--${flag.name}` : env[0]);
  });
});
