// The identity file: made once, read back for ever, never written over when it cannot be read.

import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { base32, replicaIdOf } from '../../src/core/identity.ts';
import { namesForCertificate } from '../../src/edges/http/hosts.ts';
import { keepCertificate, openIdentity } from '../../src/edges/identity.ts';
import { createCertificate, isCertificateFor } from '../../src/edges/peer/certificate.ts';
import { createSystemCrypto, systemRandom } from '../../src/edges/system.ts';

const systemCrypto = createSystemCrypto();
const sources = { random: systemRandom, sha256: systemCrypto.sha256 };
const open = (folder: string, mayCreate = true) => openIdentity(folder, sources, { mayCreate });

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-identity-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function opened(folder: string) {
  const outcome = open(folder);
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome;
}

const fileOf = (folder: string) => join(folder, 'identity.json');
const contentOf = (folder: string) => JSON.parse(readFileSync(fileOf(folder), 'utf8'));
const change = (folder: string, members: object) =>
  writeFileSync(fileOf(folder), JSON.stringify({ ...contentOf(folder), ...members }));

describe('replica id', () => {
  test.each([
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ])('base32 of "%s", the vectors of RFC 4648', (text, expected) => {
    expect(base32(Buffer.from(text))).toBe(expected);
  });

  test('follows from the public key alone', () => {
    const point = new Uint8Array(65).fill(7);
    const digest = crypto.createHash('sha256').update(point).digest();
    expect(replicaIdOf(systemCrypto.sha256, point)).toBe(base32(digest).slice(0, 26));
    expect(replicaIdOf(systemCrypto.sha256, point)).toMatch(/^[a-z2-7]{26}$/);
  });
});

describe('identity.json', () => {
  test('is made at the first start, for its owner alone, and read back at the next', () => {
    const folder = join(emptyFolder(), 'data');
    const first = opened(folder);
    expect(first.isNew).toBe(true);
    expect(first.identity.replicaId).toBe(replicaIdOf(systemCrypto.sha256, first.identity.signer.publicKey));
    expect(first.identity.ownShop).toMatch(/^[a-z2-7]{26}$/);
    expect(statSync(fileOf(folder)).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['identity.json']);
    const second = opened(folder);
    expect(second.isNew).toBe(false);
    expect(second.identity.replicaId).toBe(first.identity.replicaId);
    expect(second.identity.ownShop).toBe(first.identity.ownShop);
    expect(opened(emptyFolder()).identity.replicaId).not.toBe(first.identity.replicaId);
  });

  test('its key signs what its public key verifies', () => {
    const { signer } = opened(emptyFolder()).identity;
    const message = Buffer.from('a commit');
    const signature = signer.sign(message);
    expect(signature).toHaveLength(64);
    expect(systemCrypto.verify(signer.publicKey, message, signature)).toBe(true);
    expect(systemCrypto.verify(signer.publicKey, Buffer.from('another'), signature)).toBe(false);
  });

  test('keeps the certificate, and gives it out only while it is of the key', async () => {
    const [folder, other] = [emptyFolder(), emptyFolder()];
    const { identity } = opened(folder);
    expect(identity.certificatePem).toBeNull();
    const certificate = await createCertificate(identity.privateKeyPem, identity.replicaId);
    expect(keepCertificate(folder, certificate)).toBeUndefined();
    expect(opened(folder).identity.certificatePem).toBe(certificate);
    opened(other);
    keepCertificate(other, certificate);
    expect(opened(other).identity.certificatePem).toBeNull();
  });

  test('its certificate is good for the names and addresses that it was made for', async () => {
    const { identity } = opened(emptyFolder());
    const { privateKeyPem, replicaId } = identity;
    const certificate = await createCertificate(privateKeyPem, replicaId, [
      'localhost',
      'till.local',
      '10.0.0.7',
      '::1',
    ]);
    expect(isCertificateFor(certificate, ['till.local', 'localhost', '::1', '10.0.0.7'])).toBe(true);
    for (const other of ['other.local', '10.0.0.8', 'local']) {
      expect([other, isCertificateFor(certificate, ['localhost', other])]).toEqual([other, false]);
    }
    expect(isCertificateFor(await createCertificate(privateKeyPem, replicaId), ['localhost'])).toBe(false);
    // Names that a person may give, as a certificate can have them.
    const names = namesForCertificate(['fe80::1%eth0', '::ffff:192.168.1.5', 'Till.', 'no name']);
    expect(names).toEqual(['localhost', 'fe80::1', '192.168.1.5', 'till']);
    expect(isCertificateFor(await createCertificate(privateKeyPem, replicaId, names), names)).toBe(true);
  });

  test('members that another version added are kept, and do not count', () => {
    const folder = emptyFolder();
    opened(folder);
    change(folder, { tpm: { handle: 7 }, adminTokenHash: 7 });
    expect(keepCertificate(folder, 'a certificate')).toBeUndefined();
    expect(contentOf(folder)).toMatchObject({ tpm: { handle: 7 }, adminTokenHash: 7, certificate: 'a certificate' });
    expect(opened(folder).identity).not.toHaveProperty('adminTokenHash');
  });

  test('rights that were lost in copying are mended', () => {
    const folder = emptyFolder();
    opened(folder);
    chmodSync(fileOf(folder), 0o644);
    opened(folder);
    expect(statSync(fileOf(folder)).mode & 0o777).toBe(0o600);
  });

  test('a file left half written by a power cut is no hindrance', () => {
    const folder = emptyFolder();
    writeFileSync(`${fileOf(folder)}.partial`, '{"version":');
    expect(opened(folder).isNew).toBe(true);
    expect(readdirSync(folder)).toEqual(['identity.json']);
  });
});

describe('a failure names the file and the remedy, and changes nothing:', () => {
  test('missing, where books are already', () => {
    const folder = emptyFolder();
    expect(open(folder, false)).toMatchObject({
      ok: false,
      code: 'identity_missing',
      detail: expect.stringMatching(/identity\.json.*copy/),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ['empty', '', 'identity_malformed'],
    ['cut off', '{"version": 1, "privateKey": "-----BEG', 'identity_malformed'],
    ['another document', '[1]', 'identity_malformed'],
    ['without a key', '{"version": 1}', 'identity_malformed'],
    ['of a newer version', '{"version": 2, "everything": "new"}', 'identity_newer'],
  ])('%s', (_what, text, code) => {
    const folder = emptyFolder();
    writeFileSync(fileOf(folder), text);
    expect(open(folder)).toMatchObject({ ok: false, code, detail: expect.stringContaining(fileOf(folder)) });
    expect(keepCertificate(folder, 'a certificate')).toMatchObject({ ok: false, code });
    expect(readFileSync(fileOf(folder), 'utf8')).toBe(text);
  });

  test.each([
    ['privateKey', 'not a key'],
    ['privateKey', crypto.generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })],
    ['ownShop', 'My Shop'],
    ['certificate', {}],
    ['version', '1'],
  ])('a wrong %s (%#)', (member, value) => {
    const folder = emptyFolder();
    opened(folder);
    change(folder, { [member]: value });
    expect(open(folder)).toMatchObject({ ok: false, code: 'identity_malformed' });
  });

  test('a folder in its place', () => {
    const folder = emptyFolder();
    mkdirSync(fileOf(folder));
    expect(open(folder)).toMatchObject({ code: 'identity_unreadable', detail: expect.stringContaining('EISDIR') });
  });

  test('a file in the place of the data folder', () => {
    const folder = join(emptyFolder(), 'data');
    writeFileSync(folder, '');
    expect(open(folder)).toMatchObject({ ok: false, code: 'identity_unreadable' });
  });

  test('no permission', ({ skip }) => {
    if (process.getuid?.() !== 0) skip('only root can become somebody without permission');
    const [folder, locked] = [emptyFolder(), emptyFolder()];
    opened(folder);
    chmodSync(folder, 0o755);
    const [read, write] = [openAsNobody(folder), openAsNobody(locked)];
    expect(read).toMatchObject({ code: 'identity_not_permitted', detail: expect.stringContaining('owns it') });
    expect(write).toMatchObject({ code: 'identity_not_permitted', detail: expect.stringContaining(locked) });
  });
});

/** Becomes another user once everything is loaded: the sources may lie where that user cannot read. */
function openAsNobody(folder: string): unknown {
  const source = (path: string) => JSON.stringify(join(import.meta.dirname, '../../src', path));
  const program = `
    import { openIdentity } from ${source('edges/identity.ts')};
    import { createSystemCrypto, systemRandom } from ${source('edges/system.ts')};
    process.setuid(65534);
    const sources = { random: systemRandom, sha256: createSystemCrypto().sha256 };
    console.log(JSON.stringify(openIdentity(${JSON.stringify(folder)}, sources, { mayCreate: true })));`;
  const child = spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    encoding: 'utf8',
    timeout: 10_000,
    killSignal: 'SIGKILL',
  });
  return JSON.parse(child.stdout || JSON.stringify(child.stderr));
}
