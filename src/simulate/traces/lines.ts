/**
 * The lines of a text that comes in pieces of any size.
 * Invariant: no more than one line and one piece are held at a time, whatever is in them.
 */
import { TraceError } from "./error.ts";

/** A longer line is no line of a trace. */
const longestLine = 1 << 20;
/** So much of a text shows whether it may be a HAR file. */
const headLength = 4_096;
/** A HAR file is one value, and held wholly. */
export const longestHar = 256 << 20;

export const tooLargeHar = "the HAR file is larger than 256 MiB, and it can only be read wholly";

/** First bytes of what is often given by mistake. */
const magics: readonly (readonly [bytes: readonly number[], what: string])[] = [
  [[0x1f, 0x8b], "compressed by gzip: unpack it first, as with zcat FILE |"],
  [[0x28, 0xb5, 0x2f, 0xfd], "compressed by zstd: unpack it first, as with zstdcat FILE |"],
  [[0x42, 0x5a, 0x68], "compressed by bzip2: unpack it first, as with bzcat FILE |"],
  [[0x50, 0x4b, 0x03, 0x04], "a zip file: unpack it first"],
];

/** Cuts pieces of text into lines. */
export class LineCutter {
  /** Lines that were returned. */
  count = 0;
  readonly #decoder = new TextDecoder();
  #rest = "";
  /** How the rest begins: to look at it there would put its pieces together each time. */
  #restHead = "";
  #isFirst = true;

  /**
   * The lines that end in `piece`.
   *
   * @throws TraceError when it is no text, or a line is too long.
   */
  cut(piece: Uint8Array | string): string[] {
    if (this.#isFirst && piece.length > 0) {
      this.#isFirst = false;
      if (typeof piece !== "string") refuseMagic(piece);
    }
    const zeroAt = typeof piece === "string" ? piece.indexOf("\0") : piece.indexOf(0);
    const text = typeof piece === "string" ? piece : this.#decoder.decode(piece, { stream: true });
    if (zeroAt !== -1) {
      const before = typeof piece === "string" ? piece : new TextDecoder("latin1").decode(piece);
      const line = this.count + 1 + (before.slice(0, zeroAt).match(/\n/g)?.length ?? 0);
      throw new TraceError(line, "holds a NUL byte: this is no text, or in UTF-16");
    }
    const lines = text.split("\n");
    const [first = "", ...others] = lines;
    if (others.length === 0) {
      this.#rest += first;
      if (this.#restHead.length < headLength) this.#restHead += first.slice(0, headLength);
      this.#checkLength();
      return [];
    }
    lines[0] = this.#rest + first;
    this.#rest = lines.pop() as string;
    this.#restHead = this.#rest.slice(0, headLength);
    this.count += lines.length;
    this.#checkLength();
    return lines;
  }

  /** The last line, if it does not end; null when there is none. */
  end(): string | null {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = "";
    if (rest === "") return null;
    this.count++;
    return rest;
  }

  #checkLength(): void {
    if (this.#rest.length <= longestLine) return;
    if (looksLikeHar(this.#restHead)) {
      if (this.#rest.length <= longestHar) return;
      throw new TraceError(null, tooLargeHar);
    }
    const words = "is longer than 1 MiB: this is no trace with a request a line";
    throw new TraceError(this.count + 1, words);
  }
}

/** Whether a text that begins so may be a HAR file. */
export function looksLikeHar(text: string): boolean {
  return /^\s*\{\s*"log"\s*:/.test(text);
}

function refuseMagic(piece: Uint8Array): void {
  for (const [bytes, what] of magics) {
    if (bytes.every((byte, index) => piece[index] === byte)) {
      throw new TraceError(null, `the trace is ${what}`);
    }
  }
}
