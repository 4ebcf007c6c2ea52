// The outbox as a file of JSON lines that is only appended to, for Node and Bun. A line that was torn by a power cut was
// promised to nobody, and harms no other line. What is dead is left out when the file is opened, or has grown by it.

import type { Files } from './files.ts';
import { asObject, asText, type JsonObject, parseJson } from './messages.ts';
import type { Entry, KeptTicket, OutboxMedium, Rejection } from './outbox-medium.ts';

/** Lines that say nothing any more, before the file is written anew: some hundred kilobytes. */
export const deadLinesMax = 1000;

type Contents = {
  entries: Map<string, Entry>;
  appliances: unknown;
  /** Torn, or not ours: kept as they are, for whoever looks for what became of a sale. */
  unreadable: string[];
  lineCount: number;
};

export type FileMediumNeeds = {
  files(): Promise<Files>;
  createKey(): string;
};

export function createFileMedium(needs: FileMediumNeeds, path: string, deadLines = deadLinesMax): OutboxMedium {
  let contents: Contents | null = null;
  /** What a failed write has left behind is not known: keys that count for nothing, should they be there. */
  let inDoubt: Set<string> | null = null;
  /** More after a rewrite that failed: it is only for the size. */
  let deadLinesTolerated = deadLines;

  async function opened(): Promise<{ files: Files; contents: Contents }> {
    const files = await needs.files();
    if (inDoubt) await takeBack(files, inDoubt);
    contents ??= readContents((await files.read(path)) ?? '');
    const deadCount = contents.lineCount - contents.entries.size;
    if (deadCount > deadLinesTolerated) {
      // A file that was mounted by itself cannot be replaced, and a full disk has no place for two: it grows on, for a while.
      const isWritten = await rewrite(files).then(
        () => true,
        () => false,
      );
      deadLinesTolerated = isWritten ? deadLines : deadCount + deadLines;
    }
    return { files, contents };
  }

  async function takeBack(files: Files, keys: ReadonlySet<string>): Promise<void> {
    await files.append(path, textOf([...keys].map((key) => ({ done: key }))));
    inDoubt = null;
    contents = null;
  }

  /** From what the file says and not from memory: should another program have it open, too, its lines stay. */
  async function rewrite(files: Files): Promise<void> {
    let found = readContents('');
    if ((await files.read(path)) !== null)
      await files.replace(path, (text) => {
        found = readContents(text);
        return linesOf(found);
      });
    contents = { ...found, lineCount: found.entries.size };
  }

  /** Each write begins on a line of its own, whatever was torn before it. */
  async function write(changes: readonly JsonObject[]): Promise<void> {
    const { files, contents } = await opened();
    try {
      await files.append(path, textOf(changes));
    } catch (error) {
      // Whoever asked is told that it failed: should it be there all the same, it is taken back, now or as soon as it can be.
      const added = changes.flatMap(({ add }) => asText(add) ?? []);
      inDoubt = new Set([...(inDoubt ?? []), ...added]);
      await takeBack(files, inDoubt).catch(() => undefined);
      throw error;
    }
    for (const change of changes) apply(contents, change);
    contents.lineCount += changes.length;
  }

  return {
    isDurable: true,
    isShared: false,
    load: async () => {
      contents = null;
      return [...(await opened()).contents.entries.values()];
    },
    add: async (tickets) => {
      const changes = tickets.map((ticket) => ({ add: needs.createKey(), ticket }));
      await write(changes);
      return changes.map(({ add, ticket }) => ({ key: add, ticket, rejection: null }));
    },
    remove: (key) => write([{ done: key }]),
    reject: (key, rejection) => write([{ rejected: key, rejection }]),
    renew: async (key, ticket) => {
      const again = needs.createKey();
      await write([{ renewed: key, as: again, ticket }]);
      return { key: again, ticket, rejection: null };
    },
    adopt: async (entries) => {
      const { contents } = await opened();
      await write(entries.filter(({ key }) => !contents.entries.has(String(key))).map(addOf));
    },
    remember: (appliances) => write([{ appliances }]),
    recall: async () => (await opened()).contents.appliances,
    close() {},
  };
}

function readContents(text: string): Contents {
  const contents: Contents = { entries: new Map(), appliances: undefined, unreadable: [], lineCount: 0 };
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const change = asObject(parseJson(line));
    if (change === undefined) {
      contents.unreadable.push(line);
      continue;
    }
    contents.lineCount += 1;
    apply(contents, change);
  }
  return contents;
}

function apply(contents: Contents, change: JsonObject): void {
  const { entries } = contents;
  const { ticket, rejection } = change;
  const [add, done, rejected] = [asText(change.add), asText(change.done), asText(change.rejected)];
  const [renewed, as] = [asText(change.renewed), asText(change.as)];
  if (add !== undefined && isTicket(ticket)) {
    entries.set(add, { key: add, ticket, rejection: asObject(rejection) ? (rejection as Rejection) : null });
  }
  if (done !== undefined) entries.delete(done);
  const refused = rejected === undefined ? undefined : entries.get(rejected);
  if (refused) entries.set(String(refused.key), { ...refused, rejection: rejection as Rejection });
  if (renewed !== undefined && as !== undefined && isTicket(ticket)) {
    entries.delete(renewed);
    entries.set(as, { key: as, ticket, rejection: null });
  }
  if (change.appliances !== undefined) contents.appliances = change.appliances;
}

const textOf = (changes: readonly JsonObject[]): string =>
  changes.map((change) => `\n${JSON.stringify(change)}\n`).join('');

const isTicket = (value: unknown): value is KeptTicket => typeof asObject(value)?.id === 'string';

const addOf = ({ key, ticket, rejection }: Entry): JsonObject => ({ add: String(key), ticket, rejection });

function linesOf({ entries, appliances, unreadable }: Contents): string {
  return [...unreadable, ...[{ appliances }, ...[...entries.values()].map(addOf)].map((line) => JSON.stringify(line))]
    .map((line) => `${line}\n`)
    .join('');
}
