/**
 * A response body: read once, in one of several ways. What arrives before anybody reads is held up to
 * 64 KiB; then the socket waits. A body that ends within that frees its connection without being read.
 * Invariant: every promise that was given out settles, and no byte is delivered twice.
 */
import { Readable } from "node:stream";
import { invalidOption, wholeNumber } from "../core/rules.ts";

/** What a body asks of the request that it belongs to. */
export interface BodyOwner {
  /** Read on. */
  resume(): void;
  /** The rest is not wanted: the connection is closed unless the body has ended. */
  cancel(): void;
}

/** Bytes held before the socket waits. */
const mostHeldBytes = 65_536;
/** Pieces below this size are small, and no more than so many of them are held one by one. */
const smallBytes = 256;
const mostSmallPieces = 1_024;
/** Bytes that `dump` reads by default rather than close the connection. */
const mostDumpedBytes = 131_072;

type End =
  | { readonly kind: "open" }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly error: unknown };

/** Who reads. `pull` waits for the next piece; `gather` wants all of them; `dump` wants none. */
type Reader =
  | { readonly kind: "none" }
  | {
      readonly kind: "gather";
      readonly resolve: (pieces: Buffer[]) => void;
      readonly reject: (error: unknown) => void;
    }
  | {
      readonly kind: "dump";
      left: number;
      readonly resolve: () => void;
      readonly reject: (error: unknown) => void;
    }
  | { readonly kind: "pull"; readonly waiting: Waiting[] };

interface Waiting {
  readonly resolve: (result: IteratorResult<Buffer, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const noReader: Reader = { kind: "none" };
const open: End = { kind: "open" };
const ended: End = { kind: "ended" };

/** The body of one response, as the program sees it. It can be read once, in one of these ways. */
export interface ResponseBody extends AsyncIterable<Buffer> {
  /** True once one of the ways to read it was chosen. */
  readonly used: boolean;
  /** All of it as UTF-8 text, without a byte order mark. Rejects as the request fails. */
  text(): Promise<string>;
  /** All of it as JSON. Rejects with a SyntaxError when it is none. */
  json(): Promise<unknown>;
  /** All of it, in memory of its own. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** All of it, in memory of its own. */
  arrayBuffer(): Promise<ArrayBuffer>;
  /** All of it as a Blob of the response's Content-Type. */
  blob(): Promise<Blob>;
  /**
   * Reads it to the end and throws it away, so that the connection can be used again. After `maxBytes`
   * (128 KiB when not given, `Infinity` for any number) the connection is closed instead. Resolves in both
   * cases; rejects as the request fails.
   */
  dump(options?: { readonly maxBytes?: number | undefined }): Promise<void>;
  /** Pieces as they come; leaving the loop early closes the connection, unless the body has ended. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined>;
  /** A Node stream of it. Destroying the stream early closes the connection, unless the body has ended. */
  toReadable(): Readable;
}

/** The body of one response, with the side to which its connection delivers. */
export class IncomingBody implements ResponseBody {
  readonly #owner: BodyOwner;
  readonly #contentType: () => string;
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  /** How many of the last pieces are small. */
  #smallCount = 0;
  #end: End = open;
  #reader: Reader = noReader;

  constructor(owner: BodyOwner, contentType: () => string) {
    this.#owner = owner;
    this.#contentType = contentType;
  }

  get used(): boolean {
    return this.#reader.kind !== "none";
  }

  async text(): Promise<string> {
    const bytes = join(await this.#gather());
    const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    return bytes.toString("utf8", hasMark ? 3 : 0);
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(join(await this.#gather()));
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  async blob(): Promise<Blob> {
    return new Blob((await this.#gather()) as Buffer<ArrayBuffer>[], { type: this.#contentType() });
  }

  dump(options: { readonly maxBytes?: number | undefined } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const { maxBytes = mostDumpedBytes } = options;
      const fault = wholeNumber(0, "or Infinity")(maxBytes);
      if (fault !== null) throw invalidOption("maxBytes", maxBytes, fault, "body.dump()");
      this.#use();
      if (this.#end.kind === "failed") reject(this.#end.error);
      else if (this.#end.kind === "ended") resolve();
      else {
        const left = maxBytes - this.#heldBytes;
        this.#reader = { kind: "dump", left, resolve, reject };
        this.#clear();
        if (left < 0) this.#giveUp();
        else this.#owner.resume();
      }
    });
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    this.#use();
    return {
      next: () => this.#pull(),
      return: async () => {
        this.#clear();
        if (this.#end.kind === "open") this.#giveUp();
        return { done: true, value: undefined };
      },
    };
  }

  toReadable(): Readable {
    const iterator = this[Symbol.asyncIterator]();
    return new Readable({
      highWaterMark: mostHeldBytes,
      read() {
        iterator.next().then(
          (result) => this.push(result.done === true ? null : result.value),
          (error: Error) => this.destroy(error),
        );
      },
      destroy(error, callback) {
        const finished = () => callback(error);
        iterator.return?.().then(finished, finished);
      },
    });
  }

  /** A piece that nobody else keeps. False: wait before reading more. */
  push(piece: Buffer): boolean {
    if (this.#end.kind !== "open") return true;
    const reader = this.#reader;
    switch (reader.kind) {
      case "dump":
        reader.left -= piece.length;
        if (reader.left < 0) this.#giveUp();
        return true;
      case "pull": {
        const first = reader.waiting.shift();
        if (first === undefined) break;
        first.resolve({ done: false, value: piece });
        return true;
      }
      case "none":
      case "gather":
        break;
      default:
        reader satisfies never;
    }
    this.#hold(piece);
    return reader.kind === "gather" || this.#heldBytes <= mostHeldBytes;
  }

  /** Keeps `piece`. Small ones are joined from time to time: a chunk of one byte takes the memory of 150. */
  #hold(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#heldBytes += piece.length;
    this.#smallCount = piece.length < smallBytes ? this.#smallCount + 1 : 0;
    if (this.#smallCount < mostSmallPieces) return;
    this.#smallCount = 0;
    this.#pieces.push(Buffer.concat(this.#pieces.splice(-mostSmallPieces)));
  }

  /** That was all. */
  end(): void {
    if (this.#end.kind !== "open") return;
    this.#end = ended;
    const reader = this.#reader;
    if (reader.kind === "gather") reader.resolve(this.#pieces);
    else if (reader.kind === "dump") reader.resolve();
    else if (reader.kind === "pull") {
      for (const each of reader.waiting) each.resolve({ done: true, value: undefined });
    }
  }

  /** There will be no more. Whoever reads now or later gets `error`, after what was held. */
  fail(error: unknown): void {
    if (this.#end.kind !== "open") return;
    this.#end = { kind: "failed", error };
    const reader = this.#reader;
    if (reader.kind === "gather" || reader.kind === "dump") {
      this.#clear();
      reader.reject(error);
    } else if (reader.kind === "pull") {
      for (const each of reader.waiting) each.reject(error);
    }
  }

  #gather(): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      this.#use();
      if (this.#end.kind === "failed") reject(this.#end.error);
      else if (this.#end.kind === "ended") resolve(this.#pieces);
      else {
        this.#reader = { kind: "gather", resolve, reject };
        this.#owner.resume();
        return;
      }
      this.#reader = { kind: "pull", waiting: [] };
    });
  }

  #pull(): Promise<IteratorResult<Buffer, undefined>> {
    const reader = this.#reader as Extract<Reader, { kind: "pull" }>;
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.#heldBytes -= piece.length;
      if (this.#end.kind === "open" && this.#heldBytes < mostHeldBytes) this.#owner.resume();
      return Promise.resolve({ done: false, value: piece });
    }
    if (this.#end.kind === "ended") return Promise.resolve({ done: true, value: undefined });
    if (this.#end.kind === "failed") return Promise.reject(this.#end.error);
    this.#owner.resume();
    return new Promise((resolve, reject) => {
      reader.waiting.push({ resolve, reject });
    });
  }

  #use(): void {
    if (this.used) throw new TypeError("the response body was read already: it can be read once");
    this.#reader = { kind: "pull", waiting: [] };
  }

  /** The rest is not wanted. */
  #giveUp(): void {
    this.end();
    this.#owner.cancel();
  }

  #clear(): void {
    this.#pieces = [];
    this.#smallCount = 0;
    this.#heldBytes = 0;
  }
}

function join(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}
