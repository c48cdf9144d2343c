/**
 * The pool's side of a response body: what has arrived, and who reads it. What arrives before anybody
 * reads is held up to 64 KiB; then the socket waits. A body that ends within that frees its connection
 * without being read.
 * Invariant: every promise that was given out settles, no byte is delivered twice, and the program's side
 * (`ClientBody`) is referenced from here only while a read is under way: see `keeper`.
 */

import { giveBack, spareCopy } from "./spare-memory.ts";

/** What a body asks of the request that it belongs to. */
export interface BodyOwner {
  /** Read on. */
  resume(): void;
  /** The program took a piece that had waited for it. */
  taken(): void;
  /** The rest is not wanted: the connection is closed unless the body has ended. */
  cancel(): void;
}

/** Bytes held before the socket waits. */
export const mostHeldBytes = 65_536;
/** Pieces below this size are small, and no more than so many of them are held one by one. */
export const smallBytes = 256;
const mostSmallPieces = 1_024;

type End =
  | { readonly kind: "open" }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly error: unknown };

/**
 * Who reads. `pull` waits for the next piece; `gather` wants all of them; `dump` wants none; `borrow` looks at each as it comes; `over` has
 * had all of them at once.
 *
 * The `keeper` of a read under way is the program's side of the body, whose collection gives the connection
 * up. The program need not hold it: after `response.body.text()` it may have nothing but the promise, and a
 * callback that waits for `next()` not even the iterator. Nor does the promise hold it for certain: what a
 * suspended function still needs is for the compiler to say. So the read itself does, from the socket down,
 * and only the read: once `next()` is answered it is the program's iterator again that has to.
 */
type Reader =
  | { readonly kind: "none" }
  | {
      readonly kind: "gather";
      readonly keeper: object;
      readonly resolve: (pieces: Buffer[]) => void;
      readonly reject: (error: unknown) => void;
    }
  | {
      readonly kind: "dump";
      readonly keeper: object;
      left: number;
      readonly resolve: () => void;
      readonly reject: (error: unknown) => void;
    }
  | {
      readonly kind: "borrow";
      readonly keeper: object;
      /** False: no more until `borrowOn`. */
      readonly each: (bytes: Buffer) => boolean;
      readonly resolve: () => void;
      readonly reject: (error: unknown) => void;
    }
  | { readonly kind: "pull"; readonly waiting: Waiting[] }
  | { readonly kind: "over" };

type Borrower = Extract<Reader, { kind: "borrow" }>;

interface Waiting {
  readonly keeper: object;
  readonly resolve: (result: IteratorResult<Buffer, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const noBytes = Buffer.alloc(0);
/** Held by every body before the first piece, and never added to. */
const noPieces: Buffer[] = [];
const noReader: Reader = { kind: "none" };
const overReader: Reader = { kind: "over" };
const open: End = { kind: "open" };
const ended: End = { kind: "ended" };

/** The body of one response, as its connection delivers it. */
export class IncomingBody {
  /** Bytes that have arrived and wait to be read. */
  heldBytes = 0;
  readonly #owner: BodyOwner;
  #pieces = noPieces;
  /** How many of the last pieces are small. */
  #smallCount = 0;
  #end: End = open;
  #reader: Reader = noReader;

  constructor(owner: BodyOwner) {
    this.#owner = owner;
  }

  /** True once a way to read it was chosen. */
  get used(): boolean {
    return this.#reader.kind !== "none";
  }

  /** Whether all of it has come. */
  get hasEnded(): boolean {
    return this.#end.kind === "ended";
  }

  /** It is the program's turn: it has not begun to read, or has stopped while something waits. */
  get isNeglected(): boolean {
    if (this.#end.kind !== "open") return false;
    const { kind } = this.#reader;
    return kind === "none" || (kind === "pull" && this.heldBytes > 0);
  }

  /** Bytes of `buffer`, which are there during the call only. False: wait before reading more. */
  receive(buffer: Buffer, start: number, end: number): boolean {
    const reader = this.#reader;
    if (this.#end.kind !== "open") return true;
    if (reader.kind === "dump") {
      this.#skip(reader, end - start);
      return true;
    }
    if (reader.kind === "borrow" && this.#pieces.length === 0) {
      return this.#lend(reader, buffer.subarray(start, end));
    }
    // What the program keeps, and a whole body that is collected, takes no more memory than it must.
    const isKept = reader.kind === "pull" || reader.kind === "gather";
    if (!isKept) return this.push(spareCopy(buffer, start, end));
    const piece = Buffer.allocUnsafe(end - start);
    buffer.copy(piece, 0, start, end);
    return this.push(piece);
  }

  /** A piece that nobody else keeps. False: wait before reading more. */
  push(piece: Buffer): boolean {
    if (this.#end.kind !== "open") return true;
    const reader = this.#reader;
    switch (reader.kind) {
      case "dump":
        this.#skip(reader, piece.length);
        return true;
      case "pull": {
        const first = reader.waiting.shift();
        if (first === undefined) break;
        first.resolve({ done: false, value: piece });
        return true;
      }
      case "none":
      case "gather":
      case "borrow":
      case "over":
        break;
      default:
        reader satisfies never;
    }
    this.#hold(piece);
    return reader.kind === "gather" || this.heldBytes <= mostHeldBytes;
  }

  /** That was all. */
  end(): void {
    if (this.#end.kind !== "open") return;
    this.#end = ended;
    const reader = this.#reader;
    if (reader.kind === "gather") reader.resolve(this.#pieces);
    else if (reader.kind === "dump") reader.resolve();
    else if (reader.kind === "borrow") this.#lendHeld(reader);
    else if (reader.kind === "pull") {
      for (const each of reader.waiting) each.resolve({ done: true, value: undefined });
    }
  }

  /** There will be no more. Whoever reads now or later gets `error`, after what was held. */
  fail(error: unknown): void {
    if (this.#end.kind !== "open") return;
    this.#end = { kind: "failed", error };
    const reader = this.#reader;
    if (reader.kind === "gather" || reader.kind === "dump" || reader.kind === "borrow") {
      this.#clear();
      reader.reject(error);
    } else if (reader.kind === "pull") {
      for (const each of reader.waiting) each.reject(error);
    }
  }

  /** Chooses to read piece by piece, by `pull`. */
  use(): void {
    if (this.used) throw new TypeError("the response body was read already: it can be read once");
    this.#reader = { kind: "pull", waiting: [] };
  }

  /** All of it, if it has ended and nobody has read it: that is its reading. Null where `gather` has to tell. */
  takeEnded(): readonly Buffer[] | null {
    if (this.#end.kind !== "ended" || this.used) return null;
    this.#reader = overReader;
    return this.#pieces;
  }

  /** All of it. */
  gather(keeper: object): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      this.use();
      if (this.#end.kind === "failed") reject(this.#end.error);
      else if (this.#end.kind === "ended") resolve(this.#pieces);
      else {
        this.#reader = { kind: "gather", keeper, resolve, reject };
        this.#owner.resume();
      }
    });
  }

  /** The next piece, once it was `use`d. */
  pull(keeper: object): Promise<IteratorResult<Buffer, undefined>> {
    const reader = this.#reader as Extract<Reader, { kind: "pull" }>;
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.heldBytes -= piece.length;
      if (this.#end.kind === "open") {
        this.#owner.taken();
        if (this.heldBytes < mostHeldBytes) this.#owner.resume();
      }
      return Promise.resolve({ done: false, value: piece });
    }
    if (this.#end.kind === "ended") return Promise.resolve({ done: true, value: undefined });
    if (this.#end.kind === "failed") return Promise.reject(this.#end.error);
    this.#owner.resume();
    return new Promise((resolve, reject) => {
      reader.waiting.push({ keeper, resolve, reject });
    });
  }

  /** Has `each` look at all bytes as they come; they are there during the call only. What it throws gives the rest up. */
  borrow(keeper: object, each: (bytes: Buffer) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.use();
      const reader: Borrower = { kind: "borrow", keeper, each, resolve, reject };
      this.#reader = reader;
      this.#lendHeld(reader);
    });
  }

  /** Whoever borrows can look at more: or has something to throw, and is asked with no bytes. */
  borrowOn(): void {
    const reader = this.#reader;
    if (reader.kind === "borrow" && this.#lend(reader, noBytes)) this.#lendHeld(reader);
  }

  /** Throws the rest away, and gives up after `maxBytes`. */
  dump(keeper: object, maxBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.use();
      if (this.#end.kind === "failed") reject(this.#end.error);
      else if (this.#end.kind === "ended") resolve();
      else {
        const left = maxBytes - this.heldBytes;
        this.#reader = { kind: "dump", keeper, left, resolve, reject };
        this.#clear();
        if (left < 0) this.#giveUp();
        else this.#owner.resume();
      }
    });
  }

  /** The reader of pieces wants no more. */
  leave(): void {
    this.#clear();
    if (this.#end.kind === "open") this.#giveUp();
  }

  #skip(reader: Extract<Reader, { kind: "dump" }>, bytes: number): void {
    reader.left -= bytes;
    if (reader.left < 0) this.#giveUp();
  }

  #lend(reader: Borrower, bytes: Buffer): boolean {
    try {
      return reader.each(bytes);
    } catch (error) {
      const isOpen = this.#end.kind === "open";
      this.#end = { kind: "failed", error };
      this.#clear();
      reader.reject(error);
      if (isOpen) this.#owner.cancel();
      return true;
    }
  }

  /** Lends what is held, then reads on, or tells of the end. */
  #lendHeld(reader: Borrower): void {
    for (let piece = this.#pieces.shift(); piece !== undefined; piece = this.#pieces.shift()) {
      this.heldBytes -= piece.length;
      const goesOn = this.#lend(reader, piece);
      giveBack(piece);
      if (!goesOn) return;
    }
    if (this.#end.kind === "open") this.#owner.resume();
    else if (this.#end.kind === "ended") reader.resolve();
    else reader.reject(this.#end.error);
  }

  /** Keeps `piece`. Small ones are joined from time to time: a chunk of one byte takes the memory of 150. */
  #hold(piece: Buffer): void {
    // Made for one piece, for most bodies have no more: an array that grows takes room for seventeen.
    if (this.#pieces.length === 0) this.#pieces = [piece];
    else this.#pieces.push(piece);
    this.heldBytes += piece.length;
    this.#smallCount = piece.length < smallBytes ? this.#smallCount + 1 : 0;
    if (this.#smallCount < mostSmallPieces) return;
    this.#smallCount = 0;
    this.#pieces.push(Buffer.concat(this.#pieces.splice(-mostSmallPieces)));
  }

  /** The rest is not wanted. */
  #giveUp(): void {
    this.end();
    this.#owner.cancel();
  }

  #clear(): void {
    this.#pieces = noPieces;
    this.#smallCount = 0;
    this.heldBytes = 0;
  }
}
