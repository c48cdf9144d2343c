/**
 * Text for terminals: numbers, columns, bars and paragraphs. Pure functions from values to strings.
 * Bars and signs are Unicode here; a terminal without it gets `toAscii` of them, character for character.
 */
import { stripVTControlCharacters } from "node:util";

export { bytes, count, msecs, percent, seconds, span } from "./numbers.ts";

/** What a text may look like. */
export interface Looks {
  /** Columns of the terminal. */
  readonly width: number;
  /** `text` with a style around it, or as it is where styles are not wanted. */
  readonly paint: (style: Style, text: string) => string;
}

/** The few styles in use. */
export type Style = "bold" | "dim" | "green" | "yellow";

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar as long as `value` is of `largest`, at most `width` columns; a value above 0 is always seen. */
export function bar(value: number, largest: number, width: number): string {
  if (!(value > 0 && largest > 0)) return "";
  const cells = Math.max(1, Math.round((Math.min(value, largest) / largest) * width * 8));
  return "█".repeat(Math.floor(cells / 8)) + (eighths[cells % 8] ?? "");
}

/** Shades for the parts of `stackedBar`, in the order in which the parts are given. */
export const shades = ["░", "▒", "▓", "█"] as const;

/** A bar of at most four parts that lie end to end; a part above 0 is always seen. */
export function stackedBar(parts: readonly number[], largest: number, width: number): string {
  let left = parts.filter((part) => part > 0).length;
  let text = "";
  let end = 0;
  parts.forEach((part, index) => {
    if (part <= 0) return;
    left--;
    end += part;
    // Rounding the ends and not the parts keeps the whole bar as long as it should be.
    const columns = Math.min(Math.round((end / largest) * width), width - left);
    text += (shades[index] ?? "█").repeat(Math.max(1, columns - text.length));
  });
  return text;
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

/** Lines of a table, two columns of space between its columns. Cells may hold styles. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  looks: Looks,
): string[] {
  const titles = columns.map((column) => column.title);
  const widths = columns.map((_, index) =>
    Math.max(...[titles, ...rows].map((cells) => widthOf(cells[index] ?? ""))),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const space = " ".repeat((widths[index] ?? 0) - widthOf(cell));
        return columns[index]?.align === "right" ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  const head = titles.some((title) => title !== "") ? [looks.paint("dim", line(titles))] : [];
  return [...head, ...rows.map(line)];
}

/** Columns that `text` takes on a terminal: every character in use here takes one, styles take none. */
export function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Lines of at most `width` columns; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}

/** `lines` moved to the right; empty ones stay empty. */
export function indent(lines: readonly string[], columns: number): string[] {
  return lines.map((line) => (line === "" ? "" : " ".repeat(columns) + line));
}

const ascii: Readonly<Record<string, string>> = {
  "░": ".",
  "▒": "-",
  "▓": "=",
  "█": "#",
  "▏": "|",
  "▎": "|",
  "▍": "|",
  "▌": "#",
  "▋": "#",
  "▊": "#",
  "▉": "#",
  "–": "-",
  "×": "x",
  "…": "~",
};

/** `text` for a terminal that shows nothing but ASCII: as long as before, so that columns stay aligned. */
export function toAscii(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII includes them
  return text.replace(/[^\x00-\x7f]/gu, (character) => ascii[character] ?? "?");
}

/** A document for programs. Times and shares to the third decimal place: more digits say nothing. `indentation` 0: all in one line. */
export function toJson(document: object, indentation = 2): string {
  const rounded = (_: string, value: unknown): unknown =>
    typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value;
  return `${JSON.stringify(document, rounded, indentation)}\n`;
}
