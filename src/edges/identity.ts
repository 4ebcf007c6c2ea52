// identity.json in the data folder: the appliance's one key and what is made once with it. It lies beside the database
// and not in it, so that a lost or emptied database is never mistaken for a new appliance. Written whole or not at all;
// a file that cannot be read is never written over: the key in it may be the only copy.

import crypto, { type KeyObject } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { base32, publicKeyBytes, replicaIdChars, replicaIdOf } from '../core/identity.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Dot, Sha256 } from '../core/op.ts';
import type { Random, Signer } from '../ports.ts';

export type Identity = {
  readonly replicaId: string;
  readonly signer: Signer;
  /** PKCS#8, for TLS. */
  readonly privateKeyPem: string;
  /** The shop that this appliance is the first of, while it is of no other. */
  readonly ownShop: string;
  /** The shop that it has joined; null while it is of its own, or of the shop key's. */
  readonly joinedShop: string | null;
  /** Under which it wrote before it took the present key. */
  readonly formerId: string | null;
  /** How often it was started. */
  readonly starts: number;
  /** How far it had written when it was last started, or stopped in order: books that know less are an older copy. */
  readonly wroteUpTo: Dot | null;
  /** The highest under which it is known to have written; 0 before it did. */
  readonly epoch: number;
  /** Of which its books were when there was a word in them: should they be lost, they are filled again from there. */
  readonly shopInUse: string | null;
  /** Self-made, of this key; null before one was. */
  readonly certificatePem: string | null;
};

export type IdentityFailure = {
  readonly ok: false;
  readonly code:
    | 'identity_missing'
    | 'identity_not_permitted'
    | 'identity_unreadable'
    | 'identity_malformed'
    | 'identity_newer'
    | 'identity_not_written';
  /** A sentence that names the file and the remedy. */
  readonly detail: string;
};

export type OpenedIdentity = { readonly ok: true; readonly identity: Identity; readonly isNew: boolean };

/** What the file holds. Members that we do not know are kept. */
type IdentityFile = JsonObject & {
  version: number;
  privateKey: string;
  ownShop: string;
  joinedShop: string | null;
  formerId: string | null;
  certificate: string | null;
  starts: number;
  wroteUpTo: Dot | null;
  epoch: number;
  shopInUse: string | null;
};

/** Raised when an older Tillmesh must not touch the file; a new member alone is no reason. */
const fileVersion = 1;

type Sources = { random: Random; sha256: Sha256 };

/**
 * Reads the identity, or makes one where there is none. `mayCreate` is false where the folder holds books already: a
 * new key would make a stranger of the appliance that wrote them.
 */
export function openIdentity(
  folder: string,
  sources: Sources,
  { mayCreate }: { mayCreate: boolean },
): OpenedIdentity | IdentityFailure {
  const read = readIdentity(folder);
  if (read.ok) return { ok: true, identity: identityOf(read.file, read.privateKey, sources.sha256), isNew: false };
  if (read.code !== 'identity_missing' || !mayCreate) return read;
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const file: IdentityFile = {
    version: fileVersion,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ownShop: base32(sources.random.bytes(17)).slice(0, replicaIdChars),
    joinedShop: null,
    formerId: null,
    certificate: null,
    starts: 0,
    wroteUpTo: null,
    epoch: 0,
    shopInUse: null,
  };
  const failure = writeIdentity(folder, file);
  return failure ?? { ok: true, identity: identityOf(file, privateKey, sources.sha256), isNew: true };
}

/** From its next start on the appliance is of this shop, in which it never had another key and has stopped nowhere yet. */
export const keepShop = (folder: string, joinedShop: string): IdentityFailure | undefined =>
  changeFile(folder, { joinedShop, formerId: null, wroteUpTo: null });

/** To be noted once the books are open: a start that fails has changed nothing. */
export const noteStart = (
  folder: string,
  noted: Pick<Identity, 'starts' | 'wroteUpTo' | 'epoch' | 'shopInUse'>,
): IdentityFailure | undefined => changeFile(folder, noted);

/** To be noted at the end of a stop in order. */
export const noteStop = (
  folder: string,
  noted: Pick<Identity, 'wroteUpTo' | 'epoch' | 'shopInUse'>,
): IdentityFailure | undefined => changeFile(folder, noted);

/** A key that nobody has had: `replicaId` is known before `keep` puts it in the place of the present one. */
export function newKey(
  folder: string,
  sources: Pick<Sources, 'sha256'>,
): { replicaId: string; keep(): IdentityFailure | undefined } {
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    replicaId: replicaIdOf(sources.sha256, pointOf(privateKey)),
    keep() {
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const read = readIdentity(folder);
      if (!read.ok) return read;
      const formerId = replicaIdOf(sources.sha256, pointOf(read.privateKey));
      return changeFile(folder, { privateKey: pem, certificate: null, formerId });
    },
  };
}

export function keepCertificate(folder: string, certificatePem: string): IdentityFailure | undefined {
  return changeFile(folder, { certificate: certificatePem });
}

/** Reads again before it writes: another command may have changed the file since. */
function changeFile(
  folder: string,
  change: Partial<Pick<IdentityFile, 'privateKey' | 'certificate'> & Omit<Identity, 'signer' | 'ownShop'>>,
): IdentityFailure | undefined {
  const read = readIdentity(folder);
  return read.ok ? writeIdentity(folder, { ...read.file, ...change }) : read;
}

function pointOf(privateKey: KeyObject): Uint8Array {
  const spki = crypto.createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return new Uint8Array(spki.subarray(-publicKeyBytes));
}

function identityOf(file: IdentityFile, privateKey: KeyObject, sha256: Sha256): Identity {
  const publicKey = pointOf(privateKey);
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return {
    replicaId: replicaIdOf(sha256, publicKey),
    signer: { publicKey, sign: (message) => crypto.sign('sha256', message, key) },
    privateKeyPem: file.privateKey,
    ownShop: file.ownShop,
    joinedShop: file.joinedShop,
    formerId: file.formerId,
    starts: file.starts,
    wroteUpTo: file.wroteUpTo,
    epoch: file.epoch,
    shopInUse: file.shopInUse,
    certificatePem: isCertificateOf(file.certificate, privateKey) ? file.certificate : null,
  };
}

function isCertificateOf(pem: string | null, privateKey: KeyObject): boolean {
  try {
    return pem !== null && new crypto.X509Certificate(pem).checkPrivateKey(privateKey);
  } catch {
    return false;
  }
}

// Reading

type ReadIdentity = { readonly ok: true; readonly file: IdentityFile; readonly privateKey: KeyObject };

const pathIn = (folder: string): string => join(folder, 'identity.json');

function readIdentity(folder: string): ReadIdentity | IdentityFailure {
  const path = pathIn(folder);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
    keepPrivate(path);
  } catch (error) {
    return readFailure(path, errorCode(error));
  }
  const file = parseJson(text);
  if (!isJsonObject(file)) return malformed(path, 'is no JSON object');
  if (typeof file.version === 'number' && file.version > fileVersion) {
    return failure('identity_newer', `${path} was written by a newer Tillmesh: start that one, or a newer.`);
  }
  const wrong = wrongMember(file);
  if (wrong) return malformed(path, `has no good "${wrong}"`);
  const privateKey = parsePrivateKey(String(file.privateKey));
  if (!privateKey) return malformed(path, 'holds no private key of the kind P-256');
  const { joinedShop = null, formerId = null, certificate = null, starts = 0, wroteUpTo = null } = file;
  const { epoch = 0, shopInUse = null } = file;
  const whole = {
    ...file,
    joinedShop,
    formerId,
    certificate,
    wroteUpTo: isDot(wroteUpTo) ? wroteUpTo : null,
    starts,
    epoch,
    shopInUse,
  };
  return { ok: true, file: whole as IdentityFile, privateKey };
}

/** A copy made by hand is often readable by all. Some file systems keep no rights; there is nothing to be done then. */
function keepPrivate(path: string): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  try {
    chmodSync(path, 0o600);
  } catch {}
}

function wrongMember(file: JsonObject): string | undefined {
  const isTextOrAbsent = (value: unknown): boolean =>
    value === undefined || value === null || typeof value === 'string';
  if (file.version !== fileVersion) return 'version';
  if (typeof file.privateKey !== 'string') return 'privateKey';
  if (typeof file.ownShop !== 'string' || !/^[a-z2-7]{26}$/.test(file.ownShop)) return 'ownShop';
  if (!isIdOrAbsent(file.joinedShop)) return 'joinedShop';
  if (!isIdOrAbsent(file.formerId)) return 'formerId';
  if (!isIdOrAbsent(file.shopInUse)) return 'shopInUse';
  for (const count of ['starts', 'epoch'])
    if (file[count] !== undefined && !Number.isSafeInteger(file[count])) return count;
  return isTextOrAbsent(file.certificate) ? undefined : 'certificate';
}

const isIdOrAbsent = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'string' && /^[a-z2-7]{26}$/.test(value));

const isDot = (value: unknown): value is Dot =>
  isJsonObject(value) && typeof value.origin === 'string' && Number.isSafeInteger(value.number);

function parsePrivateKey(pem: string): KeyObject | undefined {
  try {
    const key = crypto.createPrivateKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Writing

function writeIdentity(folder: string, file: IdentityFile): IdentityFailure | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeWhole(folder, pathIn(folder), `${JSON.stringify(file, null, 2)}\n`);
    return undefined;
  } catch (error) {
    return writeFailure(folder, errorCode(error));
  }
}

/** After a power cut the file is the old one or the new one, on disk when this returns. */
function writeWhole(folder: string, path: string, text: string): void {
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  withOpenFile(partial, 'wx', (descriptor) => {
    fchmodSync(descriptor, 0o600);
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  });
  renameSync(partial, path);
  withOpenFile(folder, 'r', fsyncSync);
}

function withOpenFile(path: string, flags: string, use: (descriptor: number) => void): void {
  const descriptor = openSync(path, flags, 0o600);
  try {
    use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

// Failures

const failure = (code: IdentityFailure['code'], detail: string): IdentityFailure => ({ ok: false, code, detail });

const malformed = (path: string, what: string): IdentityFailure =>
  failure(
    'identity_malformed',
    `${path} ${what}: put back a copy of it, or move the whole data folder away to start as a new appliance.`,
  );

function readFailure(path: string, code: string): IdentityFailure {
  if (code === 'ENOENT') {
    const remedy = 'put back a copy of it, or move the whole data folder away to start as a new appliance';
    return failure('identity_missing', `${path} is missing: ${remedy}.`);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return failure('identity_not_permitted', `${path} may not be read by this user: start as the user who owns it.`);
  }
  return failure('identity_unreadable', `${path} cannot be read (${code}): check the data folder and its disk.`);
}

function writeFailure(folder: string, code: string): IdentityFailure {
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    const remedy = 'make it writable for this user, or choose another with --data';
    return failure('identity_not_permitted', `The data folder ${folder} may not be written (${code}): ${remedy}.`);
  }
  const remedy = code === 'ENOSPC' || code === 'EDQUOT' ? 'free some space' : 'choose another with --data';
  return failure('identity_not_written', `The data folder ${folder} cannot be written (${code}): ${remedy}.`);
}

const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);
