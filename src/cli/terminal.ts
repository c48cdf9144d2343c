/**
 * The two output streams of a command: what the terminal can show, and one line of progress that is
 * rewritten in place.
 * Invariant: stdout gets results only; progress and notes go to stderr.
 */
import { stripVTControlCharacters, styleText } from "node:util";
import { type Looks, type Style, toAscii, widthOf } from "./text.ts";

/** An output stream, as far as it matters here. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Milliseconds between two versions of the line of progress: often enough to move, too seldom to cost. */
const progressMsecs = 80;
const widest = 100;

/** Writes to both streams. */
export class Terminal implements Looks {
  readonly width: number;
  readonly #out: Output;
  readonly #err: Output;
  readonly #isUnicode: boolean;
  readonly #isColourful: boolean;
  #progressAt = Number.NEGATIVE_INFINITY;
  #hasProgress = false;

  constructor(
    out: Output = process.stdout,
    err: Output = process.stderr,
    env: Environment = process.env,
    platform: NodeJS.Platform = process.platform,
  ) {
    this.#out = out;
    this.#err = err;
    this.#isUnicode = isUnicode(env, platform);
    this.#isColourful = isColourful(out, env);
    this.width = Math.min(out.columns || 80, widest);
  }

  /** Lines of the result, to stdout. */
  print(lines: readonly string[]): void {
    this.clearProgress();
    this.#out.write(this.#shown(`${lines.join("\n")}\n`));
  }

  /** Lines in place of all that the terminal shows, as many as it has room for; where it is none, one after the other. */
  redraw(lines: readonly string[]): void {
    if (this.#out.isTTY !== true) {
      this.print([...lines, ""]);
      return;
    }
    this.clearProgress();
    const columns = this.#out.columns || 80;
    // A line that is too long would wrap, and all would move.
    const room = lines
      .slice(0, Math.max((this.#out.rows || 24) - 1, 1))
      .map((line) =>
        widthOf(line) <= columns ? line : stripVTControlCharacters(line).slice(0, columns),
      );
    // Not cleared before it is written: that would flicker.
    this.#out.write(`\x1b[H${room.map((line) => `${this.#shown(line)}\x1b[K\n`).join("")}\x1b[J`);
  }

  /** Text that no terminal's abilities may change, to stdout. */
  printRaw(text: string): void {
    this.clearProgress();
    this.#out.write(text);
  }

  /** A line that is not part of the result, to stderr. */
  note(line: string): void {
    this.clearProgress();
    this.#err.write(this.#shown(`${line}\n`));
  }

  /** Shows how far something is, in place of the last such line. Does nothing where nobody watches. */
  progress(line: string): void {
    if (this.#err.isTTY !== true) return;
    const now = performance.now();
    if (now - this.#progressAt < progressMsecs) return;
    this.#progressAt = now;
    this.#hasProgress = true;
    // A line as wide as the terminal would wrap, and could not be taken back.
    const narrow = line.slice(0, (this.#err.columns || 80) - 1);
    this.#err.write(`\r${this.#shown(narrow)}\x1b[K`);
  }

  /** Takes the line of progress away. */
  clearProgress(): void {
    if (!this.#hasProgress) return;
    this.#hasProgress = false;
    this.#progressAt = Number.NEGATIVE_INFINITY;
    this.#err.write("\r\x1b[K");
  }

  readonly paint = (style: Style, text: string): string =>
    this.#isColourful && text !== "" ? styleText(style, text, { validateStream: false }) : text;

  #shown(text: string): string {
    return this.#isUnicode ? text : toAscii(text);
  }
}

/** Whether characters beyond ASCII are shown as they are: by the locale, as POSIX orders its variables. */
function isUnicode(env: Environment, platform: NodeJS.Platform): boolean {
  if (platform === "win32") {
    return env.WT_SESSION !== undefined || env.TERM_PROGRAM === "vscode";
  }
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "";
  return /utf-?8/i.test(locale);
}

/** Colours are for people, and only those who want them: https://no-color.org, https://force-color.org */
function isColourful(out: Output, env: Environment): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return out.isTTY === true && env.TERM !== "dumb";
}
