/**
 * The connections and the pending requests of one origin. Who is served next, whether to dial, which
 * idle connection is used and when one is retired is decided here and nowhere else.
 * Invariant, after every event: no request is pending while a usable idle connection or a permit for a
 * dial is there; and a connection is on exactly the list that its state says.
 */
import { Budget } from "./budget.ts";
import type { Msecs } from "./clock.ts";
import { busyOnce, Connection, type ConnectionState } from "./connection.ts";
import { afterFailure, type DialHealth, isDown, well } from "./dial-health.ts";
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
import type { Ranked } from "./heap.ts";
import { idleWindowMsecs, idleWindowReason } from "./idle-window.ts";
import type { PoolOptions } from "./options.ts";
import { PendingQueue, type PendingRequest } from "./pending.ts";
import type { Pools } from "./pools.ts";
import type { Warmer } from "./port.ts";
import type { RetireReason } from "./retire.ts";
import { Tally } from "./tally.ts";
import { Deadline } from "./timers.ts";

/** A pool without connections and requests is dropped after this long. */
const emptyPoolMsecs: Msecs = 30_000;

/**
 * A connection that another origin's request has a better right to, by the order of waiting, stays with
 * its origin while the difference is no more than this: handing it over costs a handshake, and two busy
 * origins under one `maxTotalSockets` would otherwise pay it with every request.
 */
const yieldAfterMsecs: Msecs = 100;

/** What a dial brought. Durations are null where the step did not happen. */
export interface DialFacts {
  /** Requests that the connection carries at once: 1 for HTTP/1.1. */
  readonly capacity: number;
  readonly connectMsecs: Msecs | null;
  readonly tlsMsecs: Msecs | null;
  readonly tlsResumed: boolean;
}

/** One origin's pool. */
export class Pool<R extends PendingRequest, T> extends Deadline implements Ranked {
  /** `protocol://host:port`. */
  readonly origin: string;
  readonly budget: Budget<R, T>;
  /** All connections that are not closed. */
  readonly connections = new Set<Connection<R, T>>();
  readonly queue = new PendingQueue<R>();
  readonly tally = new Tally();
  options: PoolOptions;
  /** True once the pool was let go: a later request needs a new one. */
  isDropped = false;
  lastUsedAt: Msecs;
  dialingCount = 0;
  /** What the server last said by `Keep-Alive: timeout=N`, in ms; null when it never did. */
  hintMsecs: Msecs | null = null;
  /** Marked for a look by `settle`. */
  isTouched = false;
  rank = 0;
  heapIndex = -1;
  #waitingAt: Budget<R, T> | null = null;
  #health: DialHealth = well;
  readonly #world: Pools<R, T>;
  /** Busy connections with a free slot: only ever filled where capacity exceeds 1. */
  readonly #partlyBusy = new Set<Connection<R, T>>();
  #warmers: Warmer[] = [];

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
    this.budget = new Budget("maxSockets", options.maxSockets, parent);
    this.lastUsedAt = now;
  }

  get idleCount(): number {
    return this.budget.idle.count;
  }

  /** Connections that carry a request: busy and draining ones. */
  get busyCount(): number {
    return this.budget.open - this.budget.idle.count - this.dialingCount;
  }

  /** True when nothing is under way, though idle connections may be held. */
  get isQuiet(): boolean {
    return this.queue.count === 0 && this.busyCount === 0 && this.#warmers.length === 0;
  }

  /** The window that an idle connection without other knowledge has now, in ms. */
  get idleWindowMsecs(): Msecs {
    return idleWindowMsecs(this.options.keepAliveMsecs, this.hintMsecs, 0);
  }

  /** How long this pool's next dial has been waited for, as a place in the order of arrival; null when none is wanted. */
  get nextSequence(): number | null {
    return this.queue.uncovered === null ? null : this.queue.uncovered.sequence;
  }

  /** Gives `request` a connection now, or lets it wait for one. */
  acquire(request: R, now: Msecs): void {
    this.tally.requests++;
    this.lastUsedAt = now;
    request.enqueuedAt = now;
    if (this.queue.count === 0) {
      const connection = this.#takeUsable(now);
      if (connection !== null) {
        if (this.options.minFreeSockets > 0) this.#world.touch(this);
        this.#lease(request, connection, connection.leases + 1, now);
        return;
      }
      if (this.isDropped) {
        // When a stale connection was retired, the port made room for another origin, of all places here.
        this.#world.pool(this.origin, now).acquire(request, now);
        return;
      }
    }
    this.#enqueue(request, now);
    this.#demand(now);
    if (request.phase !== "pending") return;
    if (this.queue.count - this.dialingCount > this.options.maxPending) {
      this.tally.refused++;
      const counts = { ...this.#counts(), pending: this.queue.count - 1 };
      const { maxPending } = this.options;
      this.#refuse(request, new QueueFullError({ ...counts, maxPending }, this.#context(request)));
      this.#world.touch(this); // a pool that only ever refused is dropped like any other
    }
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
    const cause = this.#health.kind === "failing" ? this.#health.cause : undefined;
    this.#refuse(request, new QueueTimeoutError(counts, { ...this.#context(request), cause }));
    this.#world.touch(this);
  }

  /** Opens connections ahead of demand, as far as the limits allow without taking from others. */
  warm(warmer: Warmer, now: Msecs): void {
    this.lastUsedAt = now;
    this.#warmers.push(warmer);
    this.#world.touch(this);
  }

  dialed(connection: Connection<R, T>, facts: DialFacts, now: Msecs): void {
    if (connection.state.kind !== "dialing") return; // superseded: timed out or destroyed meanwhile
    this.#health = well;
    this.tally.opened++;
    if (facts.tlsResumed) this.tally.resumedTls++;
    if (facts.connectMsecs !== null) this.tally.connect.record(facts.connectMsecs);
    if (facts.tlsMsecs !== null) this.tally.tls.record(facts.tlsMsecs);
    connection.capacity = facts.capacity;
    connection.openedAt = now;
    connection.ageJitter = 0.1 * this.#world.random();
    connection.roundTripMsecs = facts.connectMsecs ?? 0;
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
        this.#serve(connection, state.leases - 1, now);
        return;
      case "draining":
        if (state.leases > 1) this.#move(connection, { ...state, leases: state.leases - 1 });
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
      this.#move(connection, { kind: "draining", leases: state.leases, reason });
    } else if (state.kind === "idle") {
      this.retire(connection, reason, now);
    }
  }

  /** Ends `connection` whatever it is doing. Its leases are void; nothing happens when it is closed. */
  retire(connection: Connection<R, T>, reason: RetireReason, now: Msecs): void {
    if (connection.state.kind === "closed") return;
    this.#move(connection, { kind: "closed", reason });
    this.tally.closed[reason] = (this.tally.closed[reason] ?? 0) + 1;
    this.#world.touch(this);
    this.#world.offer(this.budget);
    this.#world.port.retire(connection, reason, now);
  }

  /** What the server said of how long, and for how many further requests, it keeps a connection. */
  hinted(connection: Connection<R, T>, timeoutMsecs: Msecs | null, furtherRequests: number): void {
    connection.hintMsecs = timeoutMsecs;
    connection.hintedRequests = connection.requestCount + furtherRequests;
    this.hintMsecs = timeoutMsecs;
  }

  connectionExpired(connection: Connection<R, T>, now: Msecs): void {
    if (connection.state.kind === "dialing") {
      this.#dialEnded(connection, "connect-timeout", undefined, now);
    } else if (connection.state.kind === "idle") {
      this.retire(connection, this.#staleReason(connection, now), now);
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
    this.#trimIdle(now);
    for (const connection of this.connections) {
      if (connection.state.kind !== "idle") continue;
      connection.usableUntil = this.#usableUntil(connection, connection.state.since);
      const overdue = this.#overdueReason(connection, now);
      if (overdue === null) this.#world.timers.set(connection, connection.usableUntil, now);
      else this.retire(connection, overdue, now);
    }
    this.#world.touch(this);
  }

  /** Lets idle connections go. Pending requests are still served. */
  close(now: Msecs): void {
    for (let idle = this.budget.idle.longest; idle !== null; idle = this.budget.idle.longest) {
      this.retire(idle, "client-closed", now);
    }
    const message = `the client was closed while ${this.origin} was being warmed`;
    this.#failWarmers(new ClientClosedError(message, this.#context(null)));
    this.#world.touch(this);
  }

  /** Refuses every pending request and retires every connection, at once. */
  destroy(reason: RetireReason, now: Msecs): void {
    for (let next = this.queue.head; next !== null; next = this.queue.head) {
      const message = `the client was destroyed while a request to ${this.origin} waited for a socket`;
      this.#refuse(next, new ClientClosedError(message, this.#context(next)));
    }
    for (const connection of this.connections) this.retire(connection, reason, now);
    this.close(now);
    this.#world.timers.clear(this);
  }

  /** The end of a back-off, or of a while without connections and requests. */
  override expire(now: Msecs): void {
    if (this.#isEmpty()) this.#world.drop(this);
    else this.#world.touch(this);
  }

  /** Looks at the whole pool again after something changed. Called by `Pools.settle`. */
  review(now: Msecs): void {
    this.#demand(now);
    this.#tellWarmers(now);
    if (this.#isEmpty() && !this.isDropped) {
      // A closed client keeps its pools for its last stats, and sets no timer for them.
      const dropAt = this.#world.isClosing ? Number.POSITIVE_INFINITY : now + emptyPoolMsecs;
      this.#world.timers.set(this, dropAt, now);
    }
  }

  /** Dials as often as pending requests and warm-up need and the limits allow. */
  #demand(now: Msecs): void {
    for (let next = this.queue.uncovered; next !== null; next = this.queue.uncovered) {
      if (this.budget.isFull || !this.#mayDial(now)) break;
      const blocking = this.#blockingBudget(next.sequence);
      if (blocking === null) {
        this.#dial(now);
        continue;
      }
      const victim = blocking.idle.longest;
      if (victim === null || this.#isBehind(blocking, next.sequence)) {
        this.#waitAt(blocking, next.sequence);
        return;
      }
      victim.pool.retire(victim, "total-limit", now);
    }
    this.#waitAt(null, 0);
    // Warm-up takes what is free: it comes after all who wait, and takes no other origin's idle socket.
    while (this.#spareWanted() > 0 && !this.budget.isFull && this.#mayDial(now)) {
      if (this.#blockingBudget(Number.POSITIVE_INFINITY) !== null) return;
      this.#dial(now);
    }
  }

  #mayDial(now: Msecs): boolean {
    if (this.#health.kind === "well") return true;
    if (isDown(this.#health) && this.dialingCount > 0) return false;
    if (now >= this.#health.retryAt) return true;
    this.#world.timers.set(this, this.#health.retryAt, now);
    return false;
  }

  /** Dials wanted ahead of demand, beyond those under way, which serve pending requests first. */
  #spareWanted(): number {
    if (this.#world.isClosing || this.isDropped) return 0;
    const { minFreeSockets, maxFreeSockets, keepAliveMsecs } = this.options;
    let wanted = minFreeSockets - this.idleCount;
    const opened = this.budget.open - this.dialingCount;
    for (const warmer of this.#warmers) wanted = Math.max(wanted, warmer.target - opened);
    // What could not be kept would be closed at once and wanted again, without end.
    const keepable = (keepAliveMsecs > 0 ? maxFreeSockets : 0) - this.idleCount;
    return Math.min(wanted, keepable) + this.queue.count - this.dialingCount;
  }

  /** The nearest shared budget that is full, or in which somebody has waited longer. */
  #blockingBudget(sequence: number): Budget<R, T> | null {
    for (let each = this.budget.parent; each !== null; each = each.parent) {
      if (each.isFull || this.#isBehind(each, sequence)) return each;
    }
    return null;
  }

  #isBehind(budget: Budget<R, T>, sequence: number): boolean {
    const first = budget.firstWaiting();
    return first !== null && first !== this && first.rank < sequence;
  }

  #waitAt(budget: Budget<R, T> | null, sequence: number): void {
    if (this.#waitingAt !== budget) this.#waitingAt?.waiting.remove(this);
    this.#waitingAt = budget;
    budget?.waiting.place(this, sequence);
  }

  #dial(now: Msecs): void {
    this.budget.take();
    const connection = new Connection<R, T>(this, this.#world.nextConnectionId++, now);
    this.connections.add(connection);
    this.#setDialing(this.dialingCount + 1);
    this.#world.timers.set(connection, now + this.options.connectTimeoutMsecs, now);
    this.#world.port.dial(connection, now);
  }

  #setDialing(count: number): void {
    this.dialingCount = count;
    this.queue.setDialing(count);
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
    const { random } = this.#world;
    // When the other dials under way suffice for all who wait, this one was nobody's.
    const wasNeeded = this.queue.count >= this.dialingCount;
    const firstLater = this.#world.nextSequence;
    this.#health = afterFailure(this.#health, state.since, cause ?? errorFor(null), now, random);
    this.retire(connection, reason, now);
    // With nothing open and repeated failures there is no hope for the others: they fail, not hang.
    const failAll = isDown(this.#health) && this.budget.open === 0;
    for (let next = wasNeeded ? this.queue.head : null; next !== null; ) {
      if (next.sequence >= firstLater) break; // made by the port in answer to a refusal
      this.tally.failed++;
      this.#refuse(next, errorFor(next));
      next = failAll ? this.queue.head : null;
    }
    if (this.#warmers.length > 0) this.#failWarmers(errorFor(null));
    this.#world.touch(this); // again: the port may have had events of its own meanwhile
  }

  /** `connection` has room beside `leases`: the longest-waiting requests get it, unless it must go. */
  #serve(connection: Connection<R, T>, leases: number, now: Msecs): void {
    // One grant a turn: each may make the connection overdue, and in it the driver may release or lose.
    for (let held = leases; ; held = connection.leases) {
      const overdue = this.#overdueReason(connection, now);
      if (overdue !== null) {
        if (held === 0) this.retire(connection, overdue, now);
        else this.#move(connection, { kind: "draining", leases: held, reason: overdue });
        return;
      }
      if (held === 0 && this.#mustYield()) {
        this.retire(connection, "total-limit", now);
        return;
      }
      const next = held < connection.capacity ? this.queue.head : null;
      if (next === null) {
        if (held === 0) this.#rest(connection, now);
        else this.#move(connection, busy(held));
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
    if (connection.requestCount++ > 0) this.tally.reused++;
    this.#move(connection, busy(leases));
    request.phase = "granted";
    this.tally.served++;
    this.tally.queue.record(now - request.enqueuedAt);
    this.#world.port.grant(request, connection, now);
  }

  /** Nobody needs `connection` now. */
  #rest(connection: Connection<R, T>, now: Msecs): void {
    connection.usableUntil = this.#usableUntil(connection, now);
    if (connection.usableUntil <= now) {
      this.retire(connection, this.#staleReason(connection, now), now);
      return;
    }
    this.#move(connection, { kind: "idle", since: now });
    this.#world.timers.set(connection, connection.usableUntil, now);
    this.#trimIdle(now);
    this.#world.offer(this.budget);
  }

  #trimIdle(now: Msecs): void {
    for (let idle = this.budget.idle.longest; idle !== null; idle = this.budget.idle.longest) {
      if (this.idleCount <= this.options.maxFreeSockets) return;
      this.retire(idle, "max-free-sockets", now);
    }
  }

  /** The connection for the next request, or null. What turns out to be stale is retired on the way. */
  #takeUsable(now: Msecs): Connection<R, T> | null {
    const { idle } = this.budget;
    for (;;) {
      for (const connection of this.#partlyBusy) {
        const overdue = this.#overdueReason(connection, now);
        if (overdue === null) return connection;
        this.drain(connection, overdue, now);
      }
      const connection = this.options.scheduling === "lifo" ? idle.shortest : idle.longest;
      if (connection === null || now < connection.usableUntil) return connection;
      // The timer is late: a busy event loop, a suspended laptop, a paused function.
      this.retire(connection, this.#staleReason(connection, now), now);
    }
  }

  #usableUntil(connection: Connection<R, T>, idleSince: Msecs): Msecs {
    return Math.min(idleSince + this.#windowMsecs(connection), this.#endsAt(connection));
  }

  #windowMsecs(connection: Connection<R, T>): Msecs {
    const { keepAliveMsecs } = this.options;
    return idleWindowMsecs(keepAliveMsecs, connection.hintMsecs, connection.roundTripMsecs);
  }

  /** When the connection is too old. */
  #endsAt(connection: Connection<R, T>): Msecs {
    return connection.openedAt + this.options.maxSocketAgeMsecs * (1 - connection.ageJitter);
  }

  #staleReason(connection: Connection<R, T>, now: Msecs): RetireReason {
    if (now >= this.#endsAt(connection)) return "max-age";
    return idleWindowReason(this.options.keepAliveMsecs, this.#windowMsecs(connection));
  }

  /** Why a connection must not carry a further request; null when it may. */
  #overdueReason(connection: Connection<R, T>, now: Msecs): RetireReason | null {
    const { requestCount } = connection;
    if (requestCount > 0 && !this.options.keepAlive) return "keep-alive-off";
    if (requestCount >= this.options.maxRequestsPerSocket) return "max-requests";
    if (requestCount >= connection.hintedRequests) return "max-requests";
    if (now >= this.#endsAt(connection)) return "max-age";
    if (this.budget.isExceeded()) return "max-sockets";
    if (this.#world.isClosing && this.queue.count === 0) return "client-closed";
    return null;
  }

  /** True when another origin's request has waited so much longer that this origin's place is due to it. */
  #mustYield(): boolean {
    const own = this.queue.head;
    if (own === null) return false; // idle connections are offered anyway
    for (let each = this.budget.parent; each !== null; each = each.parent) {
      if (each.waiting.size === 0 || !each.isFull) continue;
      const other = each.firstWaiting()?.queue.uncovered ?? null;
      if (other !== null && other.enqueuedAt + yieldAfterMsecs < own.enqueuedAt) return true;
    }
    return false;
  }

  /** The one place where a connection changes state: lists, counts, permits and its timer follow. */
  #move(connection: Connection<R, T>, to: ConnectionState): void {
    const from = connection.state;
    if (from === to) return;
    this.#world.timers.clear(connection);
    connection.state = to;
    switch (from.kind) {
      case "dialing":
        this.#setDialing(this.dialingCount - 1);
        break;
      case "idle":
        this.budget.removeIdle(connection.idleLinks);
        break;
      case "busy":
      case "draining":
        if (connection.capacity > 1) this.#partlyBusy.delete(connection);
        break;
      case "closed":
        throw new Error(`connection ${connection.id} is closed and cannot become ${to.kind}`);
      default:
        from satisfies never;
    }
    switch (to.kind) {
      case "idle":
        this.budget.addIdle(connection.idleLinks);
        break;
      case "busy":
        if (to.leases < connection.capacity) this.#partlyBusy.add(connection);
        break;
      case "closed":
        this.connections.delete(connection);
        this.budget.give();
        break;
      case "draining":
        break;
      case "dialing":
        throw new Error(`connection ${connection.id} cannot dial again`);
      default:
        to satisfies never;
    }
  }

  #enqueue(request: R, now: Msecs): void {
    request.phase = "pending";
    request.pool = this;
    request.sequence = this.#world.nextSequence++;
    this.queue.push(request);
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

  #tellWarmers(now: Msecs): void {
    if (this.#warmers.length === 0) return;
    const opened = this.budget.open - this.dialingCount;
    const told = this.#warmers.filter((each) => each.target <= opened || this.dialingCount === 0);
    this.#warmers = this.#warmers.filter((each) => !told.includes(each));
    const health = this.#health;
    const failure =
      health.kind === "failing" && !this.#mayDial(now)
        ? new ConnectError({ ...this.#context(null), cause: health.cause })
        : null;
    for (const warmer of told) {
      if (failure === null || warmer.target <= opened) warmer.ready(opened);
      else warmer.failed(failure);
    }
  }

  #failWarmers(error: KeeplineError): void {
    const warmers = this.#warmers;
    this.#warmers = [];
    for (const warmer of warmers) warmer.failed(error);
  }

  #isEmpty(): boolean {
    return this.budget.open === 0 && this.queue.count === 0 && this.#warmers.length === 0;
  }

  #counts(): PoolCounts {
    const { open, limit, name } = this.budget.firstFull() ?? this.budget;
    return { open, limit, limitName: name, pending: this.queue.count };
  }

  #context(request: R | null): ErrorContext {
    return { origin: this.origin, service: "default", lane: request?.lane };
  }
}

function busy(leases: number): ConnectionState {
  return leases === 1 ? busyOnce : { kind: "busy", leases };
}
