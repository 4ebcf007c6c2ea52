// What can be set, in one table, and where each value came from. Flags beat the environment, which beats config.json in
// the data folder, which beats the defaults. Reads nothing by itself: files come in through `readText`. A wrong value is
// a failure that names the option and the remedy; nothing is guessed.

import { isServedOrigin } from './core/dial.ts';
import { mdnsInterfacesMax, shopKeyCharsMin } from './core/limits.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The effective configuration. */
export type Settings = {
  /** Folder of everything that this appliance keeps. */
  data: string;
  port: number;
  meshPort: number;
  /** Address to listen on; null for all interfaces. */
  host: string | null;
  name: string;
  /** host:port of peers' mesh ports. */
  peers: string[];
  mdns: boolean;
  /** Names of the interfaces for mDNS; null for all that are up. */
  mdnsInterfaces: string[] | null;
  mdnsPort: number;
  shopKey: string | null;
  adminToken: string | null;
  rateLimit: boolean;
  /** Names beside those of this machine under which it answers. */
  hosts: string[];
  /** Exact origins of pages that may use tokens. */
  corsOrigins: string[];
  httpsOnly: boolean;
  logLevel: LogLevel;
};

type Parsed = { ok: true; value: Settings[keyof Settings] } | { ok: false; wanted: string };

export type Option = {
  readonly name: keyof Settings;
  /** Variables, the first that is set wins. A secret also has each with _FILE. */
  readonly env: readonly string[];
  /** Without the dashes. `means`: the flag takes no value and stands for this one. */
  readonly flag?: { readonly name: string; readonly value?: string; readonly means?: string; readonly many?: boolean };
  /** As text, in the form that `parse` reads; null where there is no value by default. */
  readonly default: string | null;
  readonly parse: (text: string) => Parsed;
  readonly meaning: string;
  readonly secret?: boolean;
};

const value = (parsed: Settings[keyof Settings]): Parsed => ({ ok: true, value: parsed });
const wanted = (sentence: string): Parsed => ({ ok: false, wanted: sentence });

function parsePort(text: string): Parsed {
  const isPort = /^[0-9]{1,5}$/.test(text) && Number(text) <= 65535;
  return isPort ? value(Number(text)) : wanted('a port number from 0 to 65535 (0 picks a free one)');
}

const parseText =
  (charsMin: number, charsMax: number) =>
  (text: string): Parsed => {
    const length = [...text].length;
    if (length >= charsMin && length <= charsMax) return value(text);
    return wanted(`${charsMin} to ${charsMax} characters`);
  };

function parseSwitch(text: string): Parsed {
  const word = text.toLowerCase();
  if (['on', 'true', '1', 'yes'].includes(word)) return value(true);
  if (['off', 'false', '0', 'no'].includes(word)) return value(false);
  return wanted('"on" or "off"');
}

function parseLogLevel(text: string): Parsed {
  const level = logLevels.find((known) => known === text.toLowerCase());
  return level ? value(level) : wanted(`one of ${logLevels.join(', ')}`);
}

const addressPattern = /^(?:\[[0-9A-Fa-f:.%a-z]+\]|[^\s:/[\]]+):([0-9]{1,5})$/;

function parsePeers(text: string): Parsed {
  const addresses = text
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  for (const address of addresses) {
    const port = Number(addressPattern.exec(address)?.[1]);
    if (!(port >= 1 && port <= 65535)) return wanted('HOST:PORT of a peer\'s mesh port, such as "192.168.1.20:3031"');
  }
  return value(addresses);
}

/** Names as Linux takes them: up to 15 characters, no slash, no space. */
function parseInterfaces(text: string): Parsed {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const areNames = names.length <= mdnsInterfacesMax && names.every((name) => /^[^\s/,:]{1,15}$/.test(name));
  if (!areNames) return wanted(`up to ${mdnsInterfacesMax} names of network interfaces, such as "eth0,wlan0"`);
  return value(names.length > 0 ? names : null);
}

function parseFixedPort(text: string): Parsed {
  const isPort = /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;
  return isPort ? value(Number(text)) : wanted('a port number from 1 to 65535');
}

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

function parseHosts(text: string): Parsed {
  const names = listOf(text);
  const isName = (name: string): boolean => /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$/.test(name) && name.length <= 253;
  return names.every(isName) ? value(names) : wanted('names without scheme and port, such as "till.example.lan"');
}

function parseOrigins(text: string): Parsed {
  const origins = listOf(text);
  return origins.every(isServedOrigin) ? value(origins) : wanted('exact origins, such as "https://till.example:8443"');
}

/** The whole of what can be set. `defaultName` is the name of the host. */
export const optionTable = (defaultName: string): readonly Option[] => [
  {
    name: 'data',
    env: ['TILLMESH_DATA'],
    flag: { name: 'data', value: 'DIR' },
    default: './tillmesh-data',
    parse: parseText(1, 4096),
    meaning: 'folder of everything this appliance keeps',
  },
  {
    name: 'port',
    env: ['TILLMESH_PORT', 'PORT'],
    flag: { name: 'port', value: 'N' },
    default: '3030',
    parse: parsePort,
    meaning: 'HTTP for tills and the page; 0 picks a free port',
  },
  {
    name: 'meshPort',
    env: ['TILLMESH_MESH_PORT'],
    flag: { name: 'mesh-port', value: 'N' },
    default: '3031',
    parse: parsePort,
    meaning: 'TLS for peers; 0 picks a free port',
  },
  {
    name: 'host',
    env: ['TILLMESH_HOST'],
    flag: { name: 'host', value: 'ADDR' },
    default: null,
    parse: parseText(1, 255),
    meaning: 'address to listen on (all interfaces when not set)',
  },
  {
    name: 'name',
    env: ['TILLMESH_NAME'],
    flag: { name: 'name', value: 'TEXT' },
    default: defaultName,
    parse: parseText(1, 64),
    meaning: 'name of this appliance, for people',
  },
  {
    name: 'peers',
    env: ['TILLMESH_PEERS'],
    flag: { name: 'peer', value: 'HOST:PORT', many: true },
    default: '',
    parse: parsePeers,
    meaning: "peers' mesh ports; the flag may be repeated, the variable takes commas",
  },
  {
    name: 'mdns',
    env: ['TILLMESH_MDNS'],
    flag: { name: 'no-mdns', means: 'off' },
    default: 'on',
    parse: parseSwitch,
    meaning: 'look for peers on the network by mDNS, and be seen there',
  },
  {
    name: 'mdnsInterfaces',
    env: ['TILLMESH_MDNS_INTERFACES'],
    default: null,
    parse: parseInterfaces,
    meaning: 'network interfaces for mDNS, such as "eth0,wlan0" (all that are up when not set)',
  },
  {
    name: 'mdnsPort',
    env: ['TILLMESH_MDNS_PORT'],
    default: '5353',
    parse: parseFixedPort,
    meaning: 'UDP port of mDNS; appliances find each other on the same one',
  },
  {
    name: 'shopKey',
    env: ['TILLMESH_SHOP_KEY'],
    default: null,
    parse: parseText(shopKeyCharsMin, 1024),
    meaning: 'appliances that prove the same key form one shop',
    secret: true,
  },
  {
    name: 'adminToken',
    env: ['TILLMESH_ADMIN_TOKEN'],
    default: null,
    parse: (text) => (/^[\x21-\x7e]{16,512}$/.test(text) ? value(text) : wanted('16 to 512 characters without spaces')),
    meaning: 'a fixed admin token, for unattended set-up',
    secret: true,
  },
  {
    name: 'rateLimit',
    env: ['TILLMESH_RATE_LIMIT'],
    flag: { name: 'rate-limit', value: 'on|off' },
    default: 'on',
    parse: parseSwitch,
    meaning: 'limit requests per address and per token',
  },
  {
    name: 'hosts',
    env: ['TILLMESH_HOSTS'],
    flag: { name: 'allow-host', value: 'NAME', many: true },
    default: '',
    parse: parseHosts,
    meaning: "names to answer under, beside addresses and this machine's own; the flag may be repeated",
  },
  {
    name: 'corsOrigins',
    env: ['TILLMESH_CORS_ORIGINS'],
    flag: { name: 'cors-origin', value: 'ORIGIN', many: true },
    default: '',
    parse: parseOrigins,
    meaning: 'origins whose pages may use tokens; the flag may be repeated',
  },
  {
    name: 'httpsOnly',
    env: ['TILLMESH_HTTPS_ONLY'],
    flag: { name: 'https-only', means: 'on' },
    default: 'off',
    parse: parseSwitch,
    meaning: 'tokens and pages only over HTTPS, which is served on the mesh port',
  },
  {
    name: 'logLevel',
    env: ['TILLMESH_LOG_LEVEL'],
    flag: { name: 'log-level', value: 'LEVEL' },
    default: 'info',
    parse: parseLogLevel,
    meaning: `${logLevels.join(', ')}; JSON lines on standard error`,
  },
];

/** Where a value came from: a flag, a variable, the path of config.json, or "default". */
export type Sources = { readonly [name in keyof Settings]: string };

export type Outside = {
  readonly env: { readonly [name: string]: string | undefined };
  /** Text of a file; undefined where there is none. Throws when it is there and cannot be read. */
  readText(path: string): string | undefined;
};

export type Resolved = { ok: true; settings: Settings; sources: Sources } | { ok: false; detail: string };

export const configFileName = 'config.json';

/** Puts flags, environment, config.json and defaults together. Fails, as a sentence, on the first wrong value. */
export function resolveSettings(
  options: readonly Option[],
  flags: ReadonlyMap<string, readonly string[]>,
  outside: Outside,
): Resolved {
  const settings: Partial<Record<keyof Settings, Settings[keyof Settings]>> = {};
  const sources: Partial<Record<keyof Settings, string>> = {};
  let file: ConfigFile = { ok: true, path: configFileName, texts: new Map() };
  for (const option of options) {
    const found = fromFlag(option, flags) ?? fromEnvironment(option, outside) ?? fromFile(option, file);
    if (found && 'detail' in found) return { ok: false, detail: found.detail };
    const { text, source } = found ?? { text: option.default, source: 'default' };
    const parsed = text === null ? value(null) : option.parse(text);
    if (!parsed.ok) {
      const shown = option.secret ? '' : ` "${text}"`;
      return { ok: false, detail: `${source}: the value${shown} is not valid; give ${parsed.wanted}` };
    }
    settings[option.name] = parsed.value;
    sources[option.name] = source;
    if (option.name !== 'data') continue;
    // The folder is known now, so config.json can speak about all that follow.
    file = readConfigFile(`${parsed.value}/${configFileName}`, options, outside);
    if (!file.ok) return file;
  }
  return { ok: true, settings: settings as Settings, sources: sources as Sources };
}

type Found = { text: string; source: string } | { detail: string } | undefined;

function fromFlag(option: Option, flags: ReadonlyMap<string, readonly string[]>): Found {
  const texts = option.flag && flags.get(option.flag.name);
  if (!option.flag || !texts || texts.length === 0) return undefined;
  const source = `--${option.flag.name}`;
  if (option.flag.means !== undefined) return { text: option.flag.means, source };
  return { text: option.flag.many ? texts.join(',') : (texts[texts.length - 1] ?? ''), source };
}

/** An empty variable counts as not set: that is how compose files and units leave one out. */
function fromEnvironment(option: Option, { env, readText }: Outside): Found {
  for (const name of option.env) {
    const direct = env[name] || undefined;
    const path = option.secret ? env[`${name}_FILE`] || undefined : undefined;
    if (direct !== undefined && path !== undefined) return { detail: `set ${name} or ${name}_FILE, not both` };
    if (direct !== undefined) return { text: direct, source: name };
    if (path === undefined) continue;
    const text = readOr(() => readText(path));
    if (text === undefined) return { detail: `${name}_FILE: cannot read ${path}; name a file that this user may read` };
    return { text: text.replace(/\r?\n$/, ''), source: `${name}_FILE` };
  }
  return undefined;
}

type ConfigFile = { ok: true; path: string; texts: Map<string, string> } | { ok: false; detail: string };

const fromFile = (option: Option, file: ConfigFile): Found => {
  const text = file.ok ? file.texts.get(option.name) : undefined;
  return text === undefined || !file.ok ? undefined : { text, source: `${file.path} "${option.name}"` };
};

function readConfigFile(path: string, options: readonly Option[], { readText }: Outside): ConfigFile {
  const refused = (why: string): ConfigFile => ({ ok: false, detail: `${path}: ${why}` });
  let members: [string, unknown][];
  try {
    const text = readText(path);
    if (text === undefined) return { ok: true, path, texts: new Map() };
    const json: unknown = JSON.parse(text);
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return refused('must hold one JSON object');
    members = Object.entries(json);
  } catch (error) {
    const why =
      error instanceof SyntaxError ? 'is not JSON; mend it, or delete it to have it made again' : 'cannot be read';
    return refused(why);
  }
  const texts = new Map<string, string>();
  for (const [name, member] of members) {
    const known = options.some((option) => option.name === name && option.name !== 'data');
    if (!known) return refused(`"${name}" is no option; known are ${namesInFile(options).join(', ')}`);
    if (member === null) continue;
    texts.set(name, Array.isArray(member) ? member.join(',') : String(member));
  }
  return { ok: true, path, texts };
}

const namesInFile = (options: readonly Option[]): string[] =>
  options.map((option) => option.name).filter((name) => name !== 'data');

/** Text of the config.json that a first start makes: everything that is not a secret, as it is by default. */
export function firstConfigFile(options: readonly Option[]): string {
  const members: Record<string, unknown> = {};
  for (const option of options) {
    if (option.secret || option.name === 'data') continue;
    const parsed = option.default === null ? value(null) : option.parse(option.default);
    members[option.name] = parsed.ok ? parsed.value : null;
  }
  return `${JSON.stringify(members, null, 2)}\n`;
}

function readOr(read: () => string | undefined): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
