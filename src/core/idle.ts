/**
 * The idle connections of one pool: which of them a request takes, how long each may be used, and what
 * their ends teach.
 * Invariant: an idle connection has a deadline unless its window is endless; and past its window it is
 * kept only as the one scout, which no request takes.
 */
import type { Msecs } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { IdleHistory } from "./idle-history.ts";
import { type IdleKnowledge, idleWindowMsecs, strictWindowMsecs } from "./idle-window.ts";
import { agedAt } from "./lifetime.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { Pools } from "./pools.ts";
import type { Resending } from "./resend.ts";
import type { RetireReason } from "./retire.ts";

/** The idle connections of one pool. */
export class IdleConnections<R extends PendingRequest, T> {
  readonly history = new IdleHistory();
  /** What the server last said by `Keep-Alive: timeout=N`, in ms; null when it never did. */
  hintMsecs: Msecs | null = null;
  /** Outlives the learned window, to find out whether the server does: no request takes it. */
  scout: Connection<R, T> | null = null;
  /** As in the history, which is not looked at for each request either. */
  #learnedMsecs: Msecs | null = null;
  /** Whole, since V8 keeps small whole numbers in the object itself, and others apart. */
  #roundTripNanos = 0;
  /** Shorter idle times that a connection outlives teach nothing: of many origins the history is not looked at for each. */
  #uneventfulMsecs: Msecs = 0;
  readonly #world: Pools<R, T>;
  readonly #pool: Pool<R, T>;

  constructor(world: Pools<R, T>, pool: Pool<R, T>) {
    this.#world = world;
    this.#pool = pool;
  }

  /** The shortest time from a request to its response lately: the way there and back, and little else. 0 while none is known. */
  get roundTripMsecs(): Msecs {
    return this.#roundTripNanos / 1e6;
  }

  /** How long a connection without a hint of its own may be idle, in ms. */
  get windowMsecs(): Msecs {
    return Math.max(idleWindowMsecs(this.#known(this.hintMsecs)), 0);
  }

  /** How long its server lets a connection be idle, in ms, as far as it is known, and whatever the options say. */
  get serverWindowMsecs(): Msecs {
    const keepAliveMsecs = Number.POSITIVE_INFINITY;
    return Math.max(idleWindowMsecs({ ...this.#known(this.hintMsecs), keepAliveMsecs }), 0);
  }

  /** False when a connection that carried nothing yet would be closed as soon as it is idle. */
  get canKeepSpare(): boolean {
    return idleWindowMsecs(this.#known(null)) > 0;
  }

  /** As `windowMsecs`, for requests that must not be sent twice. */
  get strictWindowMsecs(): Msecs {
    const { strictMsecs, provenMsecs } = this.history;
    return Math.max(strictWindowMsecs(this.#known(this.hintMsecs), strictMsecs, provenMsecs), 0);
  }

  /** The connection for `request`, or null. What turns out to be stale is retired on the way. */
  take(request: R, now: Msecs): Connection<R, T> | null {
    if (!request.isReplayable) this.#lookAtLongest();
    for (;;) {
      const first = this.#pool.options.scheduling === "lifo" ? this.#shortest() : this.#longest();
      if (first === null) return null;
      if (now < first.usableUntil) return this.#suitable(request, first, now);
      // The timer is late: a busy event loop, a suspended laptop, a paused function.
      this.retire(first, now);
    }
  }

  /** Nobody needs `connection` now: it is kept, unless it may not be. */
  rest(connection: Connection<R, T>, now: Msecs): void {
    if (this.#world.isClosing) {
      this.#pool.retire(connection, "client-closed", now); // those who wait cannot use it
      return;
    }
    this.#pool.service.tuner?.rested(this.#pool, now);
    connection.usableUntil = this.#usableUntil(connection, now);
    this.#pool.roster.move(connection, connection.idleSince(now));
    this.#world.observer?.rested(connection, now);
    if (connection.usableUntil > now) {
      this.#world.timers.set(connection, connection.usableUntil, now);
    } else if (!this.#becomesScout(connection, now)) {
      this.retire(connection, now);
      return;
    }
    this.trim(now);
    this.#world.offer(this.#pool.budget);
  }

  /** Keeps to `maxFreeSockets`. */
  trim(now: Msecs): void {
    const { budget, roster, options } = this.#pool;
    for (let longest = budget.longestIdle; longest !== null; longest = budget.longestIdle) {
      if (roster.idleCount <= options.maxFreeSockets) return;
      this.#pool.retire(longest, "max-free-sockets", now);
    }
  }

  /** The deadline of `connection` has come. */
  expired(connection: Connection<R, T>, now: Msecs): void {
    const isScout = connection === this.scout;
    if (!isScout && this.#becomesScout(connection, now)) return;
    this.retire(connection, now);
  }

  /** Retires an idle connection for what is the reason now. */
  retire(connection: Connection<R, T>, now: Msecs): void {
    this.#pool.retire(connection, this.#staleReason(connection, now), now);
  }

  /** Options or knowledge have changed: every deadline is set anew. */
  reconsider(now: Msecs): void {
    this.#learnedMsecs = this.history.learnedMsecs;
    // Let go first: under other limits another one may be the scout.
    if (this.scout !== null) this.retire(this.scout, now);
    for (const connection of this.#pool.roster.connections) {
      if (connection.state.kind !== "idle" || connection === this.scout) continue;
      connection.usableUntil = this.#usableUntil(connection, connection.state.since);
      if (connection.usableUntil > now) {
        this.#world.timers.set(connection, connection.usableUntil, now);
      } else this.expired(connection, now);
    }
  }

  /**
   * An idle connection was retired. `since`: when it became idle.
   */
  ended(connection: Connection<R, T>, since: Msecs, reason: RetireReason, now: Msecs): void {
    if (connection === this.scout) this.scout = null;
    const { tuner } = this.#pool.service;
    if (tuner !== null && !isForLimits(reason)) {
      tuner.ended(this.#pool, since, isForOlder(reason), now);
    }
    // Before its first request a server counts with another clock.
    if (connection.requestCount === 0) return;
    if (reason === "made-room") this.history.gaveUp(now - since);
    // Some servers say 408 Request Timeout before they close.
    const isClosed = reason === "server-closed" || reason === "unexpected-bytes";
    // This side cannot have seen a close since it last heard of anything.
    const idleMsecs = (isClosed ? now : Math.min(now, this.#world.heardAt)) - since;
    if (isClosed) this.#uneventfulMsecs = 0;
    const hasChanged = isClosed
      ? this.history.closed(idleMsecs, now)
      : this.history.survived(idleMsecs);
    if (hasChanged) this.reconsider(now);
  }

  /** A request failed before its response, on a connection that may have been idle before. */
  failed(connection: Connection<R, T>, now: Msecs): void {
    const { lastIdleMsecs, leasedAt, requestCount } = connection;
    if (lastIdleMsecs === 0 || requestCount < 2) return;
    // The close was under way when the request was sent; what comes later has another cause.
    const takenMsecs = now - leasedAt;
    if (takenMsecs > this.roundTripMsecs * 1.5 + 20) return;
    this.#uneventfulMsecs = 0;
    if (this.history.closed(lastIdleMsecs + takenMsecs, now)) this.reconsider(now);
  }

  /** A response began so long after its request was sent. */
  responded(msecs: Msecs): void {
    const nanos = Math.round(msecs * 1e6);
    const least = this.#roundTripNanos;
    // Slowly up, so that a way that has become longer is noticed.
    if (least === 0 || nanos < least) this.#roundTripNanos = nanos;
    else this.#roundTripNanos += Math.round((nanos - least) / 1_000);
  }

  /** A request went through on a connection that had been idle for so long. */
  rode(idleMsecs: Msecs, now: Msecs): void {
    if (idleMsecs <= this.#uneventfulMsecs) return;
    if (this.history.survived(idleMsecs)) this.reconsider(now);
    this.#uneventfulMsecs = this.history.uneventfulMsecs;
  }

  #suitable(request: R, first: Connection<R, T>, now: Msecs): Connection<R, T> | null {
    if (request.resending !== null) return this.#newerThan(request, request.resending, now);
    if (request.isReplayable || this.#isWellInside(first, now)) return first;
    const shortest = this.#shortest();
    return shortest !== null && this.#isWellInside(shortest, now) ? shortest : null;
  }

  /** One that was opened after the connection that failed last; the one that was idle for the shortest time. */
  #newerThan(request: R, { failedId }: Resending, now: Msecs): Connection<R, T> | null {
    let each = this.#pool.budget.shortestIdle;
    while (each !== null && (each.id <= failedId || now >= each.usableUntil)) {
      each = each.longer?.connection ?? null;
    }
    // Nothing of it was sent yet, but what must not be sent twice is careful at each attempt.
    return each === null || request.isReplayable || this.#isWellInside(each, now) ? each : null;
  }

  #isWellInside(connection: Connection<R, T>, now: Msecs): boolean {
    if (connection.state.kind !== "idle" || now >= connection.usableUntil) return false;
    const { strictMsecs } = this.history;
    // What carried nothing yet is as good as fresh: before the first request servers wait for longer.
    const isUnused = connection.requestCount === 0;
    const provenMsecs = isUnused ? Number.POSITIVE_INFINITY : this.history.provenMsecs;
    const known = this.#known(connection.hintMsecs);
    return now - connection.state.since <= strictWindowMsecs(known, strictMsecs, provenMsecs);
  }

  /** What is idle now is evidence, too. */
  #lookAtLongest(): void {
    const longest = this.#pool.budget.longestIdle;
    if (longest?.state.kind !== "idle" || longest.requestCount === 0) return;
    this.history.seen(this.#world.heardAt - longest.state.since);
  }

  /** The longest idle one beside the scout. */
  #longest(): Connection<R, T> | null {
    const { longestIdle: longest } = this.#pool.budget;
    if (longest === null || longest !== this.scout) return longest;
    return longest.shorter?.connection ?? null;
  }

  /** The one that became idle last, beside the scout, whose own hint may have been shorter. */
  #shortest(): Connection<R, T> | null {
    const { shortestIdle: shortest } = this.#pool.budget;
    if (shortest === null || shortest !== this.scout) return shortest;
    return shortest.longer?.connection ?? null;
  }

  /** One at a time stays until it has outlived the learned limit clearly, or the server closes it. */
  #becomesScout(connection: Connection<R, T>, now: Msecs): boolean {
    const { state } = connection;
    if (this.scout !== null || this.history.learnedMsecs === null) return false;
    if (state.kind !== "idle" || connection.requestCount === 0) return false;
    if (this.#world.isClosing || this.#staleReason(connection, now) !== "idle-window") return false;
    const keptMsecs = Math.min(
      this.history.contradictedAfterMsecs + 1,
      this.#pool.options.keepAliveMsecs,
    );
    const until = Math.min(state.since + keptMsecs, agedAt(connection, this.#pool.options));
    if (!(until > now && until < Number.POSITIVE_INFINITY)) return false;
    this.scout = connection;
    this.#world.timers.set(connection, until, now);
    return true;
  }

  /** When a connection that is idle since `idleSince` must not be used any more. */
  #usableUntil(connection: Connection<R, T>, idleSince: Msecs): Msecs {
    const { options } = this.#pool;
    return Math.min(idleSince + this.#window(connection), agedAt(connection, options));
  }

  #window(connection: Connection<R, T>): Msecs {
    // With every request: nothing is allocated for a server that says nothing and closes nothing.
    return connection.hintMsecs === null && this.#learnedMsecs === null
      ? this.#pool.options.keepAliveMsecs
      : idleWindowMsecs(this.#known(connection.hintMsecs));
  }

  /** Why an idle connection that is past its window is. */
  #staleReason(connection: Connection<R, T>, now: Msecs): RetireReason {
    const { options } = this.#pool;
    if (now >= agedAt(connection, options)) return "max-age";
    return this.#window(connection) < options.keepAliveMsecs ? "idle-window" : "idle-timeout";
  }

  #known(hintMsecs: Msecs | null): IdleKnowledge {
    const { keepAliveMsecs } = this.#pool.options;
    const { learnedMsecs } = this.history;
    const { roundTripMsecs } = this;
    return { keepAliveMsecs, hintMsecs, learnedMsecs, roundTripMsecs };
  }
}

/** Whether connections that were idle for longer would have ended with it, or before. */
function isForOlder(reason: RetireReason): boolean {
  switch (reason) {
    case "server-closed":
    case "total-limit":
    case "made-room":
    case "max-sockets":
      return true;
    default:
      return false;
  }
}

/** Whether other values of `maxFreeSockets` and `keepAliveMsecs`, or a server that allows more, would have kept a connection. */
function isForLimits(reason: RetireReason): boolean {
  return reason === "idle-timeout" || reason === "idle-window" || reason === "max-free-sockets";
}
