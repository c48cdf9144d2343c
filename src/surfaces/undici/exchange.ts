/**
 * One request of a dispatcher, from `dispatch` to the last callback of its handler.
 * Invariant: the handler is told of one start and one end, its last callback is the end, and what it did not take yet
 * when it paused waits here. When the exchange is over it holds no deadline and no connection.
 *
 * While others are under way, what came with the head is handed on when the turn ends: the program, which waits for the head by a promise, has said by
 * then how it reads the body. A reader that is there takes it at once; where there is none yet, undici's `request` first puts
 * it into a stream, and that was a seventh of all the time of such a request.
 */
import type { Socket } from "node:net";
import { warnOfLeak } from "../../client/leaks.ts";
import { PreparedExchange } from "../../client/prepared-exchange.ts";
import type { ResolvedService } from "../../client/service-options.ts";
import { type Stage, stageWords } from "../../client/stage.ts";
import { WholeDeadline } from "../../client/whole-deadline.ts";
import type { Msecs } from "../../core/clock.ts";
import {
  BodyTimeoutError,
  type ErrorContext,
  HeadersTimeoutError,
  type KeeplineError,
  RequestTimeoutError,
} from "../../core/errors.ts";
import type { ResendMode } from "../../core/resend.ts";
import type { RetireReason } from "../../core/retire.ts";
import type { Http1Connection, Http1World } from "../../http1/connection.ts";
import type { HttpPool } from "../../http1/connection-user.ts";
import type { BodySource } from "../../http1/exchange.ts";
import type { ResponseHead } from "../../http1/parser.ts";
import type { TurnListener } from "../../http1/turn.ts";
import { DispatchError, toHandlerError } from "./errors.ts";
import type { Receiver, ReceiverOwner } from "./receiver.ts";
import type { DispatchRequest } from "./request.ts";
import type { Linked } from "./under-way.ts";

/** What an exchange needs from its client. */
export interface DispatchWorld extends Http1World {
  started(): void;
  finished(): void;
  /** The exchange waits for its handler, until it has `resumed`. */
  paused(): void;
  resumed(): void;
  /** Whether `exchange` is told at the end of the turn, and hands on then what comes with the head. */
  holdBody(exchange: TurnListener, now: Msecs): boolean;
}

/** Told what becomes of the exchanges of a dispatcher. */
export interface ExchangeListener {
  /** It is over. */
  ended(exchange: DispatchExchange): void;
  /** The last callback of its handler has thrown. */
  lost(error: unknown): void;
}

/** A request under way. */
export class DispatchExchange
  extends PreparedExchange
  implements ReceiverOwner, TurnListener, Linked<DispatchExchange>
{
  previous: DispatchExchange | null = null;
  next: DispatchExchange | null = null;
  readonly lane: string;
  readonly #world: DispatchWorld;
  readonly #service: ResolvedService;
  readonly #request: DispatchRequest;
  readonly #receiver: Receiver;
  readonly #listener: ExchangeListener;
  readonly #origin: string;
  #stage: Stage = "waiting";
  #connection: Http1Connection | null = null;
  #pool: HttpPool | null = null;
  #sentAt: Msecs = 0;
  #hasStarted = false;
  #bodyBytes = 0;
  /** The handler was told of the head in this turn, and what came with it waits. */
  #isFresh = false;
  /** The read that brought the head is over, and the response is not. */
  #isFirstReadOver = false;
  /** What came while the handler was paused, or with the head; null before anything did. */
  #held: Buffer[] | null = null;
  /** The response has ended, and the handler is not told yet. */
  #heldTrailers: readonly string[] | null = null;
  #whole: WholeDeadline | null = null;
  #pausedAt: Msecs = 0;
  #isReported = false;

  constructor(
    world: DispatchWorld,
    listener: ExchangeListener,
    origin: string,
    service: ResolvedService,
    lane: string,
    request: DispatchRequest,
    receiver: Receiver,
  ) {
    super(request);
    this.lane = lane;
    this.#world = world;
    this.#listener = listener;
    this.#origin = origin;
    this.#service = service;
    this.#request = request;
    this.#receiver = receiver;
  }

  get resendMode(): ResendMode {
    return this.#service.options.resend;
  }

  override get receivedBytes(): number {
    return this.#bodyBytes;
  }

  get maxHeaderBytes(): number {
    return this.#service.options.maxHeaderBytes;
  }

  get queueTimeoutMsecs(): null {
    return null;
  }

  override get asksForTunnel(): boolean {
    return this.#request.asksForTunnel;
  }

  /**
   * Begins: tells the handler, and asks `pool` for a connection. The handler is told before it has one, so that it can
   * give up a request that waits; and once, however often the request is sent again.
   */
  start(pool: HttpPool, now: Msecs): void {
    this.#world.started();
    this.#receiver.start(this);
    if (this.#isOver) return;
    const wholeMsecs =
      this.#service.lanes.get(this.lane)?.requestTimeoutMsecs ??
      this.#service.options.requestTimeoutMsecs;
    if (wholeMsecs !== Number.POSITIVE_INFINITY) {
      this.#whole = new WholeDeadline(this, wholeMsecs);
      this.latestAt = now + wholeMsecs;
      this.#world.pools.timers.set(this.#whole, this.latestAt, now);
    }
    this.#world.pools.acquire(pool, this, now);
  }

  override takeBody(): BodySource {
    const source = super.takeBody();
    return this.#receiver.wantsBodySent ? this.#watched(source) : source;
  }

  refused(error: KeeplineError): void {
    this.failed(error);
  }

  interrupted(): void {
    this.#stage = "waiting";
    this.#connection = null;
  }

  granted(connection: Http1Connection): void {
    this.#connection = connection;
    this.#pool = connection.lease.pool;
    this.#stage = "sending";
  }

  sent(now: Msecs): void {
    if (this.#stage === "sending") {
      this.#sentAt = now;
      this.#stage = "awaiting";
      this.#world.pools.timers.set(this, now + this.#headersTimeoutMsecs, now);
    }
    if (this.#isOver) return;
    const { body } = this;
    if (this.#receiver.wantsBodySent) {
      if (body.kind === "text") this.#receiver.bodySent(Buffer.from(body.text));
      else if (body.kind === "bytes") this.#receiver.bodySent(body.bytes);
    }
    if (!this.#isOver) this.#receiver.requestSent();
  }

  /** A server that reads nothing has as long as one that answers nothing. */
  uploading(isFlowing: boolean, bytes: number, now: Msecs): void {
    if (this.#stage !== "sending") return;
    this.#bodyBytes = bytes;
    if (isFlowing) this.#world.pools.timers.clear(this);
    else this.#world.pools.timers.set(this, now + this.#headersTimeoutMsecs, now);
  }

  override interim(head: ResponseHead): void {
    if (this.#isOver) return;
    if (this.#stage === "awaiting") {
      const now = this.#world.clock();
      this.#world.pools.timers.set(this, now + this.#headersTimeoutMsecs, now);
    }
    this.#begun();
    if (!this.#isOver) this.#receiver.head(head);
  }

  responded(head: ResponseHead, now: Msecs): void {
    if (this.#stage === "sending") this.#sentAt = now;
    this.#stage = "receiving";
    this.#bodyBytes = 0;
    this.place?.responded(now - this.#sentAt);
    this.#begun();
    if (this.#isOver) return;
    if (!this.#receiver.head(head)) this.#pause();
    if (this.#isOver) return;
    this.#isFresh = this.#world.holdBody(this, now);
  }

  /** The program has had its say about the body. */
  turnEnded(): void {
    if (!this.#isFresh) return;
    this.#isFresh = false;
    if (this.#stage !== "receiving") return;
    if (this.#receiver.isPaused) this.#pause();
    else this.#deliverHeld();
  }

  readOver(now: Msecs): void {
    // Most responses are whole after one read, and need no such deadline.
    if (this.#stage !== "receiving") return;
    this.#isFirstReadOver = true;
    this.#world.pools.timers.set(this, now + this.#bodyTimeoutMsecs, now);
  }

  received(buffer: Buffer, start: number, end: number): boolean {
    // A turn may have many reads of one socket: no more than the first of them is held.
    if (this.#isFirstReadOver) this.turnEnded();
    if (this.#isOver) return true;
    // The handler may keep it.
    const piece = Buffer.allocUnsafe(end - start);
    buffer.copy(piece, 0, start, end);
    this.#bodyBytes += piece.length;
    // It may have paused between two reads, too.
    if (this.#stage !== "paused" && this.#receiver.isPaused) this.#pause();
    const isPaused = this.#stage === "paused";
    if (!isPaused && !this.#isFresh) return this.#deliver(piece);
    this.#held ??= [];
    this.#held.push(piece);
    return !isPaused;
  }

  ended(rawTrailers: readonly string[]): void {
    if (this.#isOver) return;
    // The connection is another request's soon.
    this.#connection = null;
    if (this.#stage !== "paused" && this.#receiver.isPaused) this.#pause();
    if (this.#stage === "paused" || this.#isFresh) {
      this.#heldTrailers = rawTrailers;
      this.#world.pools.timers.clear(this); // The server has done its part.
      return;
    }
    this.#finish();
    this.#receiver.end(rawTrailers);
  }

  override tunneled(head: ResponseHead, socket: Socket): void {
    if (this.#isOver) {
      socket.destroy();
      return;
    }
    this.#connection = null;
    this.#begun();
    if (this.#isOver) {
      socket.destroy();
      return;
    }
    const now = this.#world.clock();
    this.#world.pools.observer?.responded(this, head, now);
    this.#world.pools.observer?.ended(this, now);
    this.#finish();
    this.#receiver.upgrade(head, socket);
  }

  failed(error: unknown): void {
    // What came before the failure is told first.
    this.turnEnded();
    if (this.#isOver) return;
    this.#world.pools.observer?.failed(this, error, this.#world.clock());
    this.#finish();
    this.#receiver.error(toHandlerError(error));
  }

  /** The handler takes more. */
  resume(): void {
    if (this.#stage !== "paused") return;
    this.#stage = "receiving";
    this.#isFresh = false; // It has had its say.
    this.#world.resumed();
    this.#deliverHeld();
    if (this.#stage !== "receiving") return;
    const now = this.#world.clock();
    this.#world.pools.timers.set(this, now + this.#bodyTimeoutMsecs, now);
    this.#connection?.resume();
  }

  /** The handler, or its dispatcher, gives up. */
  abort(reason: unknown): void {
    const error = reason ?? new DispatchError("AbortError", "Request aborted");
    this.#giveUp(error, "aborted");
  }

  lost(error: unknown): void {
    this.#listener.lost(error);
  }

  /** A timeout of the present stage has come. */
  override expireGranted(): void {
    const context = this.#context();
    switch (this.#stage) {
      case "sending":
      case "awaiting":
        this.#timedOut(new HeadersTimeoutError(this.#headersTimeoutMsecs, context));
        return;
      case "receiving": {
        const body = { side: "response", bytes: this.#bodyBytes } as const;
        this.#timedOut(new BodyTimeoutError(this.#bodyTimeoutMsecs, body, context));
        return;
      }
      case "paused":
        this.#leaked();
        return;
      case "waiting":
      case "over":
        return;
      default:
        this.#stage satisfies never;
    }
  }

  /** The whole request has taken too long. */
  wholeExpired(timeoutMsecs: Msecs): void {
    const words = stageWords[this.#stage];
    this.#timedOut(new RequestTimeoutError(timeoutMsecs, words, this.#context()));
  }

  /** Read anew each time: a callback may have ended the exchange. */
  get #isOver(): boolean {
    return this.#stage === "over";
  }

  /** The response has begun. */
  #begun(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    this.#receiver.responseStarted();
  }

  /** Until the handler pauses, or is told of the end. */
  #deliverHeld(): void {
    for (let piece = this.#held?.shift(); piece !== undefined; piece = this.#held?.shift()) {
      if (!this.#deliver(piece)) return;
    }
    if (this.#heldTrailers !== null) this.ended(this.#heldTrailers);
  }

  /** False when the handler wants no more for now, or at all. */
  #deliver(piece: Buffer): boolean {
    if (this.#receiver.data(piece)) return true;
    this.#pause();
    return false;
  }

  /** The handler is slow now, not the server, whose clock stands still. */
  #pause(): void {
    if (this.#stage !== "receiving") return;
    this.#stage = "paused";
    const now = this.#world.clock();
    this.#pausedAt = now;
    const { leakTimeoutMsecs } = this.#service.options;
    if (this.#isReported) this.#world.pools.timers.clear(this);
    else this.#world.pools.timers.set(this, now + leakTimeoutMsecs, now);
    this.#world.paused();
  }

  /** Nobody has read on for `leakTimeoutMsecs`: it is reported once, if it keeps a connection from others. */
  #leaked(): void {
    const connection = this.#connection;
    if (connection === null) return;
    this.#isReported = true;
    const { id, pool } = connection.lease;
    pool.tally.leaked.reported++;
    const { method, lane } = this;
    const where = { method, origin: this.#origin, service: this.#service.name, lane };
    const heldBytes = (this.#held ?? []).reduce((sum, piece) => sum + piece.length, 0);
    const now = this.#world.clock();
    const leak = { connectionId: id, msecs: now - this.#pausedAt, heldBytes, frames: null };
    this.#world.pools.observer?.leaked(this, leak, now);
    warnOfLeak({ ...where, ...leak, isNeverNoted: true });
  }

  #timedOut(error: KeeplineError): void {
    const pool = this.#pool ?? this.place?.pool ?? null;
    if (pool !== null) pool.tally.failed++;
    this.#giveUp(error, "timed-out");
  }

  #giveUp(error: unknown, reason: RetireReason): void {
    if (this.#isOver) return;
    const isPending = this.phase === "pending";
    const connection = this.#connection;
    this.#isFresh = false;
    this.failed(error);
    if (connection !== null) connection.abandon(this, reason);
    else if (isPending) this.#world.pools.cancel(this, this.#world.clock());
  }

  #finish(): void {
    if (this.#stage === "paused") this.#world.resumed();
    this.#stage = "over";
    // Its connection may have failed already, and be about to hand it to another one.
    if (this.phase === "granted") this.phase = "settled";
    this.#held = null;
    this.#world.pools.timers.clear(this);
    if (this.#whole !== null) this.#world.pools.timers.clear(this.#whole);
    this.discardBody();
    this.#world.finished();
    this.#listener.ended(this);
  }

  /** Tells the handler of the pieces of a body as they are asked for. */
  #watched(source: BodySource): BodySource {
    return {
      next: async () => {
        const piece = await source.next();
        if (piece.done !== true && !this.#isOver) {
          const { value } = piece;
          this.#receiver.bodySent(
            typeof value === "string" ? Buffer.from(value) : (value as Uint8Array),
          );
        }
        return piece;
      },
      cancel: () => source.cancel(),
    };
  }

  get #headersTimeoutMsecs(): Msecs {
    return this.#request.headersTimeoutMsecs ?? this.#service.options.headersTimeoutMsecs;
  }

  get #bodyTimeoutMsecs(): Msecs {
    return this.#request.bodyTimeoutMsecs ?? this.#service.options.bodyTimeoutMsecs;
  }

  #context(): ErrorContext {
    const requestSent = this.#stage !== "waiting" || this.resending?.isSent === true;
    return { origin: this.#origin, service: this.#service.name, lane: this.lane, requestSent };
  }
}
