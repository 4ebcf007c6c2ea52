// Where an appliance lives: this folder on this machine. A folder that was copied elsewhere, or a card put into another
// machine, is another home, so a copy is noticed before it writes under the numbers of the original.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';

export const homeOf = (folder: string): { folder: string; machine: string } => ({
  folder: folderMark(folder),
  machine: machineMark(),
});

/** A copy has an inode and a time of birth of its own; what is moved within a disk keeps both. */
function folderMark(folder: string): string {
  const { ino, birthtimeMs } = statSync(folder);
  return `${ino} ${Math.trunc(birthtimeMs)}`;
}

/** What is burnt in, where it can be read: serial of the board, and the own addresses of network cards that are soldered on. */
function machineMark(): string {
  const serials = [
    '/sys/firmware/devicetree/base/serial-number',
    '/sys/class/dmi/id/product_uuid',
    '/sys/class/dmi/id/board_serial',
    '/etc/machine-id',
  ].map(textOf);
  return createHash('sha256')
    .update([...serials, ...cardAddresses()].join('\n'))
    .digest('hex');
}

const network = '/sys/class/net';

/** Virtual cards have no device; those on USB come and go. */
function cardAddresses(): string[] {
  return listOf(network)
    .filter((card) => {
      const device = textOf(`${network}/${card}/device/uevent`);
      return device !== '' && !device.includes('DEVTYPE=usb');
    })
    .map(ownAddress)
    .sort();
}

/** Radio cards are given one by chance while they look for a network; others may be given one by their owner. */
function ownAddress(card: string): string {
  const ofRadio = textOf(`${network}/${card}/phy80211/macaddress`);
  if (ofRadio !== '') return ofRadio;
  return textOf(`${network}/${card}/addr_assign_type`) === '0' ? textOf(`${network}/${card}/address`) : '';
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function listOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
