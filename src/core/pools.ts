/**
 * All pools of one client: the core's entrance. Every event of the world comes in here with the time it
 * happened at, and after each one the pools that it touched are looked at again until nothing changes.
 */
import { Budget } from "./budget.ts";
import type { Msecs, Random } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { ClientClosedError } from "./errors.ts";
import type { CoreOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import { type DialFacts, Pool } from "./pool.ts";
import type { Port, Warmer } from "./port.ts";
import { type FailedAttempt, type ResendRefusal, resendRefusal } from "./resend.ts";
import type { RetireReason } from "./retire.ts";
import { Timers } from "./timers.ts";

/** A timer that fires no later than this was on time. */
const onTimeMsecs: Msecs = 50;

/** The pools, their shared budget and their deadlines. */
export class Pools<R extends PendingRequest, T> {
  readonly port: Port<R, T>;
  readonly random: Random;
  readonly timers: Timers;
  readonly budget: Budget<R, T>;
  nextConnectionId = 1;
  nextSequence = 1;
  /** When a socket last had something to say: later, nothing was heard of any. */
  heardAt: Msecs = 0;
  /** True from `close` on: connections are kept for pending requests only. */
  isClosing = false;
  #isDestroyed = false;
  #options: CoreOptions;
  readonly #byOrigin = new Map<string, Pool<R, T>>();
  /** Pools to review. */
  readonly #touched: Pool<R, T>[] = [];
  /** Shared budgets in which a permit or an idle connection may have become free for those who wait. */
  readonly #offered = new Set<Budget<R, T>>();
  #isSettling = false;

  constructor(options: CoreOptions, port: Port<R, T>, random: Random) {
    this.#options = options;
    this.port = port;
    this.random = random;
    this.timers = new Timers((at) => port.wakeAt(at));
    this.budget = new Budget("maxTotalSockets", options.maxTotalSockets, null);
  }

  get options(): CoreOptions {
    return this.#options;
  }

  get all(): IterableIterator<Pool<R, T>> {
    return this.#byOrigin.values();
  }

  get size(): number {
    return this.#byOrigin.size;
  }

  /** The pool of `origin`, made when there is none. */
  pool(origin: string, now: Msecs): Pool<R, T> {
    const known = this.#byOrigin.get(origin);
    if (known !== undefined) return known;
    this.#makeRoom(now);
    const meanwhile = this.#byOrigin.get(origin); // asked for by the port while room was made
    if (meanwhile !== undefined) return meanwhile;
    const pool = new Pool<R, T>(this, origin, this.#options, this.budget, now);
    this.#byOrigin.set(origin, pool);
    return pool;
  }

  /** Asks for a connection. Ends in `port.grant` or `port.refuse`, now or later, unless it is cancelled. */
  acquire(pool: Pool<R, T>, request: R, now: Msecs): void {
    if (this.isClosing) {
      this.#refuseClosed(pool, request);
      return;
    }
    (pool.isDropped ? this.pool(pool.origin, now) : pool).acquire(request, now);
    this.#settle(now);
  }

  /** A pending request gives up. Nothing is called back; nothing happens when it is not pending. */
  cancel(request: R, now: Msecs): void {
    request.pool?.cancel(request);
    this.#settle(now);
  }

  dialed(connection: Connection<R, T>, facts: DialFacts, now: Msecs): void {
    this.heardAt = now;
    connection.pool.dialed(connection, facts, now);
    this.#settle(now);
  }

  dialFailed(connection: Connection<R, T>, cause: unknown, now: Msecs): void {
    this.heardAt = now;
    connection.pool.dialFailed(connection, cause, now);
    this.#settle(now);
  }

  /** A response was read wholly, and its request written wholly. */
  released(connection: Connection<R, T>, now: Msecs): void {
    this.heardAt = now;
    connection.pool.released(connection, now);
    this.#settle(now);
  }

  /** The transport is gone or must not be used any more, whatever it was doing. */
  lost(connection: Connection<R, T>, reason: RetireReason, now: Msecs): void {
    this.heardAt = now;
    connection.pool.retire(connection, reason, now);
    this.#settle(now);
  }

  /**
   * The transport failed under `request`, which has its lease, and is retired for `reason`. Returns why the request is not sent again:
   * then the driver tells it. Null: it is, and has a connection or waits for one.
   */
  failed(
    connection: Connection<R, T>,
    request: R,
    attempt: Omit<FailedAttempt, "isReused">,
    reason: RetireReason,
    now: Msecs,
  ): ResendRefusal | null {
    const { pool } = connection;
    // One that was opened ahead of demand has been idle, too, and so may have been closed for it.
    const isReused = connection.requestCount > 1 || connection.lastIdleMsecs > 0;
    const refusal = resendRefusal({ ...attempt, isReused });
    this.heardAt = now;
    if (!attempt.hasResponse) pool.idle.failed(connection, now);
    pool.retire(connection, reason, now);
    // To let go of its body runs the program's code, which may have ended it meanwhile.
    if (refusal === null && request.phase === "granted") {
      if (this.#isDestroyed) {
        request.interrupted();
        this.#refuseClosed(pool, request);
      } else {
        const present = pool.isDropped ? this.pool(pool.origin, now) : pool;
        present.resend(request, connection, attempt.isWritten, now);
      }
    }
    this.#settle(now);
    return refusal;
  }

  /** No further request gets `connection`; it is retired when the present ones end. */
  drain(connection: Connection<R, T>, reason: RetireReason, now: Msecs): void {
    connection.pool.drain(connection, reason, now);
    this.#settle(now);
  }

  /** Opens connections ahead of demand. */
  warm(pool: Pool<R, T>, warmer: Warmer, now: Msecs): void {
    if (this.isClosing) {
      const context = { origin: pool.origin, service: "default" };
      warmer.failed(new ClientClosedError("the client is closed", context));
      return;
    }
    (pool.isDropped ? this.pool(pool.origin, now) : pool).warm(warmer, now);
    this.#settle(now);
  }

  /** Time has passed: deadlines that are due expire. */
  tick(now: Msecs): void {
    // A timer that is on time says that the event loop ran until then.
    const dueAt = this.timers.nextAt;
    if (now - dueAt < onTimeMsecs) this.heardAt = Math.max(this.heardAt, dueAt);
    this.timers.advance(now);
    this.#settle(now);
  }

  /** Takes new limits, for pools that there are and for those to come. */
  configure(options: CoreOptions, now: Msecs): void {
    this.#options = options;
    this.budget.limit = options.maxTotalSockets;
    for (let idle = this.budget.idle.longest; idle !== null; idle = this.budget.idle.longest) {
      if (this.budget.open <= this.budget.limit) break;
      idle.pool.retire(idle, "max-sockets", now);
    }
    for (const pool of this.#byOrigin.values()) pool.configure(options, now);
    this.#offered.add(this.budget);
    this.#settle(now);
  }

  /** No new requests. Idle connections go at once, others when no pending request needs them. */
  close(now: Msecs): void {
    this.isClosing = true;
    for (const pool of this.#byOrigin.values()) pool.close(now);
    this.#settle(now);
  }

  /** Refuses all pending requests and retires all connections, at once. */
  destroy(now: Msecs): void {
    this.isClosing = true;
    this.#isDestroyed = true;
    for (const pool of this.#byOrigin.values()) pool.destroy("client-closed", now);
    this.#settle(now);
  }

  /** For pools: `pool` needs a review. */
  touch(pool: Pool<R, T>): void {
    if (pool.isTouched) return;
    pool.isTouched = true;
    this.#touched.push(pool);
  }

  /** For pools: something under `budget` became free for others. */
  offer(budget: Budget<R, T>): void {
    for (let each = budget.parent; each !== null; each = each.parent) {
      if (each.waiting.size > 0) this.#offered.add(each);
    }
  }

  /** For pools: `pool` has been empty for a while. */
  drop(pool: Pool<R, T>): void {
    pool.isDropped = true;
    this.timers.clear(pool);
    this.#byOrigin.delete(pool.origin);
  }

  #refuseClosed(pool: Pool<R, T>, request: R): void {
    request.phase = "settled";
    const context = { origin: pool.origin, service: "default", lane: request.lane };
    this.port.refuse(request, new ClientClosedError("the client is closed", context));
  }

  /** Reviews what was touched until nothing is left. Events that come meanwhile add to the same work. */
  #settle(now: Msecs): void {
    if (this.#touched.length === 0 && this.#offered.size === 0) return;
    if (this.#isSettling) return;
    this.#isSettling = true;
    try {
      for (;;) {
        const pool = this.#touched.pop();
        if (pool !== undefined) {
          pool.isTouched = false;
          pool.review(now);
          continue;
        }
        const [budget] = this.#offered;
        if (budget === undefined) return;
        this.#offered.delete(budget);
        this.#serveWaiting(budget, now);
      }
    } finally {
      this.#isSettling = false;
    }
  }

  /** The pool that has waited longest dials, or finds that it still cannot. */
  #serveWaiting(budget: Budget<R, T>, now: Msecs): void {
    if (budget.isFull && budget.idle.longest === null) return;
    const first = budget.firstWaiting();
    if (first === null) return;
    const before = first.rank;
    first.pool.review(now);
    // It moved on, so there may be more for it or for the next.
    if (budget.firstWaiting()?.rank !== before) this.#offered.add(budget);
  }

  /** Keeps to `maxOrigins` by letting the pool go that has been quiet for longest. Busy pools stay. */
  #makeRoom(now: Msecs): void {
    while (this.#byOrigin.size >= this.#options.maxOrigins) {
      let quiet: Pool<R, T> | null = null;
      for (const pool of this.#byOrigin.values()) {
        if (pool.isQuiet && (quiet === null || pool.lastUsedAt < quiet.lastUsedAt)) quiet = pool;
      }
      if (quiet === null) return;
      this.drop(quiet);
      quiet.destroy("max-origins", now);
    }
  }
}
