// Where an appliance lives: the same for as long as its folder stays, another for a copy.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { homeOf } from '../../src/edges/home.ts';

test('B2 a copied folder is another home; one that is written to, or moved on its disk, is not', () => {
  const outer = mkdtempSync(join(tmpdir(), 'tillmesh-home-'));
  onTestFinished(() => rmSync(outer, { recursive: true, force: true }));
  const folder = mkdtempSync(join(outer, 'data-'));
  const home = homeOf(folder);
  writeFileSync(join(folder, 'identity.json'), '{}');
  expect(homeOf(folder)).toEqual(home);
  cpSync(folder, join(outer, 'copy'), { recursive: true, preserveTimestamps: true });
  expect(homeOf(join(outer, 'copy')).folder).not.toBe(home.folder);
  expect(homeOf(join(outer, 'copy')).machine).toBe(home.machine);
  renameSync(folder, join(outer, 'moved'));
  expect(homeOf(join(outer, 'moved'))).toEqual(home);
});

const inOwnMounts = spawnSync('unshare', ['-m', 'true']).status === 0;

test.skipIf(!inOwnMounts)('a card that has its address from software makes no other home, one of its own does', () => {
  const program = `import { homeOf } from ${JSON.stringify(join(import.meta.dirname, '../../src/edges/home.ts'))}; console.log(homeOf('/').machine)`;
  const homeWith = (card: string, isOwn: boolean, address: string): string => {
    const folder = `/sys/class/net/${card}`;
    const make = [
      'mount -t tmpfs none /sys/class/net',
      `mkdir -p ${folder}/device ${folder}/phy80211`,
      `echo DRIVER=any > ${folder}/device/uevent`,
      `echo ${address} > ${folder}/address`,
      `echo ${isOwn ? 0 : 3} > ${folder}/addr_assign_type`,
      `${card === 'wlan0' ? 'echo 52:54:00:00:00:01' : ':'} > ${folder}/phy80211/macaddress`,
      'exec "$0" --input-type=module -e "$1"',
    ].join(' && ');
    const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', make, process.execPath, program], {
      encoding: 'utf8',
    });
    if (!/^[0-9a-f]{64}\n$/.test(stdout)) throw new Error(stderr);
    return stdout;
  };
  const [one, other] = ['3a:11:22:33:44:55', '9e:aa:bb:cc:dd:ee'];
  expect(homeWith('wlan0', false, one)).toBe(homeWith('wlan0', true, other));
  expect(homeWith('eth0', false, one)).toBe(homeWith('eth0', false, other));
  expect(homeWith('eth0', true, one)).not.toBe(homeWith('eth0', true, other));
});

test('what a home tells is no serial number of the machine', () => {
  expect(homeOf(tmpdir()).machine).toMatch(/^[0-9a-f]{64}$/);
});
