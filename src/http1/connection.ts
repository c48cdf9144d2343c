/**
 * Speaks HTTP/1.1 on one socket: sends one request at a time, feeds the parser, and tells the core when
 * the socket is open, free or gone.
 * Invariant: the connection is released only on a clean message boundary, with the request fully written
 * and no byte left over; in every other case it is lost.
 */
import type { Socket } from "node:net";
import type { Clock, Msecs } from "../core/clock.ts";
import type { Connection } from "../core/connection.ts";
import {
  ClientClosedError,
  type ErrorContext,
  InvalidRequestError,
  ResponseParseError,
  SocketClosedError,
} from "../core/errors.ts";
import type { Pools } from "../core/pools.ts";
import type { RetireReason } from "../core/retire.ts";
import { Deadline } from "../core/timers.ts";
import type { Address, Dialer, DialListener, DialTimings } from "../net/dial.ts";
import { BodyWriter, type BodyWriterListener, sourceOf } from "./body-writer.ts";
import type { BodySource, HttpExchange } from "./exchange.ts";
import { parseKeepAlive } from "./keep-alive.ts";
import { type ResponseHead, ResponseParser, type ResponseSink } from "./parser.ts";

/** What a connection needs from the client around it. */
export interface Http1World {
  readonly pools: Pools<HttpExchange, Http1Connection>;
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly maxHeaderBytes: number;
}

/** A body up to this size is copied behind its head, for one write and one packet. */
const joinedBytes = 16_384;
/** A larger body is written piece by piece, like a stream: whether the server reads it is known only so. */
const wholeBytes = 65_536;

/** How long a body waits for `100 Continue` before it is sent all the same (RFC 9110, section 10.1.1). */
const continueMsecs: Msecs = 1_000;

/** One socket, from the dial to its end. */
export class Http1Connection implements DialListener, ResponseSink, BodyWriterListener {
  /** The core's side of this connection. */
  readonly lease: Connection<HttpExchange, Http1Connection>;
  /** Null until the connection is open. */
  dialTimings: DialTimings | null = null;
  localPort: number | undefined;
  remoteAddress: string | undefined;
  readonly #world: Http1World;
  readonly #socket: Socket;
  #parser: ResponseParser;
  #maxHeaderBytes: number;
  #exchange: HttpExchange | null = null;
  /** What of the request body is still to be written. */
  #writer: BodyWriter | null = null;
  #continue: ContinueDeadline | null = null;
  #isClosed = false;
  #isReferenced = false;
  /** The response is complete, and the read that completed it is not yet accounted for. */
  #isComplete = false;
  #isPaused = false;
  #error: Error | undefined;
  /** Time of the read that is being parsed. */
  #now: Msecs = 0;

  constructor(
    lease: Connection<HttpExchange, Http1Connection>,
    address: Address,
    world: Http1World,
  ) {
    this.lease = lease;
    this.#world = world;
    this.#maxHeaderBytes = world.maxHeaderBytes;
    this.#parser = new ResponseParser(this, world, lease.pool.origin);
    this.#socket = world.dialer.dial(address, this);
    // Whoever waits for it keeps the process alive; a dial that nobody waits for any more does not.
    this.#socket.unref();
  }

  /** Sends `exchange`, which has the lease. */
  send(exchange: HttpExchange, now: Msecs): void {
    this.#exchange = exchange;
    if (!this.#isReferenced) {
      this.#isReferenced = true;
      this.#socket.ref();
    }
    if (this.#maxHeaderBytes !== this.#world.maxHeaderBytes) {
      this.#maxHeaderBytes = this.#world.maxHeaderBytes;
      this.#parser = new ResponseParser(this, this.#world, this.lease.pool.origin);
    }
    this.#parser.begin(exchange.method);
    exchange.granted(this, now);
    // An abort may have come from within.
    if (this.#exchange !== exchange) return;
    if (exchange.expectsContinue && exchange.body.kind !== "none") {
      this.#socket.write(exchange.head, "latin1");
      this.#continue = new ContinueDeadline(this);
      this.#world.pools.timers.set(this.#continue, now + continueMsecs, now);
      return;
    }
    this.#writeRequest(exchange, exchange.head, now);
  }

  /** The exchange gives up: its connection cannot be used any more. */
  abandon(exchange: HttpExchange, reason: RetireReason): void {
    if (this.#exchange !== exchange) return;
    this.#detach();
    this.#world.pools.lost(this.lease, reason, this.#world.clock());
  }

  /** The consumer of the response body wants more. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#isClosed) this.#socket.resume();
  }

  /** Closes the socket: the core has retired the connection. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const exchange = this.#detach();
    // At once, without waiting for the peer: a slow close must hold nothing up.
    this.#socket.destroy();
    if (exchange !== null) {
      const message = `the client was destroyed during a request to ${this.lease.pool.origin}`;
      exchange.failed(new ClientClosedError(message, this.#context(exchange)));
    }
  }

  opened(timings: DialTimings, isResumed: boolean): void {
    if (this.#isClosed) return;
    const socket = this.#socket;
    this.dialTimings = timings;
    this.localPort = socket.localPort;
    this.remoteAddress = socket.remoteAddress;
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("end", () => this.#peerEnded());
    socket.on("close", () => this.#peerEnded());
    // Where several addresses were tried, Node's handle is another one now, without the unref of the first.
    socket.ref();
    this.#isReferenced = true;
    const facts = {
      capacity: 1,
      connectMsecs: timings.connect,
      tlsMsecs: timings.tls,
      tlsResumed: isResumed,
    };
    this.#world.pools.dialed(this.lease, facts, this.#world.clock());
    this.#restIfIdle();
  }

  failed(cause: Error): void {
    this.#world.pools.dialFailed(this.lease, cause, this.#world.clock());
  }

  read(length: number, buffer: Buffer): boolean {
    const exchange = this.#exchange;
    const now = this.#world.clock();
    if (exchange === null) {
      this.#world.pools.lost(this.lease, "unexpected-bytes", now);
      return false;
    }
    this.#now = now;
    let consumed: number;
    try {
      consumed = this.#parser.execute(buffer, 0, length);
    } catch (error) {
      this.#fail(this.#withContext(error, exchange), "parse-error");
      // Anything else was thrown by a listener of the body's reader: it is the program's to see.
      if (!(error instanceof ResponseParseError)) throw error;
      return false;
    }
    if (this.#isComplete) this.#completed(consumed < length, now);
    return !this.#isPaused;
  }

  onInterim(head: ResponseHead): void {
    if (head.statusCode === 100) this.continueNow();
  }

  onHead(head: ResponseHead): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    const { pool } = this.lease;
    // A final response in place of 100 Continue: the body is not sent, however long the response takes.
    if (this.#continue !== null) this.#world.pools.timers.clear(this.#continue);
    // Servers answer Connection: close with the same: the reason is the one who said it first.
    if (exchange.closesConnection) pool.drain(this.lease, "keep-alive-off", this.#now);
    else if (!head.keepAlive) pool.drain(this.lease, "connection-close", this.#now);
    else if (head.keepAliveHeader !== null) {
      const { timeoutMsecs, furtherRequests } = parseKeepAlive(head.keepAliveHeader);
      pool.hinted(this.lease, timeoutMsecs, furtherRequests);
    }
    exchange.responded(head, this.#now);
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (this.#exchange?.received(buffer, start, end, this.#now) === false) this.#isPaused = true;
  }

  onEnd(rawTrailers: string[]): void {
    this.#isComplete = true;
    this.#isPaused = false;
    this.#exchange?.ended(rawTrailers, this.#now);
  }

  bodyFlowing(isFlowing: boolean, bytes: number): void {
    this.#exchange?.uploading(isFlowing, bytes, this.#world.clock());
  }

  bodyWritten(): void {
    this.#writer = null;
    this.#exchange?.sent(this.#world.clock());
  }

  bodyFailed(error: unknown): void {
    this.#writer = null;
    const exchange = this.#exchange;
    if (exchange !== null) this.#fail(this.#withContext(error, exchange), "request-unfinished");
  }

  /** `100 Continue` came, or was waited for long enough: the body goes out. */
  continueNow(): void {
    const exchange = this.#exchange;
    if (this.#continue === null || exchange === null) return;
    this.#world.pools.timers.clear(this.#continue);
    this.#continue = null;
    this.#writeRequest(exchange, "", this.#world.clock());
  }

  #writeRequest(exchange: HttpExchange, head: string, now: Msecs): void {
    const socket = this.#socket;
    const { body } = exchange;
    switch (body.kind) {
      case "none":
        socket.write(head, "latin1");
        break;
      case "text":
        // As many bytes as characters: ASCII, which Latin-1 and UTF-8 write alike.
        if (body.byteLength === body.text.length && body.byteLength <= wholeBytes) {
          socket.write(head + body.text, "latin1");
          break;
        }
        this.#writeBytes(exchange, head, Buffer.from(body.text), now);
        return;
      case "bytes":
        this.#writeBytes(exchange, head, body.bytes, now);
        return;
      case "stream":
        this.#writeStream(head, body.open(), body.byteLength);
        return;
      default:
        body satisfies never;
    }
    exchange.sent(now);
  }

  #writeBytes(exchange: HttpExchange, head: string, bytes: Uint8Array, now: Msecs): void {
    if (bytes.length > wholeBytes) {
      this.#writeStream(head, sourceOf(bytes), bytes.length);
      return;
    }
    if (bytes.length <= joinedBytes) {
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
    exchange.sent(now);
  }

  #writeStream(head: string, source: BodySource, byteLength: number | null): void {
    // To open a source runs the program's code: an abort may have come from within.
    if (this.#exchange === null) {
      source.cancel();
      return;
    }
    if (head !== "") this.#socket.write(head, "latin1");
    this.#writer = new BodyWriter(this.#socket, source, byteLength, this);
    void this.#writer.run();
  }

  /** The response has ended. The connection is free if the request has, too, and nothing follows. */
  #completed(hasMore: boolean, now: Msecs): void {
    this.#isComplete = false;
    const isUnfinished =
      this.#writer !== null || this.#continue !== null || this.#socket.writableLength > 0;
    this.#detach();
    if (this.#isClosed) return;
    if (hasMore) this.#world.pools.lost(this.lease, "unexpected-bytes", now);
    else if (isUnfinished) this.#world.pools.lost(this.lease, "request-unfinished", now);
    else this.#world.pools.released(this.lease, now);
    this.#restIfIdle();
  }

  /** An idle socket does not keep the process alive. */
  #restIfIdle(): void {
    if (this.#exchange !== null || this.#isClosed || !this.#isReferenced) return;
    this.#isReferenced = false;
    this.#socket.unref();
  }

  /** The peer closed, or the socket broke. */
  #peerEnded(): void {
    if (this.#isClosed) return;
    const exchange = this.#exchange;
    if (exchange === null) {
      this.#world.pools.lost(this.lease, "server-closed", this.#world.clock());
      return;
    }
    this.#now = this.#world.clock();
    // A body that ends with the connection is complete now, unless the connection broke.
    if (this.#error === undefined && this.#parser.finish()) {
      this.#completed(false, this.#now);
      return;
    }
    const when = this.#parser.started ? "before the response was complete" : "before it responded";
    const { requestCount, lastIdleMsecs } = this.lease;
    const story =
      requestCount > 1
        ? `request ${requestCount} on this connection, which had been idle for ${Math.round(lastIdleMsecs)} ms`
        : "first request on this connection";
    const message = `${this.lease.pool.origin} closed the connection ${when} (${story})`;
    const error = new SocketClosedError(message, {
      ...this.#context(exchange),
      cause: this.#error,
    });
    this.#fail(error, "socket-error");
  }

  #fail(error: unknown, reason: RetireReason): void {
    const exchange = this.#detach();
    this.#world.pools.lost(this.lease, reason, this.#world.clock());
    if (exchange === null) return;
    this.lease.pool.tally.failed++;
    exchange.failed(error);
  }

  #detach(): HttpExchange | null {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#isPaused = false;
    this.#writer?.stop();
    this.#writer = null;
    if (this.#continue !== null) {
      this.#world.pools.timers.clear(this.#continue);
      this.#continue = null;
      // It was never asked for a piece.
      if (exchange?.body.kind === "stream") exchange.body.open().cancel();
    }
    return exchange;
  }

  /** The parser and the writer of bodies do not know which request they work for. */
  #withContext(error: unknown, exchange: HttpExchange): unknown {
    const context = this.#context(exchange);
    if (error instanceof ResponseParseError) return new ResponseParseError(error.problem, context);
    if (error instanceof InvalidRequestError)
      return new InvalidRequestError(error.message, context);
    return error;
  }

  #context(exchange: HttpExchange): ErrorContext {
    const { origin } = this.lease.pool;
    return { origin, service: "default", lane: exchange.lane, requestSent: true };
  }
}

/** The end of the wait for `100 Continue`. */
class ContinueDeadline extends Deadline {
  readonly #connection: Http1Connection;

  constructor(connection: Http1Connection) {
    super();
    this.#connection = connection;
  }

  override expire(): void {
    this.#connection.continueNow();
  }
}
