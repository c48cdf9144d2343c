/**
 * Reads the responses of one connection, one after another (RFC 9112): finds where each part of a
 * message begins and ends, and hands it on at once. It keeps no body byte, never reads past the end of
 * a message, and whatever is not exactly HTTP/1.1 ends it with `ResponseParseError`.
 */
import { ResponseParseError } from "../core/errors.ts";
import { ChunkReader } from "./chunked.ts";
import { FieldScanner } from "./fields.ts";
import { type ResponseHead, readHead, readTrailers } from "./head.ts";
import { keepHead, recentHead } from "./recent-heads.ts";

export type { ResponseHead } from "./head.ts";

/** What receives a response, in this order: interim heads, head, body, end. Called synchronously. */
export interface ResponseSink {
  /** A 1xx response other than 101: the final one is still to come. */
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
  /** The next bytes of the body, at least one. A view, valid only during the call: copy what is to be kept. */
  onBody(buffer: Buffer, start: number, end: number): void;
  /**
   * The message is complete, and so is the parser's work: it may be given the next request here.
   * `rawTrailers` is flat, like `rawHeaders`; without trailers it is a frozen array that all share.
   */
  onEnd(rawTrailers: string[]): void;
}

/** What a server may make the parser read and hold. */
export interface ParserLimits {
  /**
   * Bound on the bytes of all heads of a response together, of its trailer section, and of its chunk
   * extensions, each for itself. `Infinity` means none.
   */
  readonly maxHeaderBytes: number;
}

type Phase = "idle" | "head" | "length" | "chunked" | "trailers" | "close" | "complete" | "failed";

/** How a record of that type begins (RFC 8446, section 5.1): what TLS servers answer to plain HTTP. */
const TLS_ALERT = 21;
const tlsFault = "a TLS alert in place of a status line: is it to be https:?";

const noTrailers = Object.freeze<string[]>([]) as string[];

/** Parsers that no connection needs now: between two responses a connection has none, and there may be thousands of those. */
const spares: ResponseParser[] = [];
const mostSpares = 128;
const nobody: ResponseSink = { onInterim() {}, onHead() {}, onBody() {}, onEnd() {} };

/** A response parser: `begin` for each request, `execute` for what arrives. */
export class ResponseParser {
  #sink: ResponseSink;
  #origin: string;
  readonly #scanner: FieldScanner;
  readonly #limitBytes: number;
  #phase: Phase = "idle";
  #method = "";
  #asksForTunnel = false;
  /** What its head means depends on its bytes alone. */
  #isPlain = true;
  /** Bytes given for this response, those that `execute` is about to look at included. */
  #givenBytes = 0;
  /** Body bytes still to come, by Content-Length. */
  #lengthBytes = 0;
  /** Made when the first chunked body comes. */
  #chunks: ChunkReader | null = null;
  #trailers = noTrailers;
  #failure: unknown;

  /** A parser to be given back. */
  static take(sink: ResponseSink, limits: ParserLimits, origin: string): ResponseParser {
    const spare = spares.pop();
    if (spare === undefined || spare.#limitBytes !== limits.maxHeaderBytes) {
      return new ResponseParser(sink, limits, origin);
    }
    spare.#sink = sink;
    spare.#origin = origin;
    return spare;
  }

  /** No longer needed by who took it. Of no use to others either, if it is not between two responses. */
  giveBack(): void {
    if (this.#phase !== "idle" || spares.length === mostSpares) return;
    this.#sink = nobody;
    spares.push(this);
  }

  /** `origin` is named in errors. */
  constructor(sink: ResponseSink, limits: ParserLimits, origin: string) {
    this.#sink = sink;
    this.#origin = origin;
    this.#limitBytes = limits.maxHeaderBytes;
    this.#scanner = new FieldScanner(limits.maxHeaderBytes);
  }

  /** True when no response is expected: before the first `begin`, and from each `onEnd` on. */
  get idle(): boolean {
    return this.#phase === "idle";
  }

  /** True when a byte of the current response, or of an interim one before it, has come. */
  get started(): boolean {
    return this.#givenBytes > 0;
  }

  /** Expects one response to a request with `method`, which may end HTTP here if it `asksForTunnel`. Throws when the last one is not complete. */
  begin(method: string, asksForTunnel = false): void {
    if (this.#phase !== "idle") throw new Error(`a response is under way (${this.#phase})`);
    this.#method = method;
    this.#asksForTunnel = asksForTunnel;
    this.#isPlain = !asksForTunnel && method !== "HEAD" && method !== "CONNECT";
    this.#phase = "head";
    this.#scanner.startHead();
  }

  /**
   * Takes the bytes of `buffer` from `start` to `end`, or to the end of the response that is expected.
   * Returns the index of the first byte not taken: `start` when none is expected.
   *
   * Throws `ResponseParseError`, and what a callback of the sink throws; then again with every call. What
   * `onEnd` throws is passed on only: the response was complete.
   */
  execute(buffer: Buffer, start: number, end: number): number {
    if (this.#phase === "idle") return start;
    if (this.#phase === "failed") throw this.#failure;
    this.#givenBytes += end - start;
    let at: number;
    try {
      at = this.#advance(buffer, start, end);
    } catch (error) {
      this.#phase = "failed";
      this.#failure = error;
      throw error;
    }
    // Nothing of the parser is touched after onEnd: the next response may be under way.
    if ((this.#phase as Phase) === "complete") this.#end();
    return at;
  }

  /**
   * The peer ended the connection. Completes a body that ends so, with `onEnd`. Returns false when a
   * response is missing or incomplete, or the parser failed; true when nothing is missing.
   */
  finish(): boolean {
    if (this.#phase === "close") this.#end();
    else if (this.#phase !== "idle") return false;
    return true;
  }

  #advance(buffer: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end) {
      switch (this.#phase) {
        case "head":
          at = this.#takeHead(buffer, at, end);
          break;
        case "length": {
          const stop = end - at > this.#lengthBytes ? at + this.#lengthBytes : end;
          this.#lengthBytes -= stop - at;
          if (this.#lengthBytes === 0) this.#phase = "complete";
          this.#sink.onBody(buffer, at, stop);
          at = stop;
          break;
        }
        case "chunked":
          at = this.#takeChunks(buffer, at, end);
          break;
        case "trailers":
          at = this.#scanner.scan(buffer, at, end);
          if (this.#scanner.fault !== null) this.#fail(this.#scanner.fault, end - at);
          if (this.#scanner.done) this.#takeTrailers(end - at);
          break;
        case "close":
          this.#sink.onBody(buffer, at, end);
          return end;
        default:
          return at;
      }
    }
    return at;
  }

  #takeHead(buffer: Buffer, from: number, end: number): number {
    // Nothing of the response came before.
    const isFirst = this.#isPlain && this.#givenBytes === end - from;
    const known = isFirst ? recentHead(buffer, from, end) : null;
    if (known !== null && known.headBytes <= this.#limitBytes) {
      // What was found is another one as soon as something else is read.
      const { head, headBytes } = known;
      this.#begin(head);
      return from + headBytes;
    }
    const at = this.#scanner.scan(buffer, from, end);
    if (this.#scanner.fault !== null) {
      const isTls = this.#givenBytes === end - at && buffer[at] === TLS_ALERT;
      this.#fail(isTls ? tlsFault : this.#scanner.fault, end - at);
    }
    if (!this.#scanner.done) return at;
    const head = readHead(this.#scanner, this.#method, this.#asksForTunnel);
    this.#scanner.release();
    if (typeof head === "string") this.#fail(head, end - at);
    if (head.statusCode < 200 && head.framing !== "tunnel") {
      this.#scanner.startNextHead();
      this.#sink.onInterim(head);
      return at;
    }
    if (isFirst) keepHead(head, buffer, from, at, end);
    this.#begin(head);
    return at;
  }

  /** Tells of the final head: what follows is the body. */
  #begin(head: ResponseHead): void {
    switch (head.framing) {
      case "none":
      case "tunnel":
        this.#phase = "complete";
        break;
      case "length":
        this.#lengthBytes = head.contentLength;
        this.#phase = head.contentLength === 0 ? "complete" : "length";
        break;
      case "chunked":
        this.#chunks ??= new ChunkReader(this.#limitBytes);
        this.#chunks.start();
        this.#phase = "chunked";
        break;
      case "close":
        this.#phase = "close";
        break;
    }
    this.#sink.onHead(head);
  }

  /** Takes framing, then data if there is any. */
  #takeChunks(buffer: Buffer, from: number, end: number): number {
    const chunks = this.#chunks!;
    let at = from;
    if (chunks.dataBytes === 0) {
      at = chunks.read(buffer, at, end);
      if (chunks.fault !== null) this.#fail(chunks.fault, end - at);
      if (chunks.done) {
        this.#phase = "trailers";
        this.#scanner.startTrailers();
      }
    }
    const stop = end - at > chunks.dataBytes ? at + chunks.dataBytes : end;
    if (stop > at && chunks.dataBytes > 0) {
      chunks.dataBytes -= stop - at;
      this.#sink.onBody(buffer, at, stop);
      at = stop;
    }
    return at;
  }

  #takeTrailers(restBytes: number): void {
    const trailers = readTrailers(this.#scanner);
    this.#scanner.release();
    if (typeof trailers === "string") this.#fail(trailers, restBytes);
    this.#trailers = trailers.length === 0 ? noTrailers : trailers;
    this.#phase = "complete";
  }

  #end(): void {
    const trailers = this.#trailers;
    this.#trailers = noTrailers;
    this.#givenBytes = 0;
    this.#phase = "idle";
    this.#sink.onEnd(trailers);
  }

  /** `restBytes` counts the bytes given from the faulty one on. */
  #fail(problem: string, restBytes: number): never {
    const offset = this.#givenBytes - restBytes;
    throw new ResponseParseError(`${problem}, at byte ${offset} of the response`, {
      origin: this.#origin,
    });
  }
}
