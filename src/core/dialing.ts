/**
 * Whether one pool dials: for requests that wait, and for warm-up; as the budgets allow, and as long as
 * dials do not fail.
 * Invariant: there are never more dials under way than pending requests and warm-up need; and a pool that
 * would dial but for a shared budget stands in that budget's line.
 */
import type { Budget } from "./budget.ts";
import type { Msecs } from "./clock.ts";
import { Connection } from "./connection.ts";
import { afterFailure, type DialHealth, isDown, well } from "./dial-health.ts";
import { ConnectError, ConnectTimeoutError, type KeeplineError } from "./errors.ts";
import { isOwed, yieldAfterMsecs } from "./line.ts";
import { Patience, type PoolLoad } from "./patience.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { PoolLane } from "./pool-lane.ts";
import type { Pools } from "./pools.ts";
import { contextOf } from "./report.ts";
import { Reminder } from "./timers.ts";
import { WarmUp } from "./warm-up.ts";

/** How long warm-up waits after the server has closed a connection that no request had used yet. */
const unwantedMsecs: Msecs = 1_000;

/** The dials of one pool. As a deadline it is the end of a back-off. */
export class Dialing<R extends PendingRequest, T> implements PoolLoad {
  readonly pool: Pool<R, T>;
  readonly warmUp = new WarmUp();
  /** Null where dials cost next to nothing. */
  readonly patience: Patience | null;
  /** When dials may be due that are not yet; null until some first were. */
  nextLook: Reminder | null = null;
  /** The instant that is looked at. */
  #now: Msecs = 0;
  readonly #world: Pools<R, T>;
  #health: DialHealth = well;
  /** Warm-up does not dial before. */
  #spareAt: Msecs = 0;

  constructor(world: Pools<R, T>, pool: Pool<R, T>) {
    this.#world = world;
    this.pool = pool;
    this.patience = pool.origin.startsWith("https:") ? new Patience() : null;
  }

  get pending(): number {
    return this.pool.budget.pending;
  }

  get dialing(): number {
    return this.pool.roster.dialing;
  }

  get busy(): number {
    return this.pool.roster.busy;
  }

  get served(): number {
    let sum = this.pool.tally.formerLanes?.served ?? 0;
    for (const { served } of this.pool.lanes.all) sum += served;
    return sum;
  }

  get serviceMsecs(): Msecs {
    let held = 0;
    let sum = 0;
    for (const place of this.pool.lanes.all) {
      held += place.held;
      sum += place.held * place.serviceMsecs;
    }
    return held === 0 ? 0 : sum / held;
  }

  busyFor(msecs: Msecs): number {
    let count = 0;
    for (const { state, leasedAt } of this.pool.roster.connections) {
      if (state.kind === "busy" && this.#now - leasedAt <= msecs) count++;
    }
    return count;
  }

  /** What the last dial failed with; null when it did not. */
  get failure(): unknown {
    return this.#health.kind === "failing" ? this.#health.cause : null;
  }

  /** A dial has succeeded, which took so long. */
  succeeded(msecs: Msecs, now: Msecs): void {
    this.#health = well;
    this.patience?.dialed(msecs, now);
  }

  /** The dial of `connection` has failed, and with it the request that has waited longest for it. */
  ended(
    connection: Connection<R, T>,
    reason: "dial-failed" | "connect-timeout",
    cause: unknown,
    now: Msecs,
  ): void {
    const { state } = connection;
    if (state.kind !== "dialing") return; // superseded
    const { pool } = this;
    const { lanes } = pool;
    const errorFor = (request: R | null): KeeplineError =>
      reason === "dial-failed"
        ? new ConnectError({ ...contextOf(pool, request), cause })
        : new ConnectTimeoutError(pool.options.connectTimeoutMsecs, contextOf(pool, request));
    // When the other dials under way suffice for all whom they may be for, this one was nobody's.
    const wasNeeded = lanes.coveredCount >= pool.roster.dialing;
    const unlucky = wasNeeded ? lanes.longestCovered() : null;
    const firstLater = this.#world.nextSequence;
    const failure = cause ?? errorFor(null);
    this.#health = afterFailure(this.#health, state.since, failure, now, this.#world.random);
    pool.retire(connection, reason, now);
    // With nothing open and repeated failures there is no hope for the others: they fail, not hang.
    const failAll = isDown(this.#health) && pool.budget.open === 0;
    for (let next = unlucky; next !== null; next = failAll ? lanes.longest() : null) {
      if (next.sequence >= firstLater) break; // made by the port in answer to a refusal
      if (next.phase !== "pending") continue; // the port was quicker
      pool.tally.failed++;
      pool.waiting.refuse(next, errorFor(next), now);
    }
    if (!this.warmUp.isOver) this.warmUp.fail(errorFor(null));
    // A pool that is looked at before this one stands behind whom the dial was for, and has its turn after it.
    lanes.lineUp();
    this.#world.offer(pool.budget);
    this.#world.touch(pool); // again: the port may have had events of its own meanwhile
  }

  /** The server closed a connection that no request had used: it may not want any held ready. */
  spareLost(now: Msecs): void {
    this.#spareAt = now + unwantedMsecs;
  }

  /**
   * True when the place of a free connection is due to another origin, though it could serve `next`: in a service to a lane
   * that has fewer sockets for its weight, or none for too long; and in all cases to a request that has waited so much longer.
   */
  mustYield(next: PoolLane<R, T> | null, isFresh: boolean, now: Msecs): boolean {
    const { budget, lanes, service } = this.pool;
    // What becomes idle is offered to others as such. And a fresh connection, whoever it was opened for, serves one request at
    // least: else handshakes could follow each other without end.
    if (next === null || isFresh) return false;
    for (let each = budget.parent; each !== null; each = each.parent) {
      if (each.line === null || each.line.size === 0 || !each.isFull) continue;
      const other = each.line.first(now);
      if (other === null || other.pool === this.pool) continue;
      let own = lanes.longestFor(isFresh);
      if (each === service.budget) {
        const rivals = lanes.servable(isFresh);
        const same = rivals.find(({ lane }) => lane === other.lane);
        if (same === undefined) {
          if (rivals.every((rival) => isOwed(other, rival, now))) return true;
          continue;
        }
        own = same.longestFor(isFresh);
      }
      const longest = other.nextToDial;
      if (own === null || longest === null) continue;
      if (longest.enqueuedAt + yieldAfterMsecs < own.enqueuedAt) return true;
    }
    return false;
  }

  /** True when a request that is next in its lane needs a fresh connection, and all places are taken. */
  get needsRoom(): boolean {
    const { budget, lanes } = this.pool;
    for (const place of lanes.waiting) {
      let first = place.queue.head;
      // Those before it that are sent again have a dial each, and no use for what is free either.
      while (first?.covered && first.resending !== null) first = first.behind as R | null;
      if (first === null || first.resending === null || first.covered) continue;
      if (place.mayClaim && budget.firstFull() !== null) return true;
    }
    return false;
  }

  /** Dials, and tells those who warm up. */
  review(now: Msecs): void {
    this.demand(now);
    // Nobody wants a dial any more: a back-off that still runs would end for nothing.
    if (!this.#isWanted) {
      if (this.pool.roster.idleCount > 0) this.patience?.relieved();
      if (this.nextLook !== null && this.#spareWanted() <= 0) {
        this.#world.timers.clear(this.nextLook);
      }
    }
    if (this.warmUp.isOver) return;
    const { roster } = this.pool;
    const failure =
      this.#health.kind === "failing" && !this.#mayDial(now)
        ? new ConnectError({ ...contextOf(this.pool, null), cause: this.#health.cause })
        : null;
    this.warmUp.tell(roster.openCount, roster.dialing > 0, failure);
  }

  /** Dials as often as pending requests and warm-up need and the limits allow. */
  demand(now: Msecs): void {
    const { waiting } = this.pool.lanes;
    // A dial may change the lanes under way, so they are looked at until none dials any more.
    for (let hasDialed = waiting.length > 0; hasDialed; ) {
      hasDialed = false;
      for (let index = 0; index < waiting.length; index++) {
        if (this.#demandFor(waiting[index] as PoolLane<R, T>, now)) hasDialed = true;
      }
    }
    // Warm-up takes what is free: it comes after all who wait, and takes no other origin's idle socket.
    while (this.#spareWanted() > 0 && !this.pool.budget.isFull && this.#mayDialSpare(now)) {
      if (this.#blockingBudget(null, now) !== null) return;
      this.#dial(now);
    }
  }

  /** Dials for one lane. Returns whether there was a dial. */
  #demandFor(lane: PoolLane<R, T>, now: Msecs): boolean {
    const { budget, lanes } = this.pool;
    let hasDialed = false;
    for (;;) {
      lanes.cover(); // a dial under way that is for nobody comes before a further one
      const next = lane.nextToDial;
      if (next === null) break;
      if (!lane.mayClaim) {
        this.pool.isHeldBack = true;
        const { keeper } = lane;
        lane.waitAt(keeper === budget ? null : keeper);
        return hasDialed;
      }
      if (!this.#mayDial(now)) break;
      if (this.#waitsPatiently(lane, next, now)) break;
      if (budget.isFull) {
        // What is idle while a request waits is none that it may use.
        const { longestIdle: longest } = budget;
        if (longest === null) break;
        this.pool.retire(longest, "made-room", now);
        continue;
      }
      const blocking = this.#blockingBudget(lane, now);
      if (blocking === null) {
        const { tuner } = this.pool.service;
        if (tuner !== null) {
          if (this.pool.roster.idleCount > 0) tuner.wantedFresh(now);
          else tuner.wanted(this.pool, now);
        }
        this.#dial(now);
        hasDialed = true;
        continue;
      }
      // A dial that nobody needs any more keeps no place that is reserved.
      const victim =
        blocking.longestIdle ?? (lane.isReserved ? this.#world.surplusDial(blocking) : null);
      if (victim === null || this.#isBehind(blocking, lane, now)) {
        lane.waitAt(blocking);
        return hasDialed;
      }
      victim.pool.retire(victim, "total-limit", now);
    }
    lane.waitAt(null);
    return hasDialed;
  }

  /** True when `next` of `lane` had better wait for a connection in use than for a dial of its own. */
  #waitsPatiently(lane: PoolLane<R, T>, next: R, now: Msecs): boolean {
    const { patience } = this;
    const { options, budget, capacity } = this.pool;
    if (patience === null) return false;
    // Where there is no place for a dial nothing is to be decided.
    if (options.dialing === "eager" || budget.isFull || capacity > 1) return false;
    const { overload, maxPending } = lane.lane.options;
    const { queue } = lane;
    // To wait for others is not for those who need a fresh one, have a socket reserved, or may not wait.
    if (next.resending !== null || lane.isReserved || overload === "reject") return false;
    if (queue.count - queue.coveredCount > maxPending) return false;
    this.#now = now;
    const until = patience.heldUntil(this, now);
    if (until === null) return false;
    if (until !== Number.POSITIVE_INFINITY) this.#lookAgainAt(until, now);
    return true;
  }

  get #isWanted(): boolean {
    return this.pool.lanes.waiting.some((each) => each.nextToDial !== null);
  }

  #mayDial(now: Msecs): boolean {
    if (this.#health.kind === "well") return true;
    if (isDown(this.#health) && this.pool.roster.dialing > 0) return false;
    if (now >= this.#health.retryAt) return true;
    this.#lookAgainAt(this.#health.retryAt, now);
    return false;
  }

  #mayDialSpare(now: Msecs): boolean {
    if (now >= this.#spareAt) return this.#mayDial(now);
    this.#lookAgainAt(this.#spareAt, now);
    return false;
  }

  #lookAgainAt(at: Msecs, now: Msecs): void {
    this.nextLook ??= new Reminder(() => this.#world.touch(this.pool));
    const { slot, at: setAt } = this.nextLook;
    if (slot === -1 || at < setAt) this.#world.timers.set(this.nextLook, at, now);
  }

  /** Dials wanted ahead of demand, beyond those under way, which serve pending requests first. */
  #spareWanted(): number {
    if (this.#world.isClosing || this.pool.isDropped) return 0;
    const { minFreeSockets, maxFreeSockets } = this.pool.options;
    const { openCount, dialing } = this.pool.roster;
    // The scout is none that a request may take.
    const idleCount = this.pool.roster.idleCount - (this.pool.idle.scout === null ? 0 : 1);
    const wanted = Math.max(minFreeSockets - idleCount, this.warmUp.target - openCount);
    // What could not be kept would be closed at once and wanted again, without end.
    const keepable = (this.pool.idle.canKeepSpare ? maxFreeSockets : 0) - idleCount;
    return Math.min(wanted, keepable) + this.pool.lanes.coveredCount - dialing;
  }

  /** The nearest shared budget that is full, or in which somebody else is due; for a spare connection (null), anybody. */
  #blockingBudget(lane: PoolLane<R, T> | null, now: Msecs): Budget<R, T> | null {
    for (let each = this.pool.budget.parent; each !== null; each = each.parent) {
      if (each.isFull || this.#isBehind(each, lane, now)) return each;
    }
    return null;
  }

  /** True when somebody stands before `lane` in the line of `budget`. */
  #isBehind(budget: Budget<R, T>, lane: PoolLane<R, T> | null, now: Msecs): boolean {
    const { line } = budget;
    if (line === null || line.size === 0) return false;
    return lane === null ? line.first(now) !== null : line.hasBefore(lane, now);
  }

  #dial(now: Msecs): void {
    this.patience?.began(now);
    const connection = new Connection<R, T>(this.pool, this.#world.nextConnectionId++, now);
    this.pool.roster.add(connection, now + this.pool.options.connectTimeoutMsecs, now);
    this.#world.port.dial(connection, now);
  }
}
