/**
 * Speaks HTTP/1.1 on one socket: sends one request at a time, feeds the parser, and tells the core when
 * the socket is open, free or gone.
 * Invariant: the connection is released only on a clean message boundary, with the request fully written
 * and no byte left over; in every other case it is lost.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Clock, Msecs } from "../core/clock.ts";
import type { Connection } from "../core/connection.ts";
import {
  ClientClosedError,
  type ErrorContext,
  InvalidRequestError,
  ResponseParseError,
  SocketClosedError,
} from "../core/errors.ts";
import { needsLook } from "../core/idle-window.ts";
import type { Pools } from "../core/pools.ts";
import type { ResendRefusal } from "../core/resend.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Address, Dialer, DialListener, DialTimings } from "../net/dial.ts";
import type { HttpExchange } from "./exchange.ts";
import { parseKeepAlive } from "./keep-alive.ts";
import { type ResponseHead, ResponseParser, type ResponseSink } from "./parser.ts";
import { RequestWriter, type WriterListener } from "./request-writer.ts";
import { atEndOfTurn, type TurnListener } from "./turn.ts";

/** What a connection needs from the client around it. */
export interface Http1World {
  readonly pools: Pools<HttpExchange, Http1Connection>;
  readonly clock: Clock;
  readonly dialer: Dialer;
  /** The limit of requests made now to `origin`'s pool, for a connection that has none yet. */
  maxHeaderBytesOf(service: string): number;
}

/** Why a request that a connection failed was not sent again, where its caller could change that. */
const refusalWords: Readonly<Record<ResendRefusal, string>> = {
  "switched-off": '; not sent again: resend is "never"',
  "response-begun": "",
  "fresh-connection": "",
  "not-idempotent":
    "; not sent again: the server may have acted on it, unless it had an Idempotency-Key",
  "body-consumed": "; not sent again: its body was a stream, which can be read once",
};

/** One socket, from the dial to its end. */
export class Http1Connection implements DialListener, ResponseSink, WriterListener, TurnListener {
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
  readonly #writer: RequestWriter;
  #isClosed = false;
  #isReferenced = false;
  /** The response is complete, and the read that completed it is not yet accounted for. */
  #isComplete = false;
  #isPaused = false;
  /** What came with the response that ended last may not have been read wholly. */
  #isUnsettled = false;
  /** A request that waits for that. */
  #heldBack: HttpExchange | null = null;
  /** A byte came since the request was granted. */
  #hasResponse = false;
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
    const { service, origin } = lease.pool;
    const maxHeaderBytes = world.maxHeaderBytesOf(service.name);
    this.#maxHeaderBytes = maxHeaderBytes;
    this.#parser = new ResponseParser(this, { maxHeaderBytes }, origin);
    this.#socket = world.dialer.dial(address, this);
    // Whoever waits for it keeps the process alive; a dial that nobody waits for any more does not.
    this.#socket.unref();
    this.#writer = new RequestWriter(this.#socket, world, this);
  }

  /** Sends `exchange`, which has the lease. */
  send(exchange: HttpExchange, now: Msecs): void {
    this.#exchange = exchange;
    if (!this.#isReferenced) {
      this.#isReferenced = true;
      this.#socket.ref();
    }
    if (this.#maxHeaderBytes !== exchange.maxHeaderBytes) {
      this.#maxHeaderBytes = exchange.maxHeaderBytes;
      this.#parser = new ResponseParser(this, exchange, this.lease.pool.origin);
    }
    this.#parser.begin(exchange.method);
    this.#writer.reset();
    this.#hasResponse = false;
    exchange.granted(this, now);
    // An abort may have come from within.
    if (this.#exchange !== exchange) return;
    // A turn may end before the sockets are looked at again, so that takes two. Not unref'd, and no timer:
    // either would let the loop wait for other events first.
    if (needsLook(this.lease.lastIdleMsecs, exchange.isReplayable)) {
      setImmediate(() => setImmediate(() => this.#writeLate(exchange)));
    } else if (this.#isUnsettled) this.#heldBack = exchange;
    else this.#writer.begin(exchange, now);
  }

  /** All that came with the last response has been read: the next request may go out. */
  turnEnded(): void {
    this.#isUnsettled = false;
    const exchange = this.#heldBack;
    this.#heldBack = null;
    if (exchange !== null) this.#writeLate(exchange);
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
    // What comes before a byte of the request has gone out is no answer to it.
    if (!this.#writer.isWritten) {
      this.#cameUnasked(exchange, now);
      return false;
    }
    this.#now = now;
    this.#hasResponse = true;
    let consumed: number;
    try {
      consumed = this.#parser.execute(buffer, 0, length);
    } catch (error) {
      this.#fail(this.#withContext(error, exchange), "parse-error");
      // Anything else was thrown by a listener of the body's reader: it is the program's to see.
      if (!(error instanceof ResponseParseError)) throw error;
      return false;
    }
    if (this.#isComplete) {
      // Each TLS record is a read of its own, and a read that fills the buffer may be one of several: more
      // that has come is read before the loop turns, and must not find the next request written.
      if (length === buffer.length || this.#socket instanceof TLSSocket) {
        this.#isUnsettled = true;
        atEndOfTurn(this);
      }
      this.#completed(consumed < length, now);
    } else exchange.readOver(now);
    return !this.#isPaused;
  }

  requestFailed(error: unknown): void {
    const exchange = this.#exchange;
    if (exchange !== null) this.#fail(this.#withContext(error, exchange), "request-unfinished");
  }

  onInterim(head: ResponseHead): void {
    if (head.statusCode === 100) this.#writer.continueNow();
  }

  onHead(head: ResponseHead): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    const { pool } = this.lease;
    this.#writer.forgetContinue();
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
    // Over TLS, what was decrypted already still comes after the socket was told to stop, and may be the rest
    // of the response: the socket must read on for the next one.
    this.resume();
    this.#exchange?.ended(rawTrailers, this.#now);
  }

  #writeLate(exchange: HttpExchange): void {
    if (this.#exchange === exchange) this.#writer.begin(exchange, this.#world.clock());
  }

  /** The response has ended. The connection is free if the request has, too, and nothing follows. */
  #completed(hasMore: boolean, now: Msecs): void {
    this.#isComplete = false;
    const { isUnfinished } = this.#writer;
    const exchange = this.#detach();
    if (this.#isClosed || exchange === null) return;
    if (hasMore) this.#world.pools.lost(this.lease, "unexpected-bytes", now);
    else if (isUnfinished) this.#world.pools.lost(this.lease, "request-unfinished", now);
    else this.#world.pools.released(this.lease, exchange, now);
    this.#restIfIdle();
  }

  /** Bytes in place of an answer to a request that was not written yet: another connection gets it. */
  #cameUnasked(exchange: HttpExchange, now: Msecs): void {
    const refusal = this.#interrupt(exchange, "unexpected-bytes", now);
    if (refusal === null) return;
    this.lease.pool.tally.failed++;
    const problem = `bytes came before the request was sent${refusalWords[refusal]}`;
    exchange.failed(new ResponseParseError(problem, this.#context(exchange)));
  }

  /** The connection is of no use any more, before a response. Null: `exchange` goes to another one. */
  #interrupt(exchange: HttpExchange, reason: RetireReason, now: Msecs): ResendRefusal | null {
    const attempt = {
      mode: exchange.resendMode,
      isWritten: this.#writer.isWritten,
      hasResponse: this.#hasResponse,
      isIdempotent: exchange.isIdempotent,
      canRepeatBody: exchange.canSendBody,
    };
    this.#detach();
    return this.#world.pools.failed(this.lease, exchange, attempt, reason, now);
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
    const refusal = this.#interrupt(exchange, "socket-error", this.#now);
    if (refusal === null) return;
    const { requestCount, lastIdleMsecs } = this.lease;
    const story =
      requestCount > 1
        ? `request ${requestCount} on this connection, which had been idle for ${Math.round(lastIdleMsecs)} ms`
        : "first request on this connection";
    const message =
      `${this.lease.pool.origin} closed the connection ${when} ` +
      `(${story}${refusalWords[refusal]})`;
    this.lease.pool.tally.failed++;
    exchange.failed(
      new SocketClosedError(message, { ...this.#context(exchange), cause: this.#error }),
    );
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
    this.#writer.stop();
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
    const requestSent = this.#writer.isWritten || exchange.resending?.isSent === true;
    const { origin, service } = this.lease.pool;
    return { origin, service: service.name, lane: exchange.lane, requestSent };
  }
}
