// A network of hosts in namespaces of this machine, by the lab script beside the sources; each host runs programs of its
// own, which end with the lab, or with the test run. Where script, rights or tools are missing, `whyNot` says so and
// nothing is made.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const script = join(import.meta.dirname, '../../../shared/lanlab.sh');
/** No test takes longer; what is left over after that was forgotten. */
const programMsMax = 240_000;

export type Line = { readonly [member: string]: unknown };

export type Program = {
  /** Resolves with the next line that matches, of those not taken yet; earlier ones are passed over. */
  line(matches: (line: Line) => boolean): Promise<Line>;
  /** Lines that came so far. */
  readonly lines: readonly Line[];
  say(word: string): void;
  kill(signal?: NodeJS.Signals): void;
  readonly ended: Promise<number | null>;
};

export type Lab = {
  /** For the lab's own files; removed with it. */
  readonly folder: string;
  spawn(host: number, words: readonly [string, ...string[]], env?: Record<string, string>): ChildProcess;
  /** The same, with its lines read. */
  run(host: number, ...words: [string, ...string[]]): Program;
  /** In the host, to its end: standard output. */
  output(host: number, ...words: [string, ...string[]]): string;
  /** A command of the lab script, such as "unplug", "2". */
  fault(...words: string[]): void;
  /** Pulls the host's network card and puts it back at once, with the same address of both kinds. */
  replug(host: number): void;
  /** A second card, eth1, on the same cable. */
  addCard(host: number, address: string): void;
  address(host: number): string;
  /** As a router does that gives the host another one: the old address goes, then the new one comes. */
  changeAddress(host: number, from: string, to: string): void;
  down(): void;
};

/** Why there can be no lab here, or null: for `describe.skipIf`. Said aloud, too: reporters keep titles of skipped tests. */
export function whyNot(...tools: string[]): string | null {
  const reason = reasonAgainst(tools);
  if (reason !== null) console.warn(`Tests on hosts of a network are skipped: ${reason}`);
  return reason;
}

function reasonAgainst(tools: readonly string[]): string | null {
  if (!existsSync(script)) return 'no ../shared/lanlab.sh beside the sources';
  const checked = spawnSync(script, ['check'], { encoding: 'utf8', timeout: 20_000 });
  if (checked.status !== 0) return `no lab here: ${checked.stderr.trim() || checked.error}`;
  const missing = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  return missing.length > 0 ? `not here: ${missing.join(', ')}` : null;
}

/** Ends with its programs at `down`. `name` and `network` are its own, so that labs may stand beside each other. */
export function createLab(hostCount: number, { name, network }: { name: string; network: string }): Lab {
  const env = { ...process.env, LANLAB_NAME: name, LANLAB_NET: network };
  const call = (...words: string[]): string =>
    execFileSync(script, words, { env, encoding: 'utf8', timeout: 20_000, killSignal: 'SIGKILL' });
  call('down');
  call('up', String(hostCount));
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-lab-'));
  const spawnOn: Lab['spawn'] = (host, words, more = {}) => {
    const options = { env: { ...env, ...more }, cwd: folder, timeout: programMsMax, killSignal: 'SIGKILL' } as const;
    const child = spawn(script, ['exec', String(host), ...words], options);
    const killWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', killWithUs);
    child.once('exit', () => process.off('exit', killWithUs));
    return child;
  };
  const ip = (...words: string[]): string => execFileSync('ip', words, { encoding: 'utf8', timeout: 20_000 });
  const plugIn = (host: number, port: string, address: string, ...card: [name: string, ...string[]]): void => {
    const space = `${name}-h${host}`;
    ip('-n', `${name}-sw`, 'link', 'add', port, 'type', 'veth', 'peer', 'name', ...card, 'netns', space);
    ip('-n', `${name}-sw`, 'link', 'set', port, 'master', 'br0', 'up');
    ip('-n', space, 'address', 'add', `${address}/24`, 'dev', card[0]);
    ip('-n', space, 'link', 'set', card[0], 'up');
  };
  return {
    folder,
    spawn: spawnOn,
    run: (host, ...words) => programOf(spawnOn(host, words)),
    output: (host, ...words) => call('exec', String(host), ...words),
    fault: (...words) => void call(...words),
    address: (host) => `${network}.${host}`,
    replug(host) {
      const mac = /link\/ether (\S+)/.exec(ip('-n', `${name}-h${host}`, '-o', 'link', 'show', 'eth0'))?.[1] ?? '';
      ip('-n', `${name}-h${host}`, 'link', 'del', 'eth0');
      plugIn(host, `p${host}`, `${network}.${host}`, 'eth0', 'address', mac);
    },
    changeAddress(host, from, to) {
      ip('-n', `${name}-h${host}`, 'address', 'del', `${from}/24`, 'dev', 'eth0');
      ip('-n', `${name}-h${host}`, 'address', 'add', `${to}/24`, 'dev', 'eth0');
    },
    addCard: (host, address) => plugIn(host, `q${host}`, address, 'eth1'),
    down() {
      call('down');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A child's lines, of both outputs, as they come. */
export function programOf(child: ChildProcess): Program {
  const lines: Line[] = [];
  const taken = new Set<Line>();
  const waiting = new Set<() => void>();
  const take = (text: string): void => {
    lines.push(text.startsWith('{') ? JSON.parse(text) : { text });
    for (const look of [...waiting]) look();
  };
  if (child.stdout) createInterface({ input: child.stdout }).on('line', take);
  if (child.stderr) createInterface({ input: child.stderr }).on('line', take);
  return {
    lines,
    line: (matches) =>
      new Promise((resolve) => {
        const look = (): void => {
          const index = lines.findIndex((line) => !taken.has(line) && matches(line));
          if (index < 0) return;
          for (const line of lines.slice(0, index + 1)) taken.add(line);
          waiting.delete(look);
          resolve(lines[index] as Line);
        };
        waiting.add(look);
        look();
      }),
    say: (word) => void child.stdin?.write(`${word}\n`),
    kill: (signal = 'SIGKILL') => void child.kill(signal),
    ended: new Promise((resolve) => child.once('exit', resolve)),
  };
}
