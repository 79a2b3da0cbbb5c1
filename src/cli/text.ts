// Text for people: columns, sizes, and styles where the terminal shows them.

/** Whether a stream shows styles: a terminal that is not dumb, unless NO_COLOR is set (https://no-color.org). */
export function showsStyles(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

export function bold(text: string, styled: boolean): string {
  return styled ? `\u001b[1m${text}\u001b[22m` : text;
}

/** Rows in columns two spaces apart; columns whose name is in `right` are aligned there. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

/** 1536 -> '1.5 KiB'. */
export function showBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** A number in at most `digits` significant digits. */
export function showNumber(value: number, digits = 4): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : String(value);
}

/** Text of a file on one line of a terminal: control characters shown as escapes, and cut at `limit`. */
export function showText(text: string, limit = 120): string {
  const plain = text.slice(0, limit).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) =>
    JSON.stringify(c)
      .slice(1, -1)
      .replace(/^[^\\]$/u, (d) => `\\u${d.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
  return text.length > limit ? `${plain}… (${text.length} characters)` : plain;
}
