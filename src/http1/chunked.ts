/**
 * Where the data of a chunked body lies (RFC 9112 7.1): reads chunk sizes, skips extensions, counts
 * data. It ends with the last chunk's line; the trailer section that follows is for fields.ts.
 */
import { describeByte, isFieldText, isToken } from "./fields.ts";

const LF = 10;
const CR = 13;
const DOUBLE_QUOTE = 34;
const SEMICOLON = 59;
const EQUALS = 61;
const BACKSLASH = 92;
/** Leading zeros included, so that a size line has an end; `Number.MAX_SAFE_INTEGER` has 14. */
const MAX_SIZE_DIGITS = 16;

/** Value of each byte as a hexadecimal digit, -1 for all others. */
const HEX_VALUE: Readonly<Int8Array> = Int8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return /[0-9A-Fa-f]/.test(char) ? Number.parseInt(char, 16) : -1;
});

type ExtensionState =
  | "extension-start"
  | "extension-name"
  | "extension-value"
  | "extension-token"
  | "extension-quoted"
  | "extension-escaped"
  | "extension-end";

type ChunkState = "size" | ExtensionState | "size-lf" | "data-cr" | "data-lf";

/** Reads the framing of one chunked body after another: `start`, then `read` until `done`. */
export class ChunkReader {
  /** True when the line of the last chunk has been read. */
  done = false;
  /** What is wrong with the byte at the index that `read` returned; null while nothing is. */
  fault: string | null = null;
  /** Data of this chunk still to come: the caller takes it and counts it down before it reads on. */
  dataBytes = 0;
  #state: ChunkState = "size";
  #size = 0;
  #digitCount = 0;
  #extensionBytes = 0;
  readonly #limitBytes: number;

  /** `limitBytes` bounds the extensions of all chunks of a body together. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Expects the first chunk of a body. */
  start(): void {
    this.done = false;
    this.fault = null;
    this.dataBytes = 0;
    this.#state = "size";
    this.#size = this.#digitCount = this.#extensionBytes = 0;
  }

  /**
   * Takes what is not data, up to `end`, the first byte of data, or the end of the last chunk's line.
   * Returns the index after the last byte taken; with `fault`, the index of the faulty byte.
   */
  read(buffer: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = buffer[at]!;
      switch (this.#state) {
        case "size":
          this.#readSize(byte);
          break;
        case "size-lf":
          if (byte !== LF) {
            this.fault = "bare CR after a chunk size";
            break;
          }
          this.done = this.#size === 0;
          this.dataBytes = this.#size;
          this.#state = "data-cr";
          this.#size = this.#digitCount = 0;
          return at + 1;
        case "data-cr":
          if (byte === CR) this.#state = "data-lf";
          else this.fault = `${describeByte(byte)} after the data of a chunk`;
          break;
        case "data-lf":
          if (byte === LF) this.#state = "size";
          else this.fault = "bare CR after the data of a chunk";
          break;
        default:
          this.#skipExtension(this.#state, byte);
      }
      if (this.fault !== null) return at;
    }
    return end;
  }

  #readSize(byte: number): void {
    const digit = HEX_VALUE[byte]!;
    if (digit !== -1) {
      this.#size = this.#size * 16 + digit;
      if (++this.#digitCount > MAX_SIZE_DIGITS || this.#size > Number.MAX_SAFE_INTEGER) {
        this.fault = "a chunk size that is too large";
      }
    } else if (this.#digitCount === 0) {
      this.fault = `${describeByte(byte)} in place of a chunk size`;
    } else if (byte === CR) {
      this.#state = "size-lf";
    } else if (byte === SEMICOLON) {
      this.#skipExtension("extension-end", byte);
    } else {
      this.fault = `${describeByte(byte)} after a chunk size`;
    }
  }

  #skipExtension(state: ExtensionState, byte: number): void {
    const next = afterExtensionByte(state, byte);
    if (next === null) {
      this.fault = `${describeByte(byte)} in a chunk extension`;
      return;
    }
    this.#state = next;
    if (next !== "size-lf" && ++this.#extensionBytes > this.#limitBytes) {
      this.fault = `the chunk extensions are larger than maxHeaderBytes (${this.#limitBytes})`;
    }
  }
}

/**
 * The grammar of RFC 9112 7.1.1, null where it does not allow `byte`. The white space that a recipient
 * may skip is refused, as Node does: no server sends it, and it has served to smuggle requests.
 */
function afterExtensionByte(state: ExtensionState, byte: number): ChunkState | null {
  switch (state) {
    case "extension-start":
      return isToken(byte) ? "extension-name" : null;
    case "extension-name":
      if (byte === EQUALS) return "extension-value";
      return isToken(byte) ? state : afterExtension(byte);
    case "extension-value":
      if (byte === DOUBLE_QUOTE) return "extension-quoted";
      return isToken(byte) ? "extension-token" : null;
    case "extension-token":
      return isToken(byte) ? state : afterExtension(byte);
    case "extension-quoted":
      if (byte === DOUBLE_QUOTE) return "extension-end";
      if (byte === BACKSLASH) return "extension-escaped";
      return isFieldText(byte) ? state : null;
    case "extension-escaped":
      return isFieldText(byte) ? "extension-quoted" : null;
    case "extension-end":
      return afterExtension(byte);
  }
}

function afterExtension(byte: number): ChunkState | null {
  if (byte === SEMICOLON) return "extension-start";
  return byte === CR ? "size-lf" : null;
}
