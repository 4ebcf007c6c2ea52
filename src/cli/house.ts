// The data folder, taken into possession: made where there is none, locked against a second instance, its identity read
// or made. What start, token and verify begin with. What goes wrong is one sentence with its remedy.

import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Appliance, ApplianceConfig } from '../appliance.ts';
import { assets } from '../assets.ts';
import { configFileName, firstConfigFile, type Settings } from '../config.ts';
import { type Addon, loadAddon } from '../edges/addon.ts';
import { homeOf } from '../edges/home.ts';
import { type Identity, noteStart, noteStop, openIdentity } from '../edges/identity.ts';
import { type Lock, lockFolder } from '../edges/lock.ts';
import { createOpenDatabase, createSystemCrypto, systemRandom } from '../edges/system.ts';
import type { Crypto, OpenDatabase, ShopOfKey } from '../ports.ts';
import { shopOfBooks } from '../storage/open.ts';
import { finishMove } from './move.ts';
import { servedOrigins } from './served-origins.ts';
import { options } from './settings.ts';
import { noteTraces, type Traces } from './traces.ts';

export type House = {
  readonly folder: string;
  readonly databasePath: string;
  readonly lock: Lock;
  /** To be removed, before the lock is released, by a start that fails after all. */
  readonly traces: Traces;
  readonly identity: Identity;
  /** The identity was made just now. */
  readonly isFirstStart: boolean;
  readonly home: { readonly folder: string; readonly machine: string };
  /** How often it was started, with this time. */
  readonly starts: number;
  readonly shop: string;
  /** Of the configured shop key; null where none is set. */
  readonly shopKey: ShopOfKey | null;
  readonly crypto: Crypto;
  readonly openDatabase: OpenDatabase;
};

export type Refused = { readonly ok: false; readonly detail: string };

const refused = (detail: string): Refused => ({ ok: false, detail });

export const databasePathIn = (folder: string): string => join(folder, 'books.db');

/** Whether an appliance ever ran on the folder: then it is locked before anything else is looked at. */
export const isHouse = (folder: string): boolean => existsSync(databasePathIn(folder));

export function openHouse(settings: Settings): { ok: true; house: House } | Refused {
  const traces = noteTraces(settings.data, configFileName, firstConfigFile(options));
  const made = makeFolder(settings.data);
  const loaded = made ?? openDatabaseFor(settings.data);
  if (!loaded.ok) return withoutTraces(loaded, traces);
  const locked = lock(settings.data, loaded.openDatabase);
  if (locked === 'busy') {
    const remedy = 'stop it, or choose another folder with --data';
    return refused(`another instance runs on the data folder ${settings.data}; ${remedy}`);
  }
  if (!locked.ok) return withoutTraces(locked, traces);
  const taken = takeHouse(settings, loaded.openDatabase, locked.lock, traces);
  if (taken.ok) return taken;
  const refusal = withoutTraces(taken, traces);
  locked.lock.release();
  return refusal;
}

/** The same folder again, under the same lock, after what is in it was changed. */
export const reopenHouse = (settings: Settings, { openDatabase, lock: held, traces }: House) =>
  takeHouse(settings, openDatabase, held, traces);

function withoutTraces(failure: Refused, traces: Traces): Refused {
  traces.remove();
  return failure;
}

function takeHouse(
  settings: Settings,
  openDatabase: OpenDatabase,
  held: Lock,
  traces: Traces,
): { ok: true; house: House } | Refused {
  const folder = settings.data;
  const crypto = createSystemCrypto();
  const sources = { random: systemRandom, sha256: crypto.sha256 };
  const unfinished = finishMove(folder);
  if (unfinished) return refused(unfinished.detail);
  const opened = openIdentity(folder, sources, { mayCreate: !isHouse(folder) });
  if (!opened.ok) return refused(opened.detail);
  const { identity, isNew } = opened;
  const emptied = identity.starts > 0 ? emptiedBooks(folder) : undefined;
  if (emptied) return emptied;
  if (isNew) traces.identityMade();
  const shopKey = settings.shopKey === null ? null : crypto.shopOfKey(settings.shopKey);
  const home = homeOf(folder);
  const databasePath = databasePathIn(folder);
  const house: House = {
    folder,
    databasePath,
    lock: held,
    traces,
    identity,
    isFirstStart: isNew,
    home,
    starts: identity.starts + 1,
    shop: shopOf(identity, shopOfBooks(openDatabase, databasePath), shopKey),
    shopKey,
    crypto,
    openDatabase,
  };
  return { ok: true, house };
}

/** To be called when the books are open. A disk that takes no note of it is found out by what is written next. */
export const noteOpened = (house: House, appliance: Appliance): void =>
  void noteStart(house.folder, { starts: house.starts, ...knownOf(house, appliance) });

/** To be called when the books are about to be closed in order. */
export const noteClosing = (house: House, appliance: Appliance): void =>
  void noteStop(house.folder, knownOf(house, appliance));

function knownOf({ identity, shop }: House, appliance: Appliance) {
  const { epoch, wroteUpTo, isInUse } = appliance.soFar();
  return { wroteUpTo, epoch: Math.max(epoch, identity.epoch), shopInUse: isInUse ? shop : identity.shopInUse };
}

/** A key makes the shop of books that hold no word yet; later it may change, or be left out. */
const shopOf = (
  { joinedShop, shopInUse, ownShop }: Identity,
  ofBooks: string | undefined,
  key: ShopOfKey | null,
): string => joinedShop ?? ofBooks ?? shopInUse ?? key?.shop ?? ownShop;

/** SQLite takes a file of no bytes for a new database: without this, a shop's day could be gone and nobody told. */
function emptiedBooks(folder: string): Refused | undefined {
  const path = databasePathIn(folder);
  if (!existsSync(path) || statSync(path).size > 0) return undefined;
  const remedy = 'restore a backup, or remove the file to begin with empty books, which peers fill again';
  return refused(`${path} is empty although this appliance was in use: its books are lost; ${remedy}`);
}

/** The folder, private, with a config.json to start from. */
function makeFolder(folder: string): Refused | undefined {
  try {
    makeFolders(resolve(folder));
    const configFile = join(folder, configFileName);
    if (!existsSync(configFile)) writeFileSync(configFile, firstConfigFile(options), { mode: 0o600, flag: 'wx' });
    return undefined;
  } catch (error) {
    return refused(folderSentence(folder, error));
  }
}

/** Not by mkdir's own `recursive`: where nothing can ever be made (/proc), that one never ends. */
function makeFolders(folder: string): void {
  if (existsSync(folder) && statSync(folder).isDirectory()) return;
  if (dirname(folder) !== folder) makeFolders(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

function folderSentence(folder: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const full = code === 'ENOSPC' || code === 'EDQUOT' || code.startsWith('SQLITE_FULL');
  const remedy = full ? 'free some space' : 'make it a folder that this user may write, or choose another with --data';
  return `the data folder ${folder} cannot be written (${code}); ${remedy}`;
}

export function openDatabaseFor(folder: string): { ok: true; openDatabase: OpenDatabase } | Refused {
  const packed = assets.sqliteAddons[`${process.platform}-${process.arch}`];
  const isBundle = Object.keys(assets.sqliteAddons).length > 0;
  if (!packed && isBundle) {
    const carried = Object.keys(assets.sqliteAddons).join(' and ');
    return refused(`this file runs on ${carried}; this machine is ${process.platform}-${process.arch}`);
  }
  let addon: Addon | undefined;
  if (packed) {
    const loaded = loadAddon(packed, folder);
    if (!loaded.ok) return refused(loaded.detail);
    addon = loaded.addon;
  }
  return { ok: true, openDatabase: createOpenDatabase(addon) };
}

function lock(folder: string, openDatabase: OpenDatabase): { ok: true; lock: Lock } | Refused | 'busy' {
  try {
    const held = lockFolder(folder, openDatabase);
    return held ? { ok: true, lock: held } : 'busy';
  } catch (error) {
    return refused(folderSentence(folder, error));
  }
}

export const applianceConfig = (
  settings: Settings,
  house: House,
  ports: { port: number; meshPort: number },
): ApplianceConfig => ({
  databasePath: house.databasePath,
  shop: house.shop,
  shopKey: house.shopKey,
  name: settings.name,
  version: assets.version,
  staticPeers: settings.peers,
  isFirstStart: house.isFirstStart,
  formerId: house.identity.formerId,
  starts: house.starts,
  home: `${house.home.folder} ${house.home.machine}`,
  wroteUpTo: house.identity.wroteUpTo,
  epoch: house.identity.epoch,
  migrations: assets.migrations,
  port: ports.port,
  meshPort: ports.meshPort,
  origins: () => servedOrigins(settings, ports),
});
