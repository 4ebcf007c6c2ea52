// What a person sees of the demo: lines, a progress bar (plain lines where there is no terminal), a table.

export type Screen = {
  line(text?: string): void;
  /** Redraws in place on a terminal, else one line for each tenth. */
  progress(done: number, of: number, note: string): void;
};

const barWidth = 30;

export function createScreen(stream: { write(text: string): unknown; isTTY?: boolean }): Screen {
  let tenthShown = -1;
  let isBarOpen = false;
  const closeBar = (): void => {
    if (isBarOpen) stream.write('\n');
    isBarOpen = false;
    tenthShown = -1;
  };
  return {
    line(text = '') {
      closeBar();
      stream.write(`${text}\n`);
    },
    progress(done, of, note) {
      const share = of === 0 ? 1 : done / of;
      const text = `${String(Math.floor(share * 100)).padStart(3)} %  ${done}/${of} ${note}`;
      if (stream.isTTY) {
        const filled = Math.round(share * barWidth);
        stream.write(`\r  ${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${text}\x1b[K`);
        isBarOpen = true;
        return;
      }
      const tenth = Math.floor(share * 10);
      if (tenth === tenthShown) return;
      tenthShown = tenth;
      stream.write(`  ${text}\n`);
    },
  };
}

/** Columns as wide as their widest cell; numbers to the right. The first row is the head. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  const isNumeric = widths.map((_, i) => rows.slice(1).every((row) => /^[^A-Za-z]*\d[^A-Za-z]*$/.test(row[i] ?? '')));
  const lines = rows.map((row) =>
    row.map((cell, i) => (isNumeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('   '),
  );
  const [head = '', ...rest] = lines.map((text) => `  ${text}`.trimEnd());
  return [head, `  ${widths.map((width) => '─'.repeat(width)).join('   ')}`, ...rest];
}
