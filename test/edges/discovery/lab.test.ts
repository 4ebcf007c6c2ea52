// Discovery among hosts with networks of their own: interfaces that come late, change, go; peers that are killed; and
// avahi, the responder of most Linux machines, in both directions.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { bun, node, type Runtime } from '../../built-file.ts';
import { createLab, type Lab, type Line, type Program, whyNot } from '../../lab/lab.ts';
import { createLookout, type Lookout } from './lookout.ts';
import { idOf, shopId } from './packets.ts';

const missing = whyNot();
const avahiMissing = missing ?? whyNot('dbus-daemon', 'avahi-daemon', 'avahi-browse', 'avahi-publish');

const seesAt = (address: string) => (line: Line) => (line.seen as { address?: string })?.address === address;
const loses = (character: string) => (line: Line) => line.gone === idOf(character);
const isStarted = (line: Line): boolean => line.started === true;

async function statusOf(appliance: Program): Promise<Line> {
  appliance.say('status');
  return (await appliance.line((line) => 'status' in line)).status as Line;
}

/** Asks for the status until it holds; the test's time limit ends it. */
async function statusThat(appliance: Program, holds: (status: Line) => boolean): Promise<Line> {
  for (;;) {
    const status = await statusOf(appliance);
    if (holds(status)) return status;
  }
}

const hasInterfaces = (count: number) => (status: Line) => (status.interfaces as unknown[]).length === count;

describe.skipIf(missing !== null)(
  `hosts of a network${missing ? ` (skipped: ${missing})` : ''}`,
  { timeout: 60_000 },
  () => {
    let lab: Lab;
    let lookout: Lookout;
    beforeAll(() => {
      lab = createLab(3, { name: `tmdisc${process.pid}`, network: '10.87.31' });
      lookout = createLookout(lab);
    }, 30_000);
    afterAll(() => lab?.down(), 30_000);

    const start = (host: number, character: string, runtime?: Runtime): Program => {
      const appliance = lookout(host, character, `till ${character}`, runtime);
      onTestFinished(async () => {
        appliance.kill();
        await appliance.ended;
      });
      return appliance;
    };
    const at = (host: number): string => `${lab.address(host)}:3031`;

    test('newcomers see each other; a goodbye, a kill and a return are told', async () => {
      const [a, b] = [start(1, 'a'), start(2, 'b')];
      await Promise.all([a.line(seesAt(at(2))), b.line(seesAt(at(1)))]);
      b.say('stop');
      await b.line((line) => line.stopped === true);
      expect(await b.ended).toBe(0);
      await a.line(loses('b'));
      const again = start(2, 'b');
      await Promise.all([a.line(seesAt(at(2))), again.line(seesAt(at(1)))]);
      again.kill();
      await a.line(loses('b'));
    });

    test.for([node, bun])('on $name an interface that comes late is used when it comes', async (runtime, { skip }) => {
      if (!runtime.isHere) skip('no Bun here');
      lab.output(2, 'ip', 'link', 'set', 'eth0', 'down');
      const [a, b] = [start(1, 'a'), start(2, 'b', runtime)];
      await Promise.all([a.line(isStarted), b.line(isStarted)]);
      const alone = await statusThat(b, ({ lastError }) => lastError !== null);
      expect(alone).toMatchObject({ interfaces: [], lastError: expect.stringMatching(/^no network interface is up/) });
      lab.output(2, 'ip', 'link', 'set', 'eth0', 'up');
      await Promise.all([a.line(seesAt(at(2))), b.line(seesAt(at(1)))]);
      expect(await statusOf(b)).toMatchObject({
        lastError: null,
        interfaces: [{ name: 'eth0', address: lab.address(2) }],
      });
    });

    test('a change of address is told without a word of going', async () => {
      const [a, b] = [start(1, 'a'), start(2, 'b')];
      await Promise.all([a.line(seesAt(at(2))), b.line(seesAt(at(1)))]);
      const [old, fresh] = [lab.address(2), lab.address(42)];
      lab.changeAddress(2, old, fresh);
      onTestFinished(() => lab.changeAddress(2, fresh, old));
      await a.line(seesAt(`${fresh}:3031`));
      b.say('stop');
      await a.line(loses('b'));
      expect(a.lines.filter(loses('b'))).toHaveLength(1);
    });

    test.for([node, bun])(
      'on $name a card pulled and put back between two looks does not make it deaf',
      async (runtime, { skip }) => {
        if (!runtime.isHere) skip('no Bun here');
        const [a, b] = [start(1, 'a'), start(2, 'b', runtime)];
        await Promise.all([a.line(seesAt(at(2))), b.line(seesAt(at(1)))]);
        lab.replug(2);
        const c = start(3, 'c');
        await Promise.all([b.line(seesAt(at(3))), c.line(seesAt(at(2)))]);
      },
    );

    test('on two networks it is seen on both, and gone when it is on none', async () => {
      const second = '10.87.32';
      for (const host of [1, 2]) lab.addCard(host, `${second}.${host}`);
      onTestFinished(() => {
        for (const host of [1, 2]) lab.output(host, 'ip', 'link', 'del', 'eth1');
      });
      const [a, b] = [start(1, 'a'), start(2, 'b')];
      await a.line((line) => seesAt(at(2))(line) || seesAt(`${second}.2:3031`)(line));
      await a.line((line) => seesAt(at(2))(line) || seesAt(`${second}.2:3031`)(line));
      expect(await statusOf(a)).toMatchObject({ seen: 1 });
      b.say('stop');
      await a.line(loses('b'));
      expect(a.lines.filter(loses('b'))).toHaveLength(1);
    });

    test.for([node, bun])(
      'on $name a card with two addresses hears and is heard on the networks of both',
      async (runtime, { skip }) => {
        if (!runtime.isHere) skip('no Bun here');
        const second = '10.87.33';
        lab.output(1, 'ip', 'address', 'add', `${second}.1/24`, 'dev', 'eth0');
        lab.changeAddress(2, lab.address(2), `${second}.2`);
        onTestFinished(() => {
          lab.output(1, 'ip', 'address', 'del', `${second}.1/24`, 'dev', 'eth0');
          lab.changeAddress(2, `${second}.2`, lab.address(2));
        });
        const [a, b, c] = [start(1, 'a', runtime), start(2, 'b'), start(3, 'c')];
        const isBoth = (line: Line) => seesAt(`${second}.2:3031`)(line) || seesAt(at(3))(line);
        await Promise.all([b.line(seesAt(`${second}.1:3031`)), c.line(seesAt(at(1))), a.line(isBoth)]);
        await a.line(isBoth);
        expect(await statusOf(a)).toMatchObject({ lastError: null, interfaces: { length: 2 } });
      },
    );

    test('a firewall that lets nothing out is told, and when it does again', async () => {
      const [a, b] = [start(1, 'a'), start(2, 'b')];
      await Promise.all([a.line(seesAt(at(2))), b.line(seesAt(at(1)))]);
      const table = 'table inet firewall { chain out { type filter hook output priority 0; udp dport 5353 drop; }; }';
      lab.output(2, 'sh', '-c', `echo '${table}' | nft -f -`);
      const told = await statusThat(b, ({ lastError }) => lastError !== null);
      expect(told.lastError).toMatch(/^eth0 .*cannot be used for mDNS \(EPERM\).*firewall/);
      lab.output(2, 'nft', 'delete', 'table', 'inet', 'firewall');
      await statusThat(b, ({ lastError }) => lastError === null);
    });

    test('a pulled cable takes all away, and brings all back', async () => {
      const [a, b] = [start(1, 'a'), start(2, 'b')];
      await Promise.all([a.line(seesAt(at(2))), b.line(seesAt(at(1)))]);
      lab.fault('unplug', '2');
      await Promise.all([a.line(loses('b')), b.line(loses('a'))]);
      await statusThat(b, hasInterfaces(0));
      lab.fault('plug', '2');
      await Promise.all([a.line(seesAt(at(2))), b.line(seesAt(at(1)))]);
    });

    test('B11 where mDNS is blocked nobody is seen, and the status says that nothing was heard', async () => {
      lab.fault('mdns-block', '2');
      const [a, b, c] = [start(1, 'a'), start(2, 'b'), start(3, 'c')];
      await Promise.all([a.line(seesAt(at(3))), c.line(seesAt(at(1)))]);
      await statusThat(b, ({ sent }) => Number(sent) > 2);
      expect(await statusOf(b)).toMatchObject({ seen: 0, packetsHeard: 0, lastHeardAt: null });
      lab.fault('mdns-unblock', '2');
      await Promise.all([a.line(seesAt(at(2))), b.line(seesAt(at(3)))]);
    });

    describe.skipIf(avahiMissing !== null)(`avahi${avahiMissing ? ` (skipped: ${avahiMissing})` : ''}`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'tillmesh-avahi-'));
      const bus = `unix:path=${join(folder, 'bus')}`;
      const onBus = (command: string): [string, ...string[]] => [
        'sh',
        '-c',
        `DBUS_SYSTEM_BUS_ADDRESS=${bus} ${command}`,
      ];
      const daemons: Program[] = [];
      beforeAll(async () => {
        const config = '--config-file=/usr/share/dbus-1/system.conf';
        const dbus = lab.run(
          3,
          'dbus-daemon',
          config,
          `--address=${bus}`,
          '--print-address',
          '--nofork',
          '--nopidfile',
        );
        daemons.push(dbus);
        await dbus.line(({ text }) => String(text).startsWith('unix:'));
        // With a /run of its own: the machine may have an avahi.
        const avahi = 'mount -t tmpfs none /run && mkdir /run/avahi-daemon && exec avahi-daemon';
        const options = '--no-drop-root --no-chroot --no-rlimits';
        daemons.push(lab.run(3, 'sh', '-c', `export DBUS_SYSTEM_BUS_ADDRESS=${bus}; ${avahi} ${options}`));
        await daemons[1]?.line(({ text }) => String(text).startsWith('Server startup complete'));
      }, 30_000);
      afterAll(async () => {
        for (const daemon of daemons) daemon.kill();
        await Promise.all(daemons.map(({ ended }) => ended));
        rmSync(folder, { recursive: true, force: true });
      });

      test('it resolves an appliance: name, host, address, port, TXT whole', async () => {
        const appliance = lookout(1, 'a', 'Bar v1.2');
        onTestFinished(async () => {
          appliance.kill();
          await appliance.ended;
        });
        await appliance.line(isStarted);
        const browser = lab.run(3, ...onBus('avahi-browse -rp _tillmesh._tcp'));
        onTestFinished(() => browser.kill());
        const resolved = await browser.line(({ text }) => /^=;eth0;IPv4;/.test(String(text)));
        const fields = String(resolved.text).split(';');
        expect(fields.slice(4, 9)).toEqual([
          '_tillmesh._tcp',
          'local',
          `tillmesh-${idOf('a')}.local`,
          lab.address(1),
          '3031',
        ]);
        expect(fields[9]).toContain(`"id=${idOf('a')}"`);
        expect(fields[9]).toContain('"name=Bar v1.2"');
        appliance.say('stop');
        await browser.line(({ text }) => /^-;eth0;IPv4;/.test(String(text)));
      });

      test('what it publishes is seen, stays seen, and is gone when it is withdrawn', async () => {
        const a = start(1, 'a');
        await a.line(isStarted);
        const txt = `id=${idOf('p')} shop=${shopId} name=Shelf`;
        const published = lab.run(3, ...onBus(`exec avahi-publish -s Shelf _tillmesh._tcp 3999 ${txt}`));
        onTestFinished(() => published.kill());
        await a.line(seesAt(`${lab.address(3)}:3999`));
        const { packetsHeard } = await statusOf(a);
        // Five rounds of questions that it has to answer in its own way.
        await statusThat(a, (status) => Number(status.packetsHeard) >= Number(packetsHeard) + 5);
        expect(a.lines.filter(loses('p'))).toEqual([]);
        published.kill('SIGTERM');
        await a.line(loses('p'));
      });
    });
  },
);
