// The data folder, taken into possession: made where there is none, locked against a second instance, its identity read
// or made. What start, token and verify begin with. What goes wrong is one sentence with its remedy.

import { scryptSync } from 'node:crypto';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { ApplianceConfig } from '../appliance.ts';
import { assets } from '../assets.ts';
import { configFileName, firstConfigFile, type Settings } from '../config.ts';
import { base32, replicaIdChars } from '../core/identity.ts';
import { type Addon, loadAddon } from '../edges/addon.ts';
import { type Identity, openIdentity } from '../edges/identity.ts';
import { type Lock, lockFolder } from '../edges/lock.ts';
import { createOpenDatabase, createSystemCrypto, systemRandom } from '../edges/system.ts';
import type { Crypto, OpenDatabase } from '../ports.ts';
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
  readonly shop: string;
  /** To prove membership with; null where no shop key is set. */
  readonly shopKey: Uint8Array | null;
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
  const opened = openIdentity(folder, sources, { mayCreate: !isHouse(folder) });
  if (!opened.ok) return refused(opened.detail);
  const emptied = emptiedBooks(folder);
  if (emptied) return emptied;
  const { identity, isNew } = opened;
  if (isNew) traces.identityMade();
  const shop = shopOf(settings.shopKey);
  const house: House = {
    folder,
    databasePath: databasePathIn(folder),
    lock: held,
    traces,
    identity,
    isFirstStart: isNew,
    shop: shop?.id ?? identity.ownShop,
    shopKey: shop?.key ?? null,
    crypto,
    openDatabase,
  };
  return { ok: true, house };
}

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

/**
 * Everybody who has the key computes the same shop. The id is public, so the derivation (scrypt, RFC 7914) is slow: a key
 * that a person made up is not found by trying words against it.
 */
function shopOf(shopKey: string | null): { id: string; key: Uint8Array } | null {
  if (shopKey === null) return null;
  const derived = scryptSync(shopKey, 'tillmesh-shop-1', 64, { N: 16_384, r: 8, p: 1 });
  return { id: base32(derived.subarray(32)).slice(0, replicaIdChars), key: derived.subarray(0, 32) };
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
  migrations: assets.migrations,
  port: ports.port,
  meshPort: ports.meshPort,
});
