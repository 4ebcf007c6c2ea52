// Files of Node and Bun, for the outbox: what is appended or replaced is on the disk when it resolves. Two programs that were
// given one file by mistake lose nothing of each other. Modules are named by a variable, so that a bundle for browsers
// leaves them alone.

export type Files = {
  /** Null where there is no such file. */
  read(path: string): Promise<string | null>;
  append(path: string, text: string): Promise<void>;
  /** The file with another text, or as it was, and nothing between, whenever the power fails. `change` may be for nothing. */
  replace(path: string, change: (text: string) => string): Promise<void>;
};

type Stats = { readonly ino: number; readonly size: number };
export type FileHandle = {
  readFile(): Promise<Uint8Array>;
  writeFile(data: string): Promise<void>;
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  sync(): Promise<void>;
  stat(): Promise<Stats>;
  close(): Promise<void>;
};
export type FileSystem = {
  open(path: string, flags: string, mode?: number): Promise<FileHandle>;
  unlink(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  stat(path: string): Promise<Stats>;
  mkdir(path: string, options: { recursive: true }): Promise<unknown>;
};

/** Sales and who bought: nobody else's on this device. */
const mode = 0o600;
/** How often the file may be replaced by another program just while we append. */
const appendsMax = 5;
/** In this program, so that each has a temporary file of its own. */
let replacements = 0;
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const folderOf = (path: string): string => path.replace(/[^/\\]*$/, '') || '.';

/** `moduleName`: of the runtime's file system. */
export const openFiles = async (moduleName: string, processId: number): Promise<Files> =>
  createFiles((await import(/* @vite-ignore */ moduleName)) as FileSystem, processId);

export function createFiles(fs: FileSystem, processId: number): Files {
  async function withFile<Result>(path: string, flags: string, use: (file: FileHandle) => Promise<Result>) {
    const file = await fs.open(path, flags, mode);
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  }

  /** That there is a file of this name outlives a power cut, too. Windows opens no folders. */
  const syncFolder = (path: string): Promise<void> =>
    withFile(folderOf(path), 'r', (folder) => folder.sync()).catch(() => undefined);

  const read = (path: string): Promise<string | null> =>
    withFile(path, 'r', async (file) => textOf(await file.readFile())).catch((error) => {
      if (isMissing(error)) return null;
      throw error;
    });

  async function append(path: string, text: string): Promise<void> {
    const isNew = (await fs.stat(path).catch(() => null)) === null;
    if (isNew) await fs.mkdir(folderOf(path), { recursive: true });
    for (let attempt = 0; attempt < appendsMax; attempt += 1) {
      const written = await withFile(path, 'a', async (file) => {
        await file.writeFile(text);
        await file.sync();
        return file.stat();
      });
      if (isNew) await syncFolder(path);
      // Another program put a new file into its place meanwhile: what we wrote is in the old one.
      const standing = await fs.stat(path).catch(() => null);
      if (standing?.ino === written.ino) return;
    }
    throw new Error(`${path} is replaced all the time by another program.`);
  }

  async function replace(path: string, change: (text: string) => string): Promise<void> {
    replacements += 1;
    const temporary = `${path}.${processId}.${replacements}.tmp`;
    await withFile(path, 'r', async (old) => {
      const bytes = await old.readFile();
      try {
        await withFile(temporary, 'w', async (file) => {
          await file.writeFile(change(textOf(bytes)));
          await file.sync();
        });
        // Another program was quicker: what it has there by now is not what we read.
        if ((await fs.stat(path)).ino !== (await old.stat()).ino) return await fs.unlink(temporary);
        await fs.rename(temporary, path);
      } catch (error) {
        await fs.unlink(temporary).catch(() => undefined);
        throw error;
      }
      await syncFolder(path);
      const late = await tailOf(old, bytes.length);
      if (late !== '') await append(path, `\n${late}`);
    });
  }

  return { read, append, replace };
}

/** What another program appended after we had read. */
async function tailOf(file: FileHandle, from: number): Promise<string> {
  const { size } = await file.stat();
  if (size <= from) return '';
  const bytes = new Uint8Array(size - from);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
  return textOf(bytes.subarray(0, bytesRead));
}

const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === 'ENOENT';
