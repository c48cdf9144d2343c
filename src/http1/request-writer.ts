/**
 * Writes one request at a time to one socket: its head, and its body in one write, in pieces, or after
 * `100 Continue`.
 * Invariant: `isWritten` is false only if the socket took no byte of the request.
 */
import type { Socket } from "node:net";
import type { Clock, Msecs } from "../core/clock.ts";
import type { Observer } from "../core/observer.ts";
import { Deadline, type Timers } from "../core/timers.ts";
import { BodyWriter, type BodyWriterListener, sourceOf } from "./body-writer.ts";
import type { BodySource, HttpExchange } from "./exchange.ts";

/** What a writer needs from the client around it. */
export interface WriterWorld {
  readonly pools: {
    readonly timers: Timers;
    readonly observer: Pick<Observer<HttpExchange, unknown>, "sent"> | null;
  };
  readonly clock: Clock;
}

/** Told that a request cannot be written to its end. */
export interface WriterListener {
  /** The body's source failed, or lied about its length. */
  requestFailed(error: unknown): void;
}

/** A body up to this size is copied behind its head, for one write and one packet. */
const joinedBytes = 16_384;
/** A larger body is written piece by piece, like a stream: whether the server reads it is known only so. */
const wholeBytes = 65_536;

/** The kernel has room for as much, head and body, when nothing else is on its way. */
const smallBytes = 32_768;

/** How long a body waits for `100 Continue` before it is sent all the same (RFC 9110, section 10.1.1). */
const continueMsecs: Msecs = 1_000;

/** The way out of one connection. */
export class RequestWriter implements BodyWriterListener {
  /** A byte of the request may have left this machine. */
  isWritten = false;
  readonly #socket: Socket;
  readonly #world: WriterWorld;
  readonly #listener: WriterListener;
  #exchange: HttpExchange | null = null;
  /** What of the request body is still to be written. */
  #writer: BodyWriter | null = null;
  #continue: ContinueDeadline | null = null;
  /** All of the request went into one write that the kernel has room for, as nothing else is on its way. */
  #isSmall = false;

  constructor(socket: Socket, world: WriterWorld, listener: WriterListener) {
    this.#socket = socket;
    this.#world = world;
    this.#listener = listener;
  }

  /** True while some of the request waits to be written. */
  get isUnfinished(): boolean {
    if (this.#writer !== null || this.#continue !== null) return true;
    // TLS tells a turn later what was written, and the response may be faster.
    return !this.#isSmall && this.#socket.writableLength > 0;
  }

  /** A request is granted, of which nothing is written yet. */
  reset(): void {
    this.isWritten = false;
    this.#isSmall = false;
  }

  /** Writes `exchange`. */
  begin(exchange: HttpExchange, now: Msecs): void {
    this.#exchange = exchange;
    if (exchange.expectsContinue && exchange.body.kind !== "none") {
      this.#socket.write(exchange.head, "latin1");
      this.isWritten = !this.#hasRefused();
      this.#continue = new ContinueDeadline(this);
      this.#world.pools.timers.set(this.#continue, now + continueMsecs, now);
      return;
    }
    this.#write(exchange, exchange.head, now);
  }

  /** Writes no more. */
  stop(): void {
    this.#exchange = null;
    this.#writer?.stop();
    this.#writer = null;
    if (this.#continue !== null) this.#world.pools.timers.clear(this.#continue);
    this.#continue = null;
  }

  /** A final response came in place of `100 Continue`: the body is not sent, however long the response takes. */
  forgetContinue(): void {
    if (this.#continue !== null) this.#world.pools.timers.clear(this.#continue);
  }

  /** `100 Continue` came, or was waited for long enough: the body goes out. */
  continueNow(): void {
    const exchange = this.#exchange;
    if (this.#continue === null || exchange === null) return;
    this.#world.pools.timers.clear(this.#continue);
    this.#continue = null;
    this.#write(exchange, "", this.#world.clock());
  }

  bodyFlowing(isFlowing: boolean, bytes: number): void {
    this.#exchange?.uploading(isFlowing, bytes, this.#world.clock());
  }

  bodyWritten(): void {
    this.#writer = null;
    if (this.#exchange !== null) this.#tell(this.#exchange, this.#world.clock());
  }

  bodyFailed(error: unknown): void {
    this.#writer = null;
    if (this.#exchange !== null) this.#listener.requestFailed(error);
  }

  #write(exchange: HttpExchange, head: string, now: Msecs): void {
    const { body } = exchange;
    switch (body.kind) {
      case "none":
        this.#isSmall = head.length <= smallBytes;
        this.#socket.write(head, "latin1");
        break;
      case "text":
        // As many bytes as characters: ASCII, which Latin-1 and UTF-8 write alike.
        if (body.byteLength === body.text.length && body.byteLength <= wholeBytes) {
          this.#isSmall = head.length + body.byteLength <= smallBytes;
          this.#socket.write(head + body.text, "latin1");
          break;
        }
        this.#writeBytes(exchange, head, Buffer.from(body.text), now);
        return;
      case "bytes":
        this.#writeBytes(exchange, head, body.bytes, now);
        return;
      case "stream":
        this.#writeStream(head, () => exchange.takeBody(), body.byteLength);
        return;
      default:
        body satisfies never;
    }
    this.#sent(exchange, now);
  }

  #sent(exchange: HttpExchange, now: Msecs): void {
    if (this.#hasRefused()) return;
    this.isWritten = true;
    this.#tell(exchange, now);
  }

  #tell(exchange: HttpExchange, now: Msecs): void {
    this.#world.pools.observer?.sent(exchange, now);
    exchange.sent(now);
  }

  #writeBytes(exchange: HttpExchange, head: string, bytes: Uint8Array, now: Msecs): void {
    if (bytes.length > wholeBytes) {
      this.#writeStream(head, () => sourceOf(bytes), bytes.length);
      return;
    }
    if (bytes.length <= joinedBytes) {
      this.#isSmall = head.length + bytes.length <= smallBytes;
      const joined = Buffer.allocUnsafe(head.length + bytes.length);
      joined.write(head, 0, "latin1");
      joined.set(bytes, head.length);
      this.#socket.write(joined);
    } else {
      this.#socket.cork();
      if (head !== "") this.#socket.write(head, "latin1");
      this.#socket.write(bytes);
      this.#socket.uncork();
    }
    this.#sent(exchange, now);
  }

  #writeStream(head: string, open: () => BodySource, byteLength: number | null): void {
    if (head !== "") {
      this.#socket.write(head, "latin1");
      if (this.#hasRefused()) return;
      this.isWritten = true;
    }
    const source = open();
    // To open a source runs the program's code: an abort may have come from within.
    if (this.#exchange === null) {
      source.cancel();
      return;
    }
    this.#writer = new BodyWriter(this.#socket, source, byteLength, this);
    void this.#writer.run();
  }

  /** The kernel took nothing of the first write: the socket was reset, and its end is about to be told. */
  #hasRefused(): boolean {
    return this.#socket.errored !== null && !this.isWritten;
  }
}

/** The end of the wait for `100 Continue`. */
class ContinueDeadline extends Deadline {
  readonly #writer: RequestWriter;

  constructor(writer: RequestWriter) {
    super();
    this.#writer = writer;
  }

  override expire(): void {
    this.#writer.continueNow();
  }
}
