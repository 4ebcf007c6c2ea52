// Options as they were given, read once: what was left out is filled in, what makes no sense is refused with a sentence.

import { readAddress } from './addresses.ts';
import type { ConnectionOptions } from './contract.ts';
import { asObject } from './messages.ts';

export type Settings = {
  readonly token: string | undefined;
  /** Base addresses, the till's own first. */
  readonly appliances: readonly [string, ...string[]];
  /** Of the own appliance, where they are not at the usual place. */
  readonly websocketUrl: string | undefined;
  readonly pollingUrl: string | undefined;
  readonly pollingIntervalMs: number;
  readonly reconnectAttemptsMax: number;
  readonly topics: readonly string[];
  readonly outbox: string | undefined;
};

const pollingIntervalMsDefault = 5_000;
/** Below what proxies cut, and what an appliance holds an answer for. */
const pollingIntervalMsMax = 55_000;
/** Quicker would be a load without being of use: an answer comes at once when there is a message. */
const pollingIntervalMsMin = 100;
const reconnectAttemptsMaxDefault = 10;

const optionTypes: { readonly [name in keyof ConnectionOptions]: string } = {
  token: 'string',
  appliances: 'list of strings',
  websocketUrl: 'string',
  pollingUrl: 'string',
  pollingInterval: 'number',
  maxReconnectAttempts: 'number',
  topics: 'list of strings',
  outbox: 'string',
};

/** `servedFrom`: addresses that this script and the page may have come from. Throws TypeError. */
export function readOptions(options: ConnectionOptions, servedFrom: readonly string[]): Settings {
  requireTypes(options);
  const { token, topics = [], outbox } = options;
  const [own, ...others] = ownFirst(options, servedFrom);
  if (own === undefined) throw new TypeError('Say where the appliance is: appliances: ["http://192.168.1.20:3030"].');
  return {
    token: token === undefined || token === '' ? undefined : token,
    appliances: [own, ...others],
    websocketUrl: options.websocketUrl && absolute(options.websocketUrl, own).replace(/^http/, 'ws'),
    pollingUrl: options.pollingUrl && absolute(options.pollingUrl, own).replace(/^ws/, 'http'),
    pollingIntervalMs: within(
      options.pollingInterval ?? pollingIntervalMsDefault,
      pollingIntervalMsMin,
      pollingIntervalMsMax,
    ),
    reconnectAttemptsMax: within(options.maxReconnectAttempts ?? reconnectAttemptsMaxDefault, 1, 1000),
    topics: [...topics],
    outbox,
  };
}

function requireTypes(options: ConnectionOptions): void {
  if (asObject(options) === undefined) throw new TypeError('Options are an object.');
  for (const [name, type] of Object.entries(optionTypes)) {
    const value = asObject(options)?.[name];
    const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
    const found = isList ? 'list of strings' : typeof value;
    if (value !== undefined && found !== type) throw new TypeError(`The option "${name}" is a ${type}.`);
  }
}

function ownFirst(
  { appliances, pollingUrl, websocketUrl }: ConnectionOptions,
  servedFrom: readonly string[],
): string[] {
  if (appliances !== undefined && appliances.length > 0) {
    return appliances.map((text) => {
      const address = readAddress(text);
      if (address === undefined) throw new TypeError(`"${text}" is no address such as "http://192.168.1.20:3030".`);
      return address;
    });
  }
  const [place = undefined] = [pollingUrl, ...servedFrom, websocketUrl?.replace(/^ws/, 'http')].flatMap((text) => {
    const address = readAddress(text);
    return address === undefined ? [] : [new URL(address).origin];
  });
  return place === undefined ? [] : [place];
}

function absolute(url: string, own: string): string {
  if (!URL.canParse(url, own)) throw new TypeError(`"${url}" is no URL.`);
  return new URL(url, own).href;
}

const within = (value: number, min: number, max: number): number =>
  Number.isFinite(value) ? Math.min(Math.max(value, min), max) : max;
