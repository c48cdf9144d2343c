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
  ResponseParseError,
  SocketClosedError,
} from "../core/errors.ts";
import { needsLook } from "../core/idle-window.ts";
import type { Pools } from "../core/pools.ts";
import type { ResendRefusal } from "../core/resend.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Address, Dialer, DialTimings, Route, RouteListener } from "../net/dial.ts";
import type { ConnectionUser, SocketBorrower } from "./connection-user.ts";
import type { HttpExchange } from "./exchange.ts";
import { closedMessage, refusalWords, withContext } from "./failures.ts";
import { parseKeepAlive } from "./keep-alive.ts";
import { pushCopy, ref, SocketLoan, unref } from "./loan.ts";
import { type ResponseHead, ResponseParser, type ResponseSink } from "./parser.ts";
import { RequestWriter, type WriterListener } from "./request-writer.ts";
import { disown, own, type SocketOwner } from "./socket-owner.ts";
import { atEndOfTurn, type TurnListener } from "./turn.ts";

/** What a connection needs from the client around it. */
export interface Http1World {
  readonly pools: Pools<ConnectionUser, Http1Connection>;
  readonly clock: Clock;
  readonly dialer: Dialer;
  /** Whether `connection` waits with others for the end of the turn, which it is told then; if not, it sends at once. */
  gather(connection: TurnListener, now: Msecs): boolean;
}

/** One socket, from the dial to its end. */
export class Http1Connection
  implements RouteListener, ResponseSink, WriterListener, TurnListener, SocketOwner
{
  /** The core's side of this connection. */
  readonly lease: Connection<ConnectionUser, Http1Connection>;
  /** Null until the connection is open, and again when the first response that was read here is over. */
  dialTimings: DialTimings | null = null;
  remoteAddress: string | undefined;
  #localPort: number | undefined;
  readonly #world: Http1World;
  #socket: Socket;
  #exchange: HttpExchange | null = null;
  /** Of the response to the exchange; null while there is none. */
  #parser: ResponseParser | null = null;
  /** Made when the socket is first lent: who has it in place of an exchange. */
  #loan: SocketLoan | null = null;
  readonly #writer: RequestWriter;
  /** Sees bytes that come unasked on a socket of somebody else's making; null for own ones, which `read` sees. */
  #guard: (() => void) | null = null;
  #isClosed = false;
  #isReferenced = false;
  /** The response that ended HTTP on this connection, until the read that brought it is over. */
  #tunnel: ResponseHead | null = null;
  /** The response is complete, and the read that completed it is not yet accounted for. */
  #isComplete = false;
  #isPaused = false;
  /** What came with the response that ended last may not have been read wholly, or a request is to be sent with others. */
  #isUnsettled = false;
  /** Who waits for that. */
  #heldBack: ConnectionUser | null = null;
  #error: Error | undefined;
  /** Time of the read that is being parsed. */
  #now: Msecs = 0;

  /** `address`: where to dial, unless the pool's route says it. */
  constructor(
    lease: Connection<ConnectionUser, Http1Connection>,
    address: Address | null,
    world: Http1World,
  ) {
    this.lease = lease;
    this.#world = world;
    const { route } = lease.pool.site;
    const socket =
      address === null ? (route as Route).dial(this) : world.dialer.dial(address, this);
    // Unless the right one was provided within.
    this.#socket ??= socket;
    // Whoever waits for it keeps the process alive; a dial that nobody waits for any more does not.
    unref(this.#socket);
    this.#writer = new RequestWriter(this.#socket, world, this);
  }

  /** Asked of the socket when somebody wants to know, since it keeps an object for the answer. */
  get localPort(): number | undefined {
    return this.#localPort ?? this.#socket.localPort;
  }

  /** Keeps it for those who may ask when the socket has ended. */
  noteLocalPort(): void {
    this.#localPort ??= this.#socket.localPort;
  }

  /** The socket, for those who look at it. */
  get socket(): Socket {
    return this.#socket;
  }

  /** Sends `exchange`, which has the lease. */
  send(exchange: HttpExchange, now: Msecs): void {
    this.#exchange = exchange;
    this.#reference();
    this.#parser = ResponseParser.take(this, exchange, this.lease.pool.origin);
    this.#parser.begin(exchange.method, exchange.asksForTunnel);
    this.#writer.reset();
    exchange.granted(this, now);
    // An abort may have come from within.
    if (this.#exchange !== exchange) return;
    if (!this.#mustWait(exchange, now)) this.#writer.begin(exchange, now);
  }

  /** Lends the socket to `borrower`, which has the lease, once it is known to be alive. */
  lend(borrower: SocketBorrower, now: Msecs): void {
    this.#loan ??= new SocketLoan(this, this.#socket, this.#world);
    this.#loan.borrower = borrower;
    this.#reference();
    if (this.#socket.destroyed) this.#loan.destroyed(borrower, now);
    else if (!this.#mustWait(borrower, now)) this.#loan.start(now);
  }

  /** The socket, which is the program's from now on: the pool counts it no more. */
  handOver(): Socket {
    this.#detach();
    this.#isClosed = true;
    disown(this.#socket);
    this.unguard();
    this.#reference();
    this.#world.pools.lost(this.lease, "handed-over", this.#world.clock());
    return this.#socket;
  }

  /** An idle socket does not keep the process alive. */
  restIfIdle(): void {
    const isInUse = this.#exchange !== null || (this.#loan?.borrower ?? null) !== null;
    if (isInUse || this.#isClosed || !this.#isReferenced) return;
    this.#isReferenced = false;
    unref(this.#socket);
  }

  /** Nobody has the socket: bytes that come now retire it. */
  guard(): void {
    if (this.#guard !== null) this.#socket.on("data", this.#guard);
  }

  /** Somebody else reads from the socket. */
  unguard(): void {
    if (this.#guard !== null) this.#socket.off("data", this.#guard);
  }

  /** All that came with the last response has been read, or others are sent now: the next request may go out. */
  turnEnded(): void {
    this.#isUnsettled = false;
    const user = this.#heldBack;
    this.#heldBack = null;
    if (user !== null) this.#beginLate(user);
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
    this.noteLocalPort();
    // At once, without waiting for the peer: a slow close must hold nothing up.
    this.#socket.destroy();
    if (exchange !== null) {
      const message = `the client was destroyed during a request to ${this.lease.pool.origin}`;
      exchange.failed(new ClientClosedError(message, this.#context(exchange)));
    }
  }

  provided(socket: Socket): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.#guard = () => {
      const now = this.#world.clock();
      const borrower = this.#loan?.borrower ?? null;
      if (borrower !== null) this.#loan?.unasked(borrower, now);
      else this.#world.pools.lost(this.lease, "unexpected-bytes", now);
    };
    unref(socket);
  }

  opened(timings: DialTimings, isResumed: boolean): void {
    if (this.#isClosed) return;
    const socket = this.#socket;
    this.guard();
    this.dialTimings = timings;
    this.remoteAddress = socket.remoteAddress; // which a socket that was reset does not know any more
    own(socket, this);
    // Where several addresses were tried, Node's handle is another one now, without the unref of the first.
    ref(socket);
    this.#isReferenced = true;
    const { connect: connectMsecs, tls: tlsMsecs } = timings;
    const facts = { capacity: 1, connectMsecs, tlsMsecs, tlsResumed: isResumed };
    this.#world.pools.dialed(this.lease, facts, this.#world.clock());
    this.restIfIdle();
  }

  socketFailed(error: Error): void {
    this.#error = error;
  }

  socketEnded(): void {
    // What a borrower sees of the end comes first for it.
    if (this.#loan?.isStarted !== true) this.#peerEnded();
  }

  socketClosed(): void {
    this.#peerEnded();
  }

  failed(cause: Error): void {
    this.#world.pools.dialFailed(this.lease, cause, this.#world.clock());
  }

  read(length: number, buffer: Buffer): boolean {
    const exchange = this.#exchange;
    const now = this.#world.clock();
    if (exchange === null) {
      if (this.#isClosed) return pushCopy(this.#socket, buffer, 0, length); // handed over
      const borrower = this.#loan?.borrower ?? null;
      if (borrower !== null) return (this.#loan as SocketLoan).read(borrower, buffer, length, now);
      this.#world.pools.lost(this.lease, "unexpected-bytes", now);
      return false;
    }
    // What comes before a byte of the request has gone out is no answer to it.
    if (!this.#writer.isWritten) {
      this.#cameUnasked(exchange, now);
      return false;
    }
    this.#now = now;
    let consumed: number;
    try {
      consumed = (this.#parser as ResponseParser).execute(buffer, 0, length);
    } catch (error) {
      this.#fail(error, "parse-error");
      // Anything else was thrown by a listener of the body's reader: it is the program's to see.
      if (!(error instanceof ResponseParseError)) throw error;
      return false;
    }
    if (this.#tunnel !== null) {
      this.#handOverTo(exchange, this.#tunnel, buffer.subarray(consumed, length));
    } else if (this.#isComplete) {
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
    if (this.#exchange !== null) this.#fail(error, "request-unfinished");
  }

  onInterim(head: ResponseHead): void {
    if (head.statusCode === 100) this.#writer.continueNow();
    this.#exchange?.interim(head);
  }

  onHead(head: ResponseHead): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    if (head.framing === "tunnel") {
      this.#tunnel = head;
      return;
    }
    this.#writer.forgetContinue();
    const { pool } = this.lease;
    // Servers answer Connection: close with the same: the reason is the one who said it first.
    if (exchange.closesConnection) pool.drain(this.lease, "keep-alive-off", this.#now);
    else if (!head.keepAlive) pool.drain(this.lease, "connection-close", this.#now);
    else if (head.keepAliveHeader !== null) {
      const { timeoutMsecs, furtherRequests } = parseKeepAlive(head.keepAliveHeader);
      pool.hinted(this.lease, timeoutMsecs, furtherRequests);
    }
    this.#world.pools.observer?.responded(exchange, head, this.#now);
    exchange.responded(head, this.#now);
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (this.#exchange?.received(buffer, start, end, this.#now) === false) this.#isPaused = true;
  }

  onEnd(rawTrailers: string[]): void {
    if (this.#tunnel !== null) return;
    this.#isComplete = true;
    // Over TLS, what was decrypted already still comes after the socket was told to stop, and may be the rest
    // of the response: the socket must read on for the next one.
    this.resume();
    if (this.#exchange !== null) this.#world.pools.observer?.ended(this.#exchange, this.#now);
    this.#exchange?.ended(rawTrailers, this.#now);
  }

  /** Whether what may have come for the connection is read first; then `user` begins by itself. */
  #mustWait(user: ConnectionUser, now: Msecs): boolean {
    if (needsLook(this.lease.lastIdleMsecs, user.isReplayable)) {
      // A turn may end before the sockets are looked at again, so that takes two. Not unref'd, and no timer:
      // either would let the loop wait for other events first.
      setImmediate(() => setImmediate(() => this.#beginLate(user)));
      return true;
    }
    this.#isUnsettled ||= this.#world.gather(this, now);
    if (this.#isUnsettled) this.#heldBack = user;
    return this.#isUnsettled;
  }

  #beginLate(user: ConnectionUser): void {
    if (this.#exchange === user) this.#writer.begin(this.#exchange, this.#world.clock());
    else if (this.#loan?.borrower === user) this.#loan.start(this.#world.clock());
  }

  /** HTTP has ended on this connection. What came behind the head is the first that is read from the socket. */
  #handOverTo(exchange: HttpExchange, head: ResponseHead, rest: Buffer): void {
    const socket = this.handOver();
    if (rest.length > 0) pushCopy(socket, rest, 0, rest.length);
    exchange.tunneled(head, socket);
  }

  /** The response has ended. The connection is free if the request has, too, and nothing follows. */
  #completed(hasMore: boolean, now: Msecs): void {
    this.#isComplete = false;
    this.dialTimings = null;
    const { isUnfinished } = this.#writer;
    const exchange = this.#detach();
    if (this.#isClosed || exchange === null) return;
    if (hasMore) this.#world.pools.lost(this.lease, "unexpected-bytes", now);
    else if (isUnfinished) this.#world.pools.lost(this.lease, "request-unfinished", now);
    else this.#world.pools.released(this.lease, exchange, now);
    this.restIfIdle();
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
      hasResponse: this.#parser?.started === true,
      isIdempotent: exchange.isIdempotent,
      canRepeatBody: exchange.canSendBody,
    };
    this.#detach();
    return this.#world.pools.failed(this.lease, exchange, attempt, reason, now);
  }

  #reference(): void {
    if (this.#isReferenced) return;
    this.#isReferenced = true;
    ref(this.#socket);
  }

  /** The peer closed, or the socket broke. */
  #peerEnded(): void {
    if (this.#isClosed) return;
    const exchange = this.#exchange;
    if (exchange === null) {
      const now = this.#world.clock();
      const borrower = this.#loan?.borrower ?? null;
      if (borrower !== null) this.#loan?.closed(borrower, now);
      // A program that had the socket once may have closed it.
      else if (this.#error === undefined && !this.#socket.readableEnded) {
        this.#world.pools.lost(this.lease, "socket-error", now);
      } else this.#world.pools.lost(this.lease, "server-closed", now);
      return;
    }
    this.#now = this.#world.clock();
    // A body that ends with the connection is complete now, unless the connection broke.
    const parser = this.#parser as ResponseParser;
    if (this.#error === undefined && parser.finish()) {
      this.#completed(false, this.#now);
      return;
    }
    const hasResponse = parser.started;
    const refusal = this.#interrupt(exchange, "socket-error", this.#now);
    if (refusal === null) return;
    const message = closedMessage(this.lease, hasResponse, refusal);
    this.lease.pool.tally.failed++;
    exchange.failed(
      new SocketClosedError(message, { ...this.#context(exchange), cause: this.#error }),
    );
  }

  #fail(error: unknown, reason: RetireReason): void {
    const exchange = this.#exchange;
    const told = exchange === null ? error : withContext(error, this.#context(exchange));
    this.#detach();
    this.#world.pools.lost(this.lease, reason, this.#world.clock());
    if (exchange !== null) this.lease.pool.tally.failed++;
    exchange?.failed(told);
  }

  #detach(): HttpExchange | null {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#parser?.giveBack();
    this.#parser = null;
    this.#loan?.void();
    this.#isPaused = false;
    this.#writer.stop();
    return exchange;
  }

  #context(exchange: HttpExchange): ErrorContext {
    const requestSent = this.#writer.isWritten || exchange.resending?.isSent === true;
    const { origin, service } = this.lease.pool;
    return { origin, service: service.name, lane: exchange.lane, requestSent };
  }
}
