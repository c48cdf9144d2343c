/**
 * Where a head or a trailer section ends, and where in it each field lies: an incremental scanner that
 * looks at every byte once, wherever the input is split, and refuses what RFC 9112 does not allow as
 * soon as the byte is met. It holds at most the section's limit; what fields mean is said in head.ts.
 */

const HTAB = 9;
const LF = 10;
const CR = 13;
const SP = 32;
const COLON = 58;

// Not exported: V8 of Node 20 reads an exported constant anew for every byte, 2.2 ns instead of 0.8.
/** Bit of `BYTE_CLASS`: tchar, RFC 9110 5.6.2. */
const TOKEN = 1;
/** Bit of `BYTE_CLASS`: HTAB, SP, VCHAR and obs-text, RFC 9110 5.5. */
const FIELD = 2;
const BYTE_CLASS: Readonly<Uint8Array> = Uint8Array.from({ length: 256 }, (_, byte) => {
  const isTokenByte = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte));
  const isFieldByte = byte === HTAB || (byte >= SP && byte !== 0x7f);
  return (isTokenByte ? TOKEN : 0) | (isFieldByte ? FIELD : 0);
});

const STATUS_START = "HTTP/1.x ";
const VERSION_DIGIT = 7;
const CODE_END = 12;
const REASON_START = 13;

const noBytes = Buffer.alloc(0);
/**
 * Marks of a section that lies within one buffer, shared by all scanners: they are read before the
 * next scan begins, so that a connection between responses holds none.
 */
const sharedMarks: number[] = [];

type ScanState =
  | "version-and-code"
  | "code-end"
  | "reason"
  | "line-lf"
  | "field-start"
  | "name"
  | "leading-space"
  | "value"
  | "last-lf";

/** Scans one section at a time: `start…`, `scan` until `done`, read it, `release`. */
export class FieldScanner {
  /** True when the empty line that ends the section has been read. */
  done = false;
  /** What is wrong with the byte at the index that `scan` returned; null while nothing is. */
  fault: string | null = null;
  /** The whole section as latin1, the CRLF that ends it included. Valid from `done` to `release`. */
  text = "";
  /** How many of `marks` belong to this section: three for each field. */
  markCount = 0;
  /** Offset of the first field's name. The status line, if there is one, ends two bytes before. */
  firstField = 0;
  #part: "head" | "trailer section" = "head";
  #state: ScanState = "field-start";
  readonly #limitBytes: number;
  /** How many more bytes the section may have. */
  #roomBytes = 0;
  /** What came in earlier calls; empty when the section lies within one buffer, as most do. */
  #held: Buffer = noBytes;
  #heldBytes = 0;
  #ownMarks: number[] | null = null;

  /** `limitBytes` bounds a trailer section, and all heads of one response together. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Expects the first head of a response. */
  startHead(): void {
    this.#part = "head";
    this.#roomBytes = this.#limitBytes;
    this.startNextHead();
  }

  /** Expects the head after an interim one, within what that has left of the limit. */
  startNextHead(): void {
    this.#start("version-and-code");
  }

  /** Expects the trailer section after the last chunk. */
  startTrailers(): void {
    this.#part = "trailer section";
    this.#roomBytes = this.#limitBytes;
    this.firstField = 0;
    this.#start("field-start");
  }

  /** For each field the offsets in `text` of its colon, its value's first byte, the CR that ends it. */
  get marks(): readonly number[] {
    return this.#ownMarks ?? sharedMarks;
  }

  /** The status code of the head in `text`. */
  get statusCode(): number {
    const { text } = this;
    const digits = 100 * text.charCodeAt(9) + 10 * text.charCodeAt(10) + text.charCodeAt(11);
    return digits - 111 * 0x30;
  }

  /** The x of HTTP/1.x of the head in `text`. */
  get minorVersion(): 0 | 1 {
    return this.text.charCodeAt(VERSION_DIGIT) === 0x30 ? 0 : 1;
  }

  /** Gives up the text and the buffers of a section that has been read. */
  release(): void {
    this.text = "";
    this.#held = noBytes;
    this.#heldBytes = 0;
    this.#ownMarks = null;
  }

  /**
   * Takes the bytes of `buffer` from `start` up to `end` or the end of the section. Returns the index
   * after the last byte taken; with `fault`, the index of the faulty byte.
   */
  scan(buffer: Buffer, start: number, end: number): number {
    const marks = this.#ownMarks ?? sharedMarks;
    const shift = this.#heldBytes - start;
    const stop = end - start > this.#roomBytes ? start + this.#roomBytes : end;
    let state = this.#state;
    let count = this.markCount;
    let at = start;
    // The states in the order in which a field passes them, and in each a loop over its kind of byte.
    scanning: while (at < stop) {
      if (state === "name") {
        at = endOfToken(buffer, at, stop);
        if (at === stop || buffer[at] !== COLON) break;
        marks[count++] = at++ + shift;
        state = "leading-space";
      }
      if (state === "leading-space") {
        while (at < stop && (buffer[at] === SP || buffer[at] === HTAB)) at++;
        if (at === stop) break;
        marks[count++] = at + shift;
        state = "value";
      }
      if (state === "value") {
        at = endOfField(buffer, at, stop);
        if (at === stop || buffer[at] !== CR) break;
        marks[count++] = at++ + shift;
        state = "line-lf";
      }
      if (state === "line-lf") {
        if (at === stop || buffer[at] !== LF) break;
        at++;
        state = "field-start";
      }
      if (state === "field-start") {
        if (at === stop) break;
        if (isToken(buffer[at]!)) {
          state = "name";
          continue;
        }
        if (buffer[at] !== CR) break;
        at++;
        state = "last-lf";
      }
      switch (state) {
        case "last-lf":
          if (at === stop || buffer[at] !== LF) break scanning;
          at++;
          this.done = true;
          break scanning;
        case "version-and-code":
          while (at + shift < CODE_END) {
            if (!isStatusByte(at + shift, buffer[at]!)) break scanning;
            if (++at === stop) break scanning;
          }
          state = "code-end";
          break;
        case "code-end":
          // The space before an empty reason may be missing: against RFC 9112 4, but seen and clear.
          if (buffer[at] === SP) at++;
          else if (buffer[at] !== CR) break scanning;
          state = "reason";
          break;
        case "reason":
          at = endOfField(buffer, at, stop);
          if (at === stop || buffer[at] !== CR) break scanning;
          this.firstField = at++ + shift + 2;
          state = "line-lf";
          break;
        default:
          state satisfies never;
      }
    }
    this.markCount = count;
    if (this.done) {
      this.#roomBytes -= at - start;
      this.text =
        this.#heldBytes === 0
          ? buffer.toString("latin1", start, at)
          : this.#hold(buffer, start, at).toString("latin1", 0, this.#heldBytes);
    } else {
      this.#pause(buffer, start, at, at < stop, state);
    }
    return at;
  }

  #start(state: ScanState): void {
    this.done = false;
    this.fault = null;
    this.markCount = 0;
    this.#state = state;
  }

  /** The section goes on in the next buffer, or is refused. */
  #pause(buffer: Buffer, start: number, at: number, isFaulty: boolean, state: ScanState): void {
    this.#ownMarks ??= sharedMarks.slice(0, this.markCount);
    this.#state = state;
    this.#roomBytes -= at - start;
    this.#hold(buffer, start, at);
    if (isFaulty) {
      this.fault = this.#describe(state, buffer[at]!);
    } else if (this.#roomBytes === 0) {
      this.fault = `the ${this.#part} is larger than maxHeaderBytes (${this.#limitBytes})`;
    }
  }

  /** Appends to what is held, in a buffer that doubles as it grows: O(1) a byte. */
  #hold(buffer: Buffer, start: number, end: number): Buffer {
    const heldBytes = this.#heldBytes + end - start;
    if (heldBytes > this.#held.length) {
      const grown = Buffer.allocUnsafe(Math.max(1024, 2 * this.#held.length, heldBytes));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    buffer.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes = heldBytes;
    return this.#held;
  }

  /** What is wrong with `byte` after what is held, in `state`. */
  #describe(state: ScanState, byte: number): string {
    const kind = this.#part === "head" ? "header" : "trailer";
    const count = this.markCount;
    const held = (from: number, to = this.#heldBytes) =>
      quote(this.#held.toString("latin1", from, to));
    const nameStart = (mark: number) => (mark === 0 ? this.firstField : this.marks[mark - 1]! + 2);
    const name = (mark: number) => `${kind} ${held(nameStart(mark), this.marks[mark])}`;
    switch (state) {
      case "version-and-code":
      case "code-end":
        return this.#heldBytes < STATUS_START.length
          ? `not an HTTP/1.0 or HTTP/1.1 status line: ${describeByte(byte)} after ${held(0)}`
          : `the status code is not three digits from 100 on: ${describeByte(byte)} after ${held(0)}`;
      case "reason":
        return `${describeByte(byte)} in the reason phrase`;
      case "line-lf":
        return count === 0 ? "bare CR in the status line" : `bare CR in ${name(count - 3)}`;
      case "field-start":
        if (byte === COLON) return `a ${kind} without a name`;
        if (byte !== SP && byte !== HTAB) return `${describeByte(byte)} at the start of a ${kind}`;
        return count === 0
          ? `white space before the first ${kind}`
          : `${name(count - 3)} is folded over several lines (obs-fold)`;
      case "name":
        if (byte === SP || byte === HTAB) {
          return `white space before the colon of ${kind} ${held(nameStart(count))}`;
        }
        return `${describeByte(byte)} in the name of ${kind} ${held(nameStart(count))}`;
      case "leading-space":
      case "value":
        return `${describeByte(byte)} in the value of ${name(count - 2)}`;
      case "last-lf":
        return `bare CR at the end of the ${this.#part}`;
    }
  }
}

/** Whether `byte` may stand in a token, RFC 9110 5.6.2. */
export function isToken(byte: number): boolean {
  return (BYTE_CLASS[byte]! & TOKEN) !== 0;
}

/** Whether `byte` may stand in a field value, or in a quoted string where it needs no escape. */
export function isFieldText(byte: number): boolean {
  return (BYTE_CLASS[byte]! & FIELD) !== 0;
}

/** `text` in quotes, short and printable: what a server sent never floods or forges a log. */
export function quote(text: string): string {
  const clipped = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return `"${clipped.replace(/[^ -~…]|["\\]/g, (char) =>
    char === '"' || char === "\\" ? `\\${char}` : hex(char.charCodeAt(0)),
  )}"`;
}

/** A byte as an error names it. */
export function describeByte(byte: number): string {
  if (byte === LF) return "bare LF";
  if (byte === CR) return "CR";
  return byte > SP && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte ${hex(byte)}`;
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** Index of the first byte from `from` on that is not of a token; else `stop`. */
function endOfToken(buffer: Buffer, from: number, stop: number): number {
  let at = from;
  while (at < stop && (BYTE_CLASS[buffer[at]!]! & TOKEN) !== 0) at++;
  return at;
}

/** The same for a field value. One function for both, told the class, took half as long again. */
function endOfField(buffer: Buffer, from: number, stop: number): number {
  let at = from;
  while (at < stop && (BYTE_CLASS[buffer[at]!]! & FIELD) !== 0) at++;
  return at;
}

/** Whether `byte` may stand at `offset` of a head, before the end of the status code. */
function isStatusByte(offset: number, byte: number): boolean {
  if (offset >= STATUS_START.length) return byte >= 0x30 + (offset === 9 ? 1 : 0) && byte <= 0x39;
  return offset === VERSION_DIGIT
    ? byte === 0x30 || byte === 0x31
    : byte === STATUS_START.charCodeAt(offset);
}

/** The reason phrase of a head whose fields begin at `firstField`, possibly empty. */
export function reasonPhrase(text: string, firstField: number): string {
  // Not substring(): without the space, the end lies before the start.
  return text.slice(REASON_START, firstField - 2);
}
