/**
 * The connections and the pending requests of one origin. Who is served next and when a connection is
 * retired is decided here and nowhere else; whether to dial, in `Dialing`; which idle connection is used, in
 * `IdleConnections`.
 * Invariant, after every event: no request is pending while an idle connection that it may use or a permit
 * for a dial is there.
 */
import type { Budget } from "./budget.ts";
import type { Msecs } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { Dialing } from "./dialing.ts";
import {
  ClientClosedError,
  ConnectError,
  ConnectTimeoutError,
  type ErrorContext,
  type KeeplineError,
  type PoolCounts,
  QueueFullError,
  QueueTimeoutError,
} from "./errors.ts";
import { IdleConnections } from "./idle.ts";
import { wornReason } from "./lifetime.ts";
import type { PoolOptions } from "./options.ts";
import { PendingQueue, type PendingRequest } from "./pending.ts";
import type { Pools } from "./pools.ts";
import type { Warmer } from "./port.ts";
import { resendAfter } from "./resend.ts";
import type { RetireReason } from "./retire.ts";
import { busy, Roster } from "./roster.ts";
import { Tally } from "./tally.ts";
import { Deadline } from "./timers.ts";

/** A pool without connections and requests is dropped after this long. */
const emptyPoolMsecs: Msecs = 30_000;

/** What a dial brought. Durations are null where the step did not happen. */
export interface DialFacts {
  /** Requests that the connection carries at once: 1 for HTTP/1.1. */
  readonly capacity: number;
  readonly connectMsecs: Msecs | null;
  readonly tlsMsecs: Msecs | null;
  readonly tlsResumed: boolean;
}

/** One origin's pool. */
export class Pool<R extends PendingRequest, T> extends Deadline {
  /** `protocol://host:port`. */
  readonly origin: string;
  readonly queue = new PendingQueue<R>();
  readonly roster: Roster<R, T>;
  readonly dialing: Dialing<R, T>;
  readonly idle: IdleConnections<R, T>;
  readonly tally = new Tally();
  options: PoolOptions;
  /** True once the pool was let go: a later request needs a new one. */
  isDropped = false;
  lastUsedAt: Msecs;
  /** Marked for a look by `settle`. */
  isTouched = false;
  readonly #world: Pools<R, T>;

  constructor(
    world: Pools<R, T>,
    origin: string,
    options: PoolOptions,
    parent: Budget<R, T>,
    now: Msecs,
  ) {
    super();
    this.#world = world;
    this.origin = origin;
    this.options = options;
    this.roster = new Roster(options.maxSockets, parent, this.queue, world.timers);
    this.dialing = new Dialing(world, this);
    this.idle = new IdleConnections(world, this);
    this.lastUsedAt = now;
  }

  /** The limit on this origin's sockets, with the limits above it. */
  get budget(): Budget<R, T> {
    return this.roster.budget;
  }

  /** True when nothing is under way, though idle connections may be held. */
  get isQuiet(): boolean {
    return this.queue.count === 0 && this.roster.busyCount === 0 && this.dialing.warmUp.isOver;
  }

  /** Gives `request` a connection now, or lets it wait for one. */
  acquire(request: R, now: Msecs): void {
    this.tally.requests++;
    this.lastUsedAt = now;
    request.enqueuedAt = now;
    // Also while others wait: for what is idle then is none that they may use.
    const connection = this.#takeUsable(request, now);
    request.sequence = this.#world.nextSequence++;
    if (connection !== null) {
      if (this.options.minFreeSockets > 0) this.#world.touch(this);
      this.#lease(request, connection, connection.leases + 1, now);
      // A connection that was idle and now has free slots is one that others waited for in vain.
      if (connection.capacity > 1 && connection.state.kind === "busy") {
        this.#serve(connection, connection.leases, now);
      }
      return;
    }
    if (this.isDropped) {
      // When a stale connection was retired, the port made room for another origin, of all places here.
      this.#world.pool(this.origin, now).acquire(request, now);
      return;
    }
    this.queue.push(request);
    this.#pend(request, now);
    this.dialing.demand(now);
    if (request.phase !== "pending") return;
    const { maxPending } = this.options;
    const uncoveredCount = this.queue.count - this.roster.dialingCount;
    if (uncoveredCount > maxPending) {
      this.tally.refused++;
      const counts = { ...this.#counts(), pending: uncoveredCount - 1 };
      this.#refuse(request, new QueueFullError({ ...counts, maxPending }, this.#context(request)));
      this.#world.touch(this); // a pool that only ever refused is dropped like any other
    }
  }

  /** `failed` broke under `request`, which goes to another connection, before all that came after it. */
  resend(request: R, failed: Connection<R, T>, isWritten: boolean, now: Msecs): void {
    this.tally.resent++;
    this.#world.timers.clear(request);
    request.interrupted();
    request.resending = resendAfter(request.resending, failed.id, isWritten, this.roster.idleCount);
    const connection = request.resending.idleLeft > 0 ? this.idle.take(request, now) : null;
    if (connection !== null) {
      this.#lease(request, connection, 1, now);
      if (connection.state.kind === "busy") this.#serve(connection, connection.leases, now);
      return;
    }
    this.queue.insert(request);
    this.#pend(request, now);
    this.dialing.demand(now);
    this.#world.touch(this);
  }

  /** A response began so long after its request was sent. */
  responded(msecs: Msecs): void {
    this.tally.firstByte.record(msecs);
    this.idle.history.responded(msecs);
  }

  /** A pending request gives up: it is forgotten and not told. */
  cancel(request: R): void {
    if (request.phase !== "pending") return;
    this.#dequeue(request);
    request.phase = "settled";
    this.#world.touch(this);
  }

  /** A pending request has waited too long. */
  queueTimedOut(request: R, now: Msecs): void {
    this.tally.timedOut++;
    const counts = { ...this.#counts(), waitedMsecs: now - request.enqueuedAt };
    const cause = this.dialing.failure ?? undefined;
    this.#refuse(request, new QueueTimeoutError(counts, { ...this.#context(request), cause }));
    this.#world.touch(this);
  }

  /** Opens connections ahead of demand, as far as the limits allow without taking from others. */
  warm(warmer: Warmer, now: Msecs): void {
    this.lastUsedAt = now;
    this.dialing.warmUp.add(warmer);
    this.#world.touch(this);
  }

  dialed(connection: Connection<R, T>, facts: DialFacts, now: Msecs): void {
    if (connection.state.kind !== "dialing") return; // superseded: timed out or destroyed meanwhile
    this.dialing.succeeded();
    this.tally.opened++;
    if (facts.tlsResumed) this.tally.resumedTls++;
    if (facts.connectMsecs !== null) this.tally.connect.record(facts.connectMsecs);
    if (facts.tlsMsecs !== null) this.tally.tls.record(facts.tlsMsecs);
    connection.capacity = facts.capacity;
    connection.openedAt = now;
    connection.ageJitter = 0.1 * this.#world.random();
    this.#serve(connection, 0, now);
    this.#world.touch(this);
  }

  dialFailed(connection: Connection<R, T>, cause: unknown, now: Msecs): void {
    this.#dialEnded(connection, "dial-failed", cause, now);
  }

  /** One lease ended on a clean message boundary. */
  released(connection: Connection<R, T>, now: Msecs): void {
    const { state } = connection;
    switch (state.kind) {
      case "busy":
        if (connection.lastIdleMsecs > 0) this.idle.rode(connection.lastIdleMsecs, now);
        this.#serve(connection, state.leases - 1, now);
        return;
      case "draining":
        if (state.leases > 1) this.roster.move(connection, { ...state, leases: state.leases - 1 });
        else this.retire(connection, state.reason, now);
        return;
      case "closed":
        return; // superseded: destroyed meanwhile
      case "dialing":
      case "idle":
        this.#world.port.broken(`connection ${connection.id} was released while ${state.kind}`);
        return;
      default:
        state satisfies never;
    }
  }

  /** No further lease of `connection`; it is retired when the present ones end. */
  drain(connection: Connection<R, T>, reason: RetireReason, now: Msecs): void {
    const { state } = connection;
    if (state.kind === "busy") {
      this.roster.move(connection, { kind: "draining", leases: state.leases, reason });
    } else if (state.kind === "idle") {
      this.retire(connection, reason, now);
    }
  }

  /** Ends `connection` whatever it is doing. Its leases are void; nothing happens when it is closed. */
  retire(connection: Connection<R, T>, reason: RetireReason, now: Msecs): void {
    const { state } = connection;
    if (state.kind === "closed") return;
    this.roster.move(connection, { kind: "closed", reason });
    this.tally.closed[reason] = (this.tally.closed[reason] ?? 0) + 1;
    if (reason === "server-closed" && connection.requestCount === 0) this.dialing.spareLost(now);
    if (state.kind === "idle") this.idle.ended(connection, state.since, reason, now);
    this.#world.touch(this);
    this.#world.offer(this.budget);
    this.#world.port.retire(connection, reason, now);
  }

  /** What the server said of how long, and for how many further requests, it keeps a connection. */
  hinted(connection: Connection<R, T>, timeoutMsecs: Msecs | null, furtherRequests: number): void {
    connection.hintMsecs = timeoutMsecs;
    connection.hintedRequests = connection.requestCount + furtherRequests;
    this.idle.hintMsecs = timeoutMsecs;
  }

  connectionExpired(connection: Connection<R, T>, now: Msecs): void {
    if (connection.state.kind === "dialing") {
      this.#dialEnded(connection, "connect-timeout", undefined, now);
    } else if (connection.state.kind === "idle") {
      this.idle.expired(connection, now);
    }
  }

  /** Takes new limits: idle connections over them go at once, busy ones when they are released. */
  configure(options: PoolOptions, now: Msecs): void {
    this.options = options;
    this.budget.limit = options.maxSockets;
    for (let idle = this.budget.idle.longest; idle !== null; idle = this.budget.idle.longest) {
      if (this.budget.open <= this.budget.limit) break;
      this.retire(idle, "max-sockets", now);
    }
    this.idle.trim(now);
    for (const connection of this.roster.connections) {
      if (connection.state.kind !== "idle") continue;
      const overdue = this.#overdueReason(connection, now);
      if (overdue !== null) this.retire(connection, overdue, now);
    }
    this.idle.reconsider(now);
    this.#world.touch(this);
  }

  /** Lets idle connections go. Pending requests are still served. */
  close(now: Msecs): void {
    for (let idle = this.budget.idle.longest; idle !== null; idle = this.budget.idle.longest) {
      this.retire(idle, "client-closed", now);
    }
    const message = `the client was closed while ${this.origin} was being warmed`;
    this.dialing.warmUp.fail(new ClientClosedError(message, this.#context(null)));
    this.#world.touch(this);
  }

  /** Refuses every pending request and retires every connection, at once. */
  destroy(reason: RetireReason, now: Msecs): void {
    for (let next = this.queue.head; next !== null; next = this.queue.head) {
      const message = `the client was destroyed while a request to ${this.origin} waited for a socket`;
      this.#refuse(next, new ClientClosedError(message, this.#context(next)));
    }
    for (const connection of this.roster.connections) this.retire(connection, reason, now);
    this.close(now);
    this.#world.timers.clear(this);
    this.#world.timers.clear(this.dialing);
  }

  /** The end of a while without connections and requests, if nothing came since. */
  override expire(): void {
    if (this.#isEmpty()) this.#world.drop(this);
  }

  /** Looks at the whole pool again after something changed. Called by `Pools.settle`. */
  review(now: Msecs): void {
    this.dialing.review(now);
    if (this.#isEmpty() && !this.isDropped) {
      // A closed client keeps its pools for its last stats, and sets no timer for them.
      const dropAt = this.#world.isClosing ? Number.POSITIVE_INFINITY : now + emptyPoolMsecs;
      this.#world.timers.set(this, dropAt, now);
    }
  }

  #dialEnded(
    connection: Connection<R, T>,
    reason: "dial-failed" | "connect-timeout",
    cause: unknown,
    now: Msecs,
  ): void {
    const { state } = connection;
    if (state.kind !== "dialing") return; // superseded
    const errorFor = (request: R | null): KeeplineError =>
      reason === "dial-failed"
        ? new ConnectError({ ...this.#context(request), cause })
        : new ConnectTimeoutError(this.options.connectTimeoutMsecs, this.#context(request));
    // When the other dials under way suffice for all who wait, this one was nobody's.
    const wasNeeded = this.queue.count >= this.roster.dialingCount;
    const firstLater = this.#world.nextSequence;
    this.dialing.failed(state.since, cause ?? errorFor(null), now);
    this.retire(connection, reason, now);
    // With nothing open and repeated failures there is no hope for the others: they fail, not hang.
    const failAll = this.dialing.isDown && this.budget.open === 0;
    for (let next = wasNeeded ? this.queue.head : null; next !== null; ) {
      if (next.sequence >= firstLater) break; // made by the port in answer to a refusal
      this.tally.failed++;
      this.#refuse(next, errorFor(next));
      next = failAll ? this.queue.head : null;
    }
    if (!this.dialing.warmUp.isOver) this.dialing.warmUp.fail(errorFor(null));
    this.#world.touch(this); // again: the port may have had events of its own meanwhile
  }

  /** `connection` has room beside `leases`: the longest-waiting requests get it, unless it must go. */
  #serve(connection: Connection<R, T>, leases: number, now: Msecs): void {
    // One grant a turn: each may make the connection overdue, and in it the driver may release or lose.
    for (let held = leases; ; held = connection.leases) {
      const overdue = this.#overdueReason(connection, now);
      if (overdue !== null) {
        if (held === 0) this.retire(connection, overdue, now);
        else this.roster.move(connection, { kind: "draining", leases: held, reason: overdue });
        return;
      }
      if (held === 0 && this.dialing.mustYield()) {
        this.retire(connection, "total-limit", now);
        return;
      }
      const isFresh = connection.requestCount === 0;
      if (held === 0 && !isFresh && this.#needsRoom()) {
        this.retire(connection, "made-room", now);
        return;
      }
      const next = held < connection.capacity ? this.queue.firstFor(isFresh) : null;
      if (next === null) {
        if (held === 0) this.idle.rest(connection, now);
        else this.roster.move(connection, busy(held));
        return;
      }
      this.#dequeue(next);
      this.#lease(next, connection, held + 1, now);
      if (connection.capacity === 1 || connection.state.kind !== "busy") return;
    }
  }

  #lease(request: R, connection: Connection<R, T>, leases: number, now: Msecs): void {
    const { state } = connection;
    connection.lastIdleMsecs = state.kind === "idle" ? now - state.since : 0;
    connection.leasedAt = now;
    if (connection.requestCount++ > 0) this.tally.reused++;
    this.roster.move(connection, busy(leases));
    request.phase = "granted";
    this.tally.served++;
    if (request.resending === null) this.tally.queue.record(now - request.enqueuedAt);
    this.#world.port.grant(request, connection, now);
  }

  /** A connection for `request` that needs no waiting, or null. */
  #takeUsable(request: R, now: Msecs): Connection<R, T> | null {
    // Once more at the end: what was stale was retired, and the port may have had events of its own meanwhile.
    return this.#takePartlyBusy(now) ?? this.idle.take(request, now) ?? this.#takePartlyBusy(now);
  }

  #takePartlyBusy(now: Msecs): Connection<R, T> | null {
    for (const connection of this.roster.partlyBusy) {
      const overdue = this.#overdueReason(connection, now);
      if (overdue === null) return connection;
      this.drain(connection, overdue, now);
    }
    return null;
  }

  /** Why a connection must not carry a further request; null when it may. */
  #overdueReason(connection: Connection<R, T>, now: Msecs): RetireReason | null {
    const worn = wornReason(connection, this.options, now);
    if (worn !== null) return worn;
    if (this.budget.isExceeded()) return "max-sockets";
    if (this.#world.isClosing && this.queue.count === 0) return "client-closed";
    return null;
  }

  /** True when the longest-waiting request needs a fresh connection, and all places are taken. */
  #needsRoom(): boolean {
    const first = this.queue.head;
    if (first === null || first.resending === null || first.covered) return false;
    return this.budget.firstFull() !== null;
  }

  #pend(request: R, now: Msecs): void {
    request.phase = "pending";
    request.pool = this;
    const timeoutMsecs = request.queueTimeoutMsecs ?? this.options.queueTimeoutMsecs;
    this.#world.timers.set(request, now + timeoutMsecs, now);
  }

  #dequeue(request: R): void {
    this.#world.timers.clear(request);
    this.queue.remove(request);
    request.pool = null;
  }

  #refuse(request: R, error: KeeplineError): void {
    this.#dequeue(request);
    request.phase = "settled";
    this.#world.port.refuse(request, error);
  }

  #isEmpty(): boolean {
    return this.budget.open === 0 && this.queue.count === 0 && this.dialing.warmUp.isOver;
  }

  #counts(): PoolCounts {
    const { open, limit, name } = this.budget.firstFull() ?? this.budget;
    return { open, limit, limitName: name, pending: this.queue.count };
  }

  #context(request: R | null): ErrorContext {
    const requestSent = request?.resending?.isSent ?? false;
    return { origin: this.origin, service: "default", lane: request?.lane, requestSent };
  }
}
