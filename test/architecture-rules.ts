// The house rules of DESIGN as a function: source files in, complaints out. Sources are read as text, simply: what is
// looked for stands in no comment and no string.

export type SourceFile = { /** From src/, with slashes. */ readonly path: string; readonly text: string };

/** What each room may import: other rooms, Node's modules, npm packages. "edges/x" are the rooms inside edges. */
type Room = { readonly rooms: readonly string[]; readonly node?: true; readonly packages?: readonly string[] | 'any' };

const books = ['core', 'protocol', 'ports', 'storage', 'feed'];
const inside = [...books, 'commands', 'mesh', 'realtime', 'observe'];

export const rooms: { readonly [room: string]: Room } = {
  core: { rooms: [] },
  ports: { rooms: ['core'], packages: ['type better-sqlite3'] },
  protocol: { rooms: ['core'], packages: ['zod', '@scure/bip39'] },
  storage: { rooms: ['core', 'protocol', 'ports'], node: true, packages: ['better-sqlite3', 'drizzle-orm'] },
  feed: { rooms: ['core', 'ports', 'storage'] },
  commands: { rooms: books },
  mesh: { rooms: books },
  realtime: { rooms: books },
  observe: { rooms: books, packages: ['prom-client'] },
  appliance: { rooms: inside },
  client: { rooms: [] },
  config: { rooms: ['core'], node: true },
  assets: { rooms: [], node: true, packages: ['esbuild'] },
  edges: { rooms: [...inside, 'appliance', 'assets', 'config'], node: true, packages: 'any' },
  demo: { rooms: ['core', 'assets'], node: true, packages: ['papaparse'] },
  cli: { rooms: [...inside, 'appliance', 'assets', 'config', 'edges', 'demo'], node: true },
  main: { rooms: [...inside, 'appliance', 'assets', 'config', 'edges', 'demo', 'cli'], node: true, packages: 'any' },
};

/** Only these know SQL; edges/system.ts opens the file for them (the OpenDatabase port). */
const databasePackages = ['better-sqlite3', 'drizzle-orm'];
const databaseRooms = ['storage', 'ports', 'edges/system'];

type Ban = { readonly pattern: RegExp; readonly allowedIn: readonly string[]; readonly instead: string };

/** The till's module stands in a browser, far from our ports: it has one place of its own for them. */
const timeAndChance = ['edges/system', 'client/environment'];
/** Programs of their own, which stand outside the appliance as a till or a person does. */
const outsiders = ['demo', 'cli'];

const bans: readonly Ban[] = [
  { pattern: /\bDate\.now\b/, allowedIn: timeAndChance, instead: 'ask the Clock port: clock.now()' },
  { pattern: /\bnew Date(\(\s*\)|(?!\s*\())/, allowedIn: timeAndChance, instead: "give it the Clock port's now()" },
  {
    pattern: /\b(performance\.now|hrtime)\b/,
    allowedIn: [...timeAndChance, ...outsiders],
    instead: 'ask the Clock port: clock.monotonic()',
  },
  { pattern: /\bMath\.random\b/, allowedIn: timeAndChance, instead: 'ask the Random port: random.fraction()' },
  {
    pattern: /\b(setTimeout|setInterval)\b/,
    allowedIn: [...timeAndChance, ...outsiders],
    instead: 'ask the Timers port: timers.after(ms, run)',
  },
  {
    pattern: /\b(setImmediate|queueMicrotask|nextTick)\b/,
    allowedIn: timeAndChance,
    instead: 'ask the Timers port: timers.soon(run)',
  },
  { pattern: /\bas any\b/, allowedIn: [], instead: 'parse it from unknown, or give it its type' },
  { pattern: /\benum\s+\w+\s*\{/, allowedIn: [], instead: 'a union of literals: Node runs these files as they are' },
];

/** Commands and storage run to their end: an await would let another in between. */
const synchronousRooms = ['core', 'protocol', 'storage', 'commands', 'feed'];

/** Complaints, each "path: what is wrong; what to do instead"; none when the house is in order. */
export function complaintsAbout(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const room = roomOf(path);
    const known = roomRule(room);
    if (!known) return [`${path}: in no room of src/README.md; put it in one, or add the room there and here`];
    const found = [...importComplaints(path, room, known, text), ...banComplaints(path, room, text)];
    if (!text.startsWith('//')) found.push('opens without a comment; say what it is, promises and refuses');
    return found.map((complaint) => `${path}: ${complaint}`);
  });
}

/** "core/clock.ts" is in core, "main.ts" is main, "edges/http/app.ts" is in edges/http, "edges/log.ts" is edges/log. */
export function roomOf(path: string): string {
  const [first = '', second = ''] = path.replace(/\.ts$/, '').split('/');
  return first === 'edges' ? `edges/${second}` : first;
}

const roomRule = (room: string): Room | undefined => rooms[room.split('/')[0] ?? ''];

function importComplaints(path: string, room: string, rule: Room, text: string): string[] {
  return importsOf(text).flatMap(({ from, isType }) => {
    if (from.startsWith('.')) {
      const target = roomOf(resolvePath(path, from));
      if (target === room) return [];
      if (room.startsWith('edges/') && target.startsWith('edges/')) {
        return [`imports the edge ${target}; edges meet in main.ts only, hand it in as a port`];
      }
      const allowed = rule.rooms.includes(target.split('/')[0] ?? '');
      return allowed ? [] : [`imports ${target}; arrows point inward, ${room} may see: ${list(rule.rooms)}`];
    }
    if (from.startsWith('node:'))
      return rule.node ? [] : [`imports ${from}; ${room} is no place for it, take it as a port`];
    return packageComplaints(room, rule, from, isType);
  });
}

function packageComplaints(room: string, rule: Room, from: string, isType: boolean): string[] {
  const name = from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');
  if (databasePackages.includes(name) && !databaseRooms.includes(room)) {
    return [`imports ${name}; only storage knows SQL, give storage a function for it`];
  }
  if (rule.packages === 'any' || rule.packages?.includes(name)) return [];
  if (isType && rule.packages?.includes(`type ${name}`)) return [];
  return [`imports ${isType ? 'types of ' : ''}${name}; ${room} takes npm packages: ${list(rule.packages ?? [])}`];
}

function banComplaints(path: string, room: string, text: string): string[] {
  const code = withoutCommentsAndStrings(text);
  const found: string[] = [];
  for (const { pattern, allowedIn, instead } of bans) {
    const isAllowed = allowedIn.includes(room) || allowedIn.includes(path.replace(/\.ts$/, ''));
    const match = isAllowed ? null : pattern.exec(code);
    if (match) found.push(`has ${match[0].trim()}; ${instead}`);
  }
  if (synchronousRooms.includes(room) && /\b(async|await)\b/.test(code)) {
    found.push('has async or await; it must run to its end, do the waiting in an edge');
  }
  return found;
}

const list = (names: readonly string[]): string => names.join(', ') || 'nothing';

/** Static imports, re-exports and import("…") with a literal. */
export function importsOf(text: string): { from: string; isType: boolean }[] {
  const code = text.replace(commentsAndStrings, (piece) => (piece.startsWith('/') ? '' : piece));
  const statements = /\b(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?['"]([^'"\n]+)['"]/g;
  const calls = /\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g;
  return [
    ...[...code.matchAll(statements)].map(([, type, from = '']) => ({ from, isType: type !== undefined })),
    ...[...code.matchAll(calls)].map(([, from = '']) => ({ from, isType: false })),
  ];
}

const commentsAndStrings = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;

/** Code in a template's ${…} stays: it runs. */
const withoutCommentsAndStrings = (text: string): string =>
  text.replace(commentsAndStrings, (piece) =>
    piece.startsWith('`') ? [...piece.matchAll(/\$\{([^}]*)\}/g)].map(([, code]) => code).join(' ; ') : ' ',
  );

function resolvePath(from: string, relative: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of relative.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}
