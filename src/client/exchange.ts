/**
 * One request of `client.request`, from the call to the last byte of its response: its promise, its
 * timeouts, its signal and its times.
 * Invariant: the promise settles once; and when the exchange is over it holds no deadline, no listener
 * and no connection.
 */
import type { Msecs } from "../core/clock.ts";
import {
  BodyTimeoutError,
  type ErrorContext,
  HeadersTimeoutError,
  type KeeplineError,
  RequestTimeoutError,
} from "../core/errors.ts";
import type { ResendMode } from "../core/resend.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Http1Connection, Http1World } from "../http1/connection.ts";
import type { HttpPool } from "../http1/connection-user.ts";
import type { ResponseHead } from "../http1/parser.ts";
import { type Abortable, unwatchAbort, watchAbort } from "./abort.ts";
import { ClientBody } from "./body.ts";
import { Delivery } from "./delivery.ts";
import { type BodyOwner, IncomingBody } from "./incoming-body.ts";
import {
  type CallSite,
  LeakWatch,
  type Suspect,
  sawNeglectedBody,
  sawOpenBody,
  warnOfLeak,
} from "./leaks.ts";
import { PreparedExchange } from "./prepared-exchange.ts";
import type { PreparedRequest, RequestOptions } from "./request.ts";
import {
  ClientResponse,
  type ConnectionFacts,
  type ResponseOwner,
  type Timings,
} from "./response.ts";
import type { ResolvedService } from "./service-options.ts";
import { type Stage, stageWords } from "./stage.ts";
import { WholeDeadline } from "./whole-deadline.ts";

/** What an exchange needs from its client. */
export interface ExchangeWorld extends Http1World {
  /** The exchange is over, in whatever way. */
  finished(): void;
  /** The exchange waits for the program to read, until it has `resumed`. */
  paused(): void;
  resumed(): void;
}

/** How long the body of a response that the program has dropped may take to end by itself. */
const collectedMsecs: Msecs = 1_000;

/** What is left of a promise that is settled. */
const settled = (): void => {};

/**
 * A request under way. A while after the read that brought its head it references nothing of what the program
 * was given, unless a read is under way: else what the program drops would not be collected.
 */
export class Exchange
  extends PreparedExchange
  implements Abortable, BodyOwner, ResponseOwner, Suspect
{
  readonly resendMode: ResendMode;
  readonly lane: string;
  readonly #world: ExchangeWorld;
  readonly #options: RequestOptions;
  readonly #signal: AbortSignal | null;
  /** Its service when the request was made, whose options hold for all of it. */
  readonly #service: ResolvedService;
  #resolve: (response: ClientResponse) => void;
  #reject: (error: unknown) => void;
  /** Until it is handed to the body; null when it was not noted. */
  #callSite: CallSite | null;
  #stage: Stage = "waiting";
  /** Null while it waits. */
  #delivery: Delivery | null = null;
  #whole: WholeDeadline | null = null;

  constructor(
    world: ExchangeWorld,
    service: ResolvedService,
    lane: string,
    request: PreparedRequest,
    options: RequestOptions,
    callSite: CallSite | null,
    resolve: (response: ClientResponse) => void,
    reject: (error: unknown) => void,
  ) {
    super(request);
    this.#signal = options.signal ?? null;
    this.#service = service;
    this.lane = lane;
    this.resendMode = options.resend ?? service.options.resend;
    this.#world = world;
    this.#options = options;
    this.#callSite = callSite;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get queueTimeoutMsecs(): Msecs | null {
    return this.#options.queueTimeoutMsecs ?? null;
  }

  override get receivedBytes(): number | null {
    return this.#delivery?.bodyBytes ?? null;
  }

  get maxHeaderBytes(): number {
    return this.#service.options.maxHeaderBytes;
  }

  /** Begins: asks `pool` for a connection. */
  start(pool: HttpPool, now: Msecs): void {
    if (this.#signal !== null) watchAbort(this.#signal, this);
    const wholeMsecs = this.#requestTimeoutMsecs;
    if (wholeMsecs !== Number.POSITIVE_INFINITY) {
      this.#whole = new WholeDeadline(this, wholeMsecs);
      this.latestAt = now + wholeMsecs;
      this.#world.pools.timers.set(this.#whole, this.latestAt, now);
    }
    this.#world.pools.acquire(pool, this, now);
  }

  refused(error: KeeplineError): void {
    this.failed(error);
  }

  interrupted(): void {
    this.#stage = "waiting";
    this.#delivery = null;
  }

  granted(connection: Http1Connection, now: Msecs): void {
    this.#delivery = new Delivery(connection, now);
    this.#stage = "sending";
  }

  sent(now: Msecs): void {
    if (this.#stage !== "sending") return; // the response came first
    this.#got.sentAt = now;
    this.#stage = "awaiting";
    this.#world.pools.timers.set(this, now + this.#headersTimeoutMsecs, now);
  }

  uploading(isFlowing: boolean, bytes: number, now: Msecs): void {
    if (this.#stage !== "sending") return; // the response came first, and its own bytes are counted
    this.#got.bodyBytes = bytes;
    if (isFlowing) this.#world.pools.timers.clear(this);
    else this.#world.pools.timers.set(this, now + this.#bodyTimeoutMsecs, now);
  }

  responded(head: ResponseHead, now: Msecs): void {
    const delivery = this.#got;
    // A response that overtakes its request has no time to first byte.
    if (this.#stage === "sending") delivery.sentAt = now;
    this.#stage = "receiving";
    delivery.bodyBytes = 0;
    delivery.firstByteAt = now;
    this.place?.responded(now - delivery.sentAt);
    const body = new IncomingBody(this);
    const clientBody = new ClientBody(body, head);
    delivery.responseBody = body;
    delivery.clientBody = clientBody;
    this.#resolve(new ClientResponse(head, clientBody, this));
    // They hold the promise, and so the response.
    this.#resolve = this.#reject = settled;
  }

  readOver(now: Msecs): void {
    const delivery = this.#got;
    // Most responses are whole after one read, and need no such deadline.
    if (this.#stage === "receiving" && !delivery.isCollected) {
      this.#world.pools.timers.set(this, now + this.#bodyTimeoutMsecs, now);
    }
    const { responseBody, clientBody } = delivery;
    if (responseBody === null || clientBody === null) return;
    // The body did not come with its head: from here on its connection hangs on the program.
    delivery.clientBody = null;
    // And it may break, and its socket says nothing of itself then.
    delivery.connection.noteLocalPort();
    sawOpenBody(delivery.pool);
    const { leakTimeoutMsecs } = this.#service.options;
    if (this.#callSite !== null) ClientBody.keepCallSite(clientBody, this.#callSite);
    this.#callSite = null;
    const { timers } = this.#world.pools;
    delivery.watch = new LeakWatch(this, responseBody, clientBody, timers, leakTimeoutMsecs, now);
  }

  received(buffer: Buffer, start: number, end: number, now: Msecs): boolean {
    const delivery = this.#got;
    delivery.bodyBytes += end - start;
    const body = delivery.responseBody;
    // Read at once, or the first to wait: in both cases it is the program's turn from now on.
    if (delivery.watch !== null && body?.isNeglected === false) delivery.watch.turnAt = now;
    if (body?.receive(buffer, start, end) !== false) return true;
    if (delivery.isCollected) {
      this.#giveUpCollected();
      return true;
    }
    // The program is slow now, not the server: its clock stands still.
    this.#world.pools.timers.clear(this);
    if (this.#stage === "receiving") {
      this.#stage = "paused";
      this.#world.paused();
    }
    return false;
  }

  ended(rawTrailers: string[], now: Msecs): void {
    if (this.#stage === "over") return;
    const delivery = this.#got;
    delivery.rawTrailers = rawTrailers;
    delivery.endedAt = now;
    this.#finish();
    delivery.responseBody?.end();
  }

  failed(error: unknown): void {
    if (this.#stage === "over") return;
    this.#world.pools.observer?.failed(this, error, this.#world.clock());
    this.#finish();
    const body = this.#delivery?.responseBody ?? null;
    if (body === null) this.#reject(error);
    else body.fail(error);
  }

  /** The body's reader wants more. */
  resume(): void {
    if (this.#stage === "paused") {
      this.#stage = "receiving";
      this.#world.resumed();
    }
    if (this.#stage !== "receiving") return;
    const now = this.#world.clock();
    this.#world.pools.timers.set(this, now + this.#bodyTimeoutMsecs, now);
    this.#got.connection.resume();
  }

  /** The body's reader took a piece that had waited. */
  taken(): void {
    const watch = this.#delivery?.watch ?? null;
    if (watch !== null) watch.turnAt = this.#world.clock();
  }

  /** The body's reader wants no more. */
  cancel(): void {
    this.#giveUp(null, "body-unread");
  }

  neglected(): void {
    if (this.#delivery !== null) sawNeglectedBody(this.#delivery.pool);
  }

  leaked(msecs: Msecs, frames: string | null): void {
    const delivery = this.#delivery;
    const body = delivery?.responseBody ?? null;
    if (delivery === null || body === null) return;
    const { id, pool } = delivery.connection.lease;
    pool.tally.leaked.reported++;
    const { method, lane } = this;
    const { heldBytes } = body;
    const { name: service } = this.#service;
    const where = { method, origin: pool.origin, service, lane };
    const leak = { connectionId: id, msecs, heldBytes, frames };
    this.#world.pools.observer?.leaked(this, leak, this.#world.clock());
    warnOfLeak({ ...where, ...leak });
  }

  collected(): void {
    this.#got.isCollected = true;
    if (this.#stage === "paused") this.#giveUpCollected();
    // What is small is about to end by itself, and leaves a connection that can be used.
    else if (this.#stage === "receiving") {
      const now = this.#world.clock();
      this.#world.pools.timers.set(this, now + collectedMsecs, now);
    }
  }

  #giveUpCollected(): void {
    this.#got.pool.tally.leaked.collected++;
    this.#giveUp(null, "body-collected");
  }

  /** A timeout of the present stage has come. */
  override expireGranted(): void {
    const context = this.#context();
    switch (this.#stage) {
      case "awaiting": {
        const timeoutMsecs = this.#headersTimeoutMsecs;
        this.#timedOut(new HeadersTimeoutError(timeoutMsecs, context));
        return;
      }
      case "sending":
      case "receiving": {
        if (this.#got.isCollected) {
          this.#giveUpCollected();
          return;
        }
        const side = this.#stage === "sending" ? "request" : "response";
        const body = { side, bytes: this.#got.bodyBytes } as const;
        const timeoutMsecs = this.#bodyTimeoutMsecs;
        this.#timedOut(new BodyTimeoutError(timeoutMsecs, body, context));
        return;
      }
      case "waiting":
      case "paused":
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

  get connectionFacts(): ConnectionFacts {
    return this.#got.connectionFacts;
  }

  get rawTrailers(): readonly string[] {
    return this.#got.rawTrailers;
  }

  get resends(): number {
    return this.resending?.count ?? 0;
  }

  get timings(): Timings {
    return this.#got.timings(this.enqueuedAt);
  }

  aborted(reason: unknown): void {
    this.#giveUp({ error: reason }, "aborted");
  }

  #timedOut(error: KeeplineError): void {
    const pool = this.#delivery?.pool ?? this.place?.pool ?? null;
    if (pool !== null) pool.tally.failed++;
    this.#giveUp({ error }, "timed-out");
  }

  /** Ends the exchange from this side. `failure` null: nobody is to be told. */
  #giveUp(failure: { readonly error: unknown } | null, reason: RetireReason): void {
    if (this.#stage === "over") return;
    const wasWaiting = this.#stage === "waiting";
    const connection = this.#delivery?.connection ?? null;
    if (failure === null) {
      this.#world.pools.observer?.failed(this, null, this.#world.clock());
      this.#finish();
    } else this.failed(failure.error);
    if (connection !== null) connection.abandon(this, reason);
    else if (wasWaiting) {
      this.#world.pools.cancel(this, this.#world.clock());
    }
  }

  #finish(): void {
    if (this.#stage === "paused") this.#world.resumed();
    this.#stage = "over";
    // Its connection may have failed already, and be about to hand it to another one.
    if (this.phase === "granted") this.phase = "settled";
    this.#world.pools.timers.clear(this);
    if (this.#whole !== null) this.#world.pools.timers.clear(this.#whole);
    this.#callSite = null;
    const delivery = this.#delivery;
    if (delivery !== null) {
      delivery.watch?.end();
      delivery.watch = delivery.clientBody = null;
    }
    if (this.#signal !== null) unwatchAbort(this.#signal, this);
    this.discardBody();
    this.#world.finished();
  }

  /** What it has got so far. Only from the grant on. */
  get #got(): Delivery {
    return this.#delivery as Delivery;
  }

  // One each: to look up an option by a variable was 0.15 µs of each request in a profile.
  get #headersTimeoutMsecs(): Msecs {
    return this.#options.headersTimeoutMsecs ?? this.#service.options.headersTimeoutMsecs;
  }

  get #bodyTimeoutMsecs(): Msecs {
    return this.#options.bodyTimeoutMsecs ?? this.#service.options.bodyTimeoutMsecs;
  }

  get #requestTimeoutMsecs(): Msecs {
    const { lanes, options } = this.#service;
    return (
      this.#options.requestTimeoutMsecs ??
      lanes.get(this.lane)?.requestTimeoutMsecs ??
      options.requestTimeoutMsecs
    );
  }

  #context(): ErrorContext {
    const requestSent = this.#delivery !== null || this.resending?.isSent === true;
    const origin = this.place?.pool.origin;
    return { origin, service: this.#service.name, lane: this.lane, requestSent };
  }
}
