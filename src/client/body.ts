/**
 * The program's side of a response body: read once, in one of several ways.
 * Invariant: a program that can still read the body holds its `ClientBody`, be it through an iterator or a
 * stream; so when that is collected, nobody will.
 */
import type { FileHandle } from "node:fs/promises";
import { Readable, type Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { invalidOption, wholeNumber } from "../core/rules.ts";
import type { ResponseHead } from "../http1/parser.ts";
import { type IncomingBody, mostHeldBytes, smallBytes } from "./incoming-body.ts";
import type { CallSite } from "./leaks.ts";
import { sinkFor } from "./sink.ts";
import { giveBack } from "./spare-memory.ts";

/** Bytes that `dump` reads by default rather than close the connection. */
const mostDumpedBytes = 131_072;
const byteOrderMark = 0xfeff;

/** The body of one response, as the program sees it. It can be read once, in one of these ways. */
export interface ResponseBody extends AsyncIterable<Buffer> {
  /** True once one of the ways to read it was chosen. */
  readonly used: boolean;
  /**
   * All of it as UTF-8 text, without a byte order mark. Rejects as the request fails, and with a RangeError where it is longer than a string
   * can be: then the connection is closed.
   */
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
  /**
   * Has `each` look at all bytes as they come, without a copy of them: **they are there during the call only**, and what
   * comes next is written over them. So `each` must not be async: what returns a promise is refused, with a TypeError.
   * Resolves at the end of the body. Rejects as the request fails, or with what `each` throws, which closes the connection.
   */
  forEachChunk(each: (bytes: Uint8Array) => void): Promise<void>;
  /**
   * Writes it to a file or a stream, at its pace. A stream is ended then; a file is written from its present position and
   * stays open. Files and sockets are written from two buffers that are used again and again; what goes to other
   * streams, which may keep it, is copied. Resolves when all of it is written, and rejects as the request or the writing
   * fails; the connection is closed when that is before the end of the body.
   */
  pipeTo(destination: FileHandle | Writable): Promise<void>;
  /** A Node stream of it. Destroying the stream early closes the connection, unless the body has ended. */
  toReadable(): Readable;
}

/** What `response.body` is. Nothing on the pool's side references it, but a read that is under way. */
export class ClientBody implements ResponseBody {
  readonly #incoming: IncomingBody;
  readonly #head: Pick<ResponseHead, "rawHeaders">;
  #callSite: CallSite | null = null;

  /** `head`: asked for its fields when they are needed. */
  constructor(incoming: IncomingBody, head: Pick<ResponseHead, "rawHeaders">) {
    this.#incoming = incoming;
    this.#head = head;
  }

  /** Has `body` keep `callSite`, which must not outlive it: see `CallSite`. */
  static keepCallSite(body: ClientBody, callSite: CallSite): void {
    body.#callSite = callSite;
  }

  /** What `body` was given to keep. */
  static callSiteOf(body: ClientBody): CallSite | null {
    return body.#callSite;
  }

  get used(): boolean {
    return this.#incoming.used;
  }

  text(): Promise<string> {
    return this.#incoming.hasEnded ? this.#whole(textOf) : this.#decoded();
  }

  json(): Promise<unknown> {
    return this.#incoming.hasEnded ? this.#whole(jsonOf) : this.#decoded().then(JSON.parse);
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#whole(bytesOf);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  blob(): Promise<Blob> {
    const type = contentType(this.#head.rawHeaders);
    return this.#whole((pieces) => new Blob(pieces as Buffer<ArrayBuffer>[], { type }));
  }

  async dump(options: { readonly maxBytes?: number | undefined } = {}): Promise<void> {
    const { maxBytes = mostDumpedBytes } = options;
    const fault = wholeNumber(0, "or Infinity")(maxBytes);
    if (fault !== null) throw invalidOption("maxBytes", maxBytes, fault, "body.dump()");
    await this.#incoming.dump(this, maxBytes);
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    this.#incoming.use();
    return {
      next: () => this.#incoming.pull(this),
      return: async () => {
        this.#incoming.leave();
        return { done: true, value: undefined };
      },
    };
  }

  async forEachChunk(each: (bytes: Uint8Array) => void): Promise<void> {
    if (typeof each !== "function") {
      const fault = { nature: "TypeError", allowed: "a function" } as const;
      throw invalidOption("each", each, fault, "body.forEachChunk()");
    }
    await this.#incoming.borrow(this, (bytes) => {
      const result: unknown = each(bytes);
      if (result instanceof Promise) {
        result.catch(() => {}); // the TypeError is what the program is told
        throw new TypeError(
          "body.forEachChunk() takes no async function: the bytes are there during the call only",
        );
      }
      return true;
    });
  }

  async pipeTo(destination: FileHandle | Writable): Promise<void> {
    const sink = sinkFor(destination, () => this.#incoming.borrowOn());
    try {
      await this.#incoming.borrow(this, (bytes) => sink.take(bytes));
      await sink.end();
    } catch (error) {
      sink.abort(error);
      throw error;
    }
  }

  /** Its text: what comes from now on is decoded where it lies. */
  #decoded(): Promise<string> {
    const text = new Text();
    const read = this.#incoming.borrow(this, (bytes) => text.take(bytes));
    return read.then(() => text.end());
  }

  /** What `make` makes of all of it. A body that has come already, as most have with their heads, is not waited for. */
  #whole<T>(make: (pieces: readonly Buffer[]) => T): Promise<T> {
    const pieces = this.#incoming.takeEnded();
    if (pieces === null) return this.#incoming.gather(this).then(make);
    try {
      return Promise.resolve(make(pieces));
    } catch (error) {
      return Promise.reject(error);
    }
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
}

/** The value of the Content-Type field; empty when there is none. Of several the first counts, as in `headers`. */
function contentType(rawHeaders: readonly string[]): string {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === "content-type") return rawHeaders[index + 1] ?? "";
  }
  return "";
}

function withoutMark(text: string): string {
  return text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text;
}

/** UTF-8 that comes in pieces, as text without a byte order mark. */
class Text {
  readonly #decoder = new StringDecoder("utf8");
  #text = "";
  /** Small pieces, together: decoded one by one, each would be an object of its own in the text. */
  #small: Buffer | null = null;
  #smallBytes = 0;

  /** Takes the next bytes, of which nothing is kept but a copy: true, for more are welcome. */
  take(bytes: Buffer): true {
    if (bytes.length < smallBytes) {
      this.#small ??= Buffer.allocUnsafe(16 * smallBytes);
      if (this.#smallBytes + bytes.length > this.#small.length) this.#decodeSmall();
      this.#smallBytes += bytes.copy(this.#small, this.#smallBytes);
    } else {
      this.#decodeSmall();
      this.#text += this.#decoder.write(bytes);
    }
    return true;
  }

  /** All of it. */
  end(): string {
    this.#decodeSmall();
    return withoutMark(this.#text + this.#decoder.end());
  }

  #decodeSmall(): void {
    if (this.#small === null || this.#smallBytes === 0) return;
    this.#text += this.#decoder.write(this.#small.subarray(0, this.#smallBytes));
    this.#smallBytes = 0;
  }
}

function textOf(pieces: readonly Buffer[]): string {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) {
    const text = withoutMark(first.toString("utf8"));
    giveBack(first);
    return text;
  }
  const text = new Text();
  for (const piece of pieces) {
    text.take(piece);
    giveBack(piece);
  }
  return text.end();
}

function jsonOf(pieces: readonly Buffer[]): unknown {
  return JSON.parse(textOf(pieces));
}

/** In memory of its own: a piece may share its memory with others. */
function bytesOf(pieces: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  let byteLength = 0;
  for (const piece of pieces) byteLength += piece.length;
  const { buffer } = Buffer.allocUnsafeSlow(byteLength);
  const bytes = new Uint8Array(buffer);
  let start = 0;
  for (const piece of pieces) {
    bytes.set(piece, start);
    start += piece.length;
    giveBack(piece);
  }
  return bytes;
}
