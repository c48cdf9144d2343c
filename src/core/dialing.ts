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
import { ConnectError } from "./errors.ts";
import type { Ranked } from "./heap.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { Pools } from "./pools.ts";
import { Deadline } from "./timers.ts";
import { WarmUp } from "./warm-up.ts";

/** How long warm-up waits after the server has closed a connection that no request had used yet. */
const unwantedMsecs: Msecs = 1_000;

/**
 * A connection that another origin's request has a better right to, by the order of waiting, stays with
 * its origin while the difference is no more than this: handing it over costs a handshake, and two busy
 * origins under one `maxTotalSockets` would otherwise pay it with every request.
 */
const yieldAfterMsecs: Msecs = 100;

/** The dials of one pool. As a deadline it is the end of a back-off. */
export class Dialing<R extends PendingRequest, T> extends Deadline implements Ranked {
  readonly pool: Pool<R, T>;
  readonly warmUp = new WarmUp();
  rank = 0;
  heapIndex = -1;
  readonly #world: Pools<R, T>;
  #health: DialHealth = well;
  #waitingAt: Budget<R, T> | null = null;
  /** Warm-up does not dial before. */
  #spareAt: Msecs = 0;

  constructor(world: Pools<R, T>, pool: Pool<R, T>) {
    super();
    this.#world = world;
    this.pool = pool;
  }

  /** How long the next dial has been waited for, as a place in the order of arrival; null when none is wanted. */
  get nextSequence(): number | null {
    const { uncovered } = this.pool.queue;
    return uncovered === null ? null : uncovered.sequence;
  }

  /** True when failures are repeated. */
  get isDown(): boolean {
    return isDown(this.#health);
  }

  /** What the last dial failed with; null when it did not. */
  get failure(): unknown {
    return this.#health.kind === "failing" ? this.#health.cause : null;
  }

  succeeded(): void {
    this.#health = well;
  }

  /** A dial that began at `since` has failed. */
  failed(since: Msecs, cause: unknown, now: Msecs): void {
    this.#health = afterFailure(this.#health, since, cause, now, this.#world.random);
  }

  /** The server closed a connection that no request had used: it may not want any held ready. */
  spareLost(now: Msecs): void {
    this.#spareAt = now + unwantedMsecs;
  }

  override expire(): void {
    this.#world.touch(this.pool);
  }

  /** True when another origin's request has waited so much longer that this origin's place is due to it. */
  mustYield(): boolean {
    const own = this.pool.queue.head;
    if (own === null) return false; // idle connections are offered anyway
    for (let each = this.pool.budget.parent; each !== null; each = each.parent) {
      if (each.waiting.size === 0 || !each.isFull) continue;
      const other = each.firstWaiting()?.pool.queue.uncovered ?? null;
      if (other !== null && other.enqueuedAt + yieldAfterMsecs < own.enqueuedAt) return true;
    }
    return false;
  }

  /** Dials, and tells those who warm up. */
  review(now: Msecs): void {
    this.demand(now);
    // Nobody wants a dial any more: a back-off that still runs would end for nothing.
    if (this.pool.queue.uncovered === null && this.#spareWanted() <= 0) {
      this.#world.timers.clear(this);
    }
    if (this.warmUp.isOver) return;
    const { origin, roster } = this.pool;
    const failure =
      this.#health.kind === "failing" && !this.#mayDial(now)
        ? new ConnectError({ origin, service: "default", cause: this.#health.cause })
        : null;
    this.warmUp.tell(roster.openCount, roster.dialingCount > 0, failure);
  }

  /** Dials as often as pending requests and warm-up need and the limits allow. */
  demand(now: Msecs): void {
    for (let next = this.pool.queue.uncovered; next !== null; next = this.pool.queue.uncovered) {
      if (!this.#mayDial(now)) break;
      if (this.pool.budget.isFull) {
        // What is idle while a request waits is none that it may use.
        const { longest } = this.pool.budget.idle;
        if (longest === null) break;
        this.pool.retire(longest, "made-room", now);
        continue;
      }
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
    while (this.#spareWanted() > 0 && !this.pool.budget.isFull && this.#mayDialSpare(now)) {
      if (this.#blockingBudget(Number.POSITIVE_INFINITY) !== null) return;
      this.#dial(now);
    }
  }

  #mayDial(now: Msecs): boolean {
    if (this.#health.kind === "well") return true;
    if (isDown(this.#health) && this.pool.roster.dialingCount > 0) return false;
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
    if (this.slot === -1 || at < this.at) this.#world.timers.set(this, at, now);
  }

  /** Dials wanted ahead of demand, beyond those under way, which serve pending requests first. */
  #spareWanted(): number {
    if (this.#world.isClosing || this.pool.isDropped) return 0;
    const { minFreeSockets, maxFreeSockets } = this.pool.options;
    const { openCount, dialingCount } = this.pool.roster;
    // The scout is none that a request may take.
    const idleCount = this.pool.roster.idleCount - (this.pool.idle.scout === null ? 0 : 1);
    const wanted = Math.max(minFreeSockets - idleCount, this.warmUp.target - openCount);
    // What could not be kept would be closed at once and wanted again, without end.
    const keepable = (this.pool.idle.canKeepSpare ? maxFreeSockets : 0) - idleCount;
    return Math.min(wanted, keepable) + this.pool.queue.count - dialingCount;
  }

  /** The nearest shared budget that is full, or in which somebody has waited longer. */
  #blockingBudget(sequence: number): Budget<R, T> | null {
    for (let each = this.pool.budget.parent; each !== null; each = each.parent) {
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
    const connection = new Connection<R, T>(this.pool, this.#world.nextConnectionId++, now);
    this.pool.roster.add(connection, now + this.pool.options.connectTimeoutMsecs, now);
    this.#world.port.dial(connection, now);
  }
}
