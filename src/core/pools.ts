/**
 * All pools of one client: the core's entrance. Every event of the world comes in here with the time it
 * happened at, and after each one the pools that it touched are looked at again until nothing changes.
 */
import { Budget } from "./budget.ts";
import type { Msecs, Random } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { ClientClosedError } from "./errors.ts";
import { type Handover, release, resume } from "./handover.ts";
import type { ServicePolicy } from "./lane-options.ts";
import { ArrivalLine } from "./line.ts";
import { Marking } from "./marks.ts";
import type { Observer } from "./observer.ts";
import type { CoreOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import { completePolicies, serviceNameOf } from "./policies.ts";
import { Pool } from "./pool.ts";
import type { DialFacts, Port, Warmer } from "./port.ts";
import { contextOf } from "./report.ts";
import { type FailedAttempt, type ResendRefusal, resendRefusal } from "./resend.ts";
import type { RetireReason } from "./retire.ts";
import { Service } from "./service.ts";
import { type PoolSite, plainSite } from "./site.ts";
import { Timers } from "./timers.ts";

/** A timer that fires no later than this was on time. */
const onTimeMsecs: Msecs = 50;

/** The pools, their shared budget and their deadlines. */
export class Pools<R extends PendingRequest, T> {
  readonly port: Port<R, T>;
  readonly random: Random;
  readonly timers: Timers;
  readonly budget: Budget<R, T>;
  /** Null while nobody looks on. */
  observer: Observer<R, T> | null = null;
  /** Null while nobody reads marks. */
  marking: Marking<R, T> | null = null;
  nextConnectionId = 1;
  nextSequence = 1;
  /** When a socket last had something to say: later, nothing was heard of any. */
  heardAt: Msecs = 0;
  /** True from `close` on: connections are kept for pending requests only. */
  isClosing = false;
  #isDestroyed = false;
  #options: CoreOptions;
  #policies: readonly ServicePolicy[];
  readonly #services = new Map<string, Service<R, T>>();
  readonly #byKey = new Map<string, Pool<R, T>>();
  /** Pools to review. */
  readonly #touched: Pool<R, T>[] = [];
  /** Of these, pools in which nobody waits. Their warm-up comes after all who wait, in whatever pool. */
  readonly #quiet: Pool<R, T>[] = [];
  /** Shared budgets in which a permit or an idle connection may have become free for those who wait. */
  readonly #offered = new Set<Budget<R, T>>();
  #isSettling = false;

  /** `services`: those that the client names; `default` is made from `options` when it is not among them. */
  constructor(
    options: CoreOptions,
    port: Port<R, T>,
    random: Random,
    services: readonly ServicePolicy[] = [],
  ) {
    this.#options = options;
    this.port = port;
    this.random = random;
    this.timers = new Timers((at) => port.wakeAt(at));
    this.budget = new Budget("maxTotalSockets", options.maxTotalSockets, null);
    this.budget.line = new ArrivalLine();
    this.#policies = completePolicies(services, options);
    for (const policy of this.#policies) {
      this.#services.set(policy.name, new Service(policy, this));
    }
    this.#recount();
  }

  get options(): CoreOptions {
    return this.#options;
  }

  get all(): IterableIterator<Pool<R, T>> {
    return this.#byKey.values();
  }

  get services(): IterableIterator<Service<R, T>> {
    return this.#services.values();
  }

  get size(): number {
    return this.#byKey.size;
  }

  /**
   * The service that has `origin`.
   *
   * @throws InvalidRequestError when two have it.
   */
  serviceOf(origin: string): Service<R, T> {
    const known = this.#byKey.get(origin);
    if (known !== undefined) return known.service;
    return this.#services.get(serviceNameOf(origin, this.#policies)) as Service<R, T>;
  }

  /**
   * The pool of an origin, made when there is none: the plain one, or that of a site.
   *
   * @throws InvalidRequestError when two services have the origin.
   */
  pool(of: string | PoolSite, now: Msecs): Pool<R, T> {
    const key = typeof of === "string" ? of : of.key;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const site = typeof of === "string" ? plainSite(of) : of;
    const service = this.serviceOf(site.origin);
    this.#makeRoom(now);
    const meanwhile = this.#byKey.get(key); // asked for by the port while room was made
    if (meanwhile !== undefined) return meanwhile;
    const pool = new Pool<R, T>(this, site, service);
    this.#byKey.set(key, pool);
    this.marking?.watch(pool.budget);
    return pool;
  }

  /** `pool`, or the one that has taken its place when it was dropped. */
  present(pool: Pool<R, T>, now: Msecs): Pool<R, T> {
    return pool.isDropped ? this.pool(pool.site, now) : pool;
  }

  /** Asks for a connection. Ends in `port.grant` or `port.refuse`, now or later, unless it is cancelled. */
  acquire(pool: Pool<R, T>, request: R, now: Msecs): void {
    if (this.observer !== null && request.phase === "new")
      this.observer.created(request, pool, now);
    if (this.isClosing) {
      this.#refuseClosed(pool, request);
      return;
    }
    this.present(pool, now).acquire(request, now);
    this.#settle(now);
  }

  /** A pending request gives up. Nothing is called back; nothing happens when it is not pending. */
  cancel(request: R, now: Msecs): void {
    request.place?.pool.cancel(request, now);
    this.#settle(now);
  }

  dialed(connection: Connection<R, T>, facts: DialFacts, now: Msecs): void {
    this.heardAt = now;
    if (connection.state.kind === "dialing") this.observer?.opened(connection, facts, now);
    connection.pool.dialed(connection, facts, now);
    this.#settle(now);
  }

  dialFailed(connection: Connection<R, T>, cause: unknown, now: Msecs): void {
    this.heardAt = now;
    connection.pool.dialFailed(connection, cause, now);
    this.#settle(now);
  }

  /** The response to `request` was read wholly, and the request written wholly. */
  released(connection: Connection<R, T>, request: R, now: Msecs): void {
    this.heardAt = now;
    connection.pool.released(connection, request, now);
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
      this.observer?.resent(request, connection, attempt.isWritten, now);
      if (this.#isDestroyed) {
        request.interrupted();
        this.#refuseClosed(pool, request);
      } else {
        this.present(pool, now).resend(request, connection, attempt.isWritten, now);
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
      warmer.failed(new ClientClosedError("the client is closed", contextOf(pool, null)));
      return;
    }
    this.present(pool, now).warm(warmer, now);
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

  /**
   * Takes new limits, services and lanes, for pools that there are and for those to come. Nothing that waits or is under
   * way is lost: origins go over to the services that have them now, requests of a lane that is gone to the lane `default`.
   *
   * @throws InvalidRequestError when two services have the origin of a pool. Nothing has changed then.
   */
  configure(options: CoreOptions, services: readonly ServicePolicy[], now: Msecs): void {
    const policies = completePolicies(services, options);
    const pools = [...this.#byKey.values()];
    const names = pools.map((pool) => serviceNameOf(pool.origin, policies));

    // Dials are for whom they may be for under the new limits.
    for (const pool of pools) pool.lanes.setDialing(0);
    this.#options = options;
    this.#policies = policies;
    this.budget.limit = options.maxTotalSockets;
    const before = new Map(this.#services);
    const changed = new Set<Service<R, T>>();
    this.#services.clear();
    for (const policy of policies) {
      const service = before.get(policy.name) ?? new Service(policy, this);
      if (service.configure(policy)) changed.add(service);
      this.#services.set(policy.name, service);
    }
    const connections = () => pools.flatMap(({ roster }) => [...roster.connections]);
    for (const each of before.values()) if (this.#services.get(each.name) !== each) each.end();
    for (const { budget } of [this, ...this.#services.values()]) budget.relist(connections);
    const moved: [Pool<R, T>, Handover<R, T>][] = [];
    for (const [index, pool] of pools.entries()) {
      const service = this.#services.get(names[index] as string) as Service<R, T>;
      if (service === pool.service && !changed.has(service)) continue;
      moved.push([pool, release(pool, service, now)]);
    }
    this.#recount();
    for (const [pool, handover] of moved) resume(pool, handover, now);
    for (const { budget, lanes, options, roster } of pools) {
      budget.limit = options.maxSockets;
      lanes.setDialing(roster.dialing);
      lanes.lineUp();
    }
    this.keepWithin(this.budget, now);
    for (const service of this.#services.values()) this.keepWithin(service.budget, now);
    for (const pool of pools) pool.configure(now);
    this.#offered.add(this.budget);
    for (const { budget } of this.#services.values()) this.#offered.add(budget);
    this.#settle(now);
  }

  /** No new requests. Idle connections go at once, others when no pending request needs them. */
  close(now: Msecs): void {
    this.isClosing = true;
    for (const pool of this.#byKey.values()) pool.close(now);
    for (const service of this.#services.values()) service.end();
    this.#settle(now);
  }

  /** Refuses all pending requests and retires all connections, at once. */
  destroy(now: Msecs): void {
    this.isClosing = true;
    this.#isDestroyed = true;
    for (const pool of this.#byKey.values()) pool.destroy("client-closed", now);
    for (const service of this.#services.values()) service.end();
    this.#settle(now);
  }

  /** `reader` has marks of its own from now on, until it is ended. */
  beginMarks(reader: object): Marking<R, T> {
    this.marking ??= new Marking();
    this.marking.begin(reader, this);
    return this.marking;
  }

  /** `reader` has no marks any more. */
  endMarks(reader: object): void {
    if (this.marking?.end(reader, this) === true) this.marking = null;
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
      if (each.line !== null && each.line.size > 0) this.#offered.add(each);
    }
  }

  /** For pools: a dial under `budget` that is for nobody, the last one of its pool; null when there is none. */
  surplusDial(budget: Budget<R, T>): Connection<R, T> | null {
    for (const { lanes, roster, service } of this.#byKey.values()) {
      if (roster.dialing <= lanes.coveredCount) continue;
      if (budget !== this.budget && budget !== service.budget) continue;
      for (const each of roster.connections) if (each.state.kind === "dialing") return each;
    }
    return null;
  }

  /** For pools: `pool` is quiet, and let go. What is idle in it is closed, and what it counted counts for its service from now on. */
  drop(pool: Pool<R, T>, now: Msecs): void {
    pool.isDropped = true;
    pool.waiting.end(now);
    this.#byKey.delete(pool.site.key);
    pool.destroy("max-origins", now);
    pool.service.absorb(pool);
  }

  #refuseClosed(pool: Pool<R, T>, request: R): void {
    request.phase = "settled";
    this.port.refuse(
      request,
      new ClientClosedError("the client is closed", contextOf(pool, request)),
    );
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
          if (pool.budget.pending > 0) this.#review(pool, now);
          else this.#quiet.push(pool);
          continue;
        }
        const [budget] = this.#offered;
        if (budget !== undefined) {
          this.#offered.delete(budget);
          this.#serveWaiting(budget, now);
          continue;
        }
        const quiet = this.#quiet.pop();
        if (quiet === undefined) return;
        this.#review(quiet, now);
      }
    } finally {
      this.#isSettling = false;
    }
  }

  #review(pool: Pool<R, T>, now: Msecs): void {
    pool.isTouched = false;
    pool.review(now);
  }

  /** Who is first in line dials, or finds that it still cannot. */
  #serveWaiting(budget: Budget<R, T>, now: Msecs): void {
    const { line } = budget;
    if (line === null || line.size === 0) return;
    if (!budget.isFull || budget.longestIdle !== null) {
      const first = line.first(now);
      const before = first?.rank;
      first?.pool.review(now);
      // It moved on, so there may be more for it or for the next.
      const next = line.first(now);
      if (next !== first || next?.rank !== before) {
        this.#offered.add(budget);
        return;
      }
    }
    if (this.budget.reserved === 0) return; // here and in all services
    // Whom only a reservation stood against may have what its pool has open; or it waits for another budget by now.
    for (const each of line.entries()) {
      const { lanes, roster } = each.pool;
      const hasOpen = roster.hasOpen || roster.dialing > lanes.coveredCount;
      if (hasOpen || each.keeper !== budget) each.pool.review(now);
    }
  }

  /** Idle connections over a limit go at once, the longest idle first. */
  keepWithin(budget: Budget<R, T>, now: Msecs): void {
    for (let idle = budget.longestIdle; idle !== null; idle = budget.longestIdle) {
      if (budget.open <= budget.limit) return;
      idle.pool.retire(idle, "max-sockets", now);
    }
  }

  /** Sums up what lanes reserve and claim, for every budget. */
  #recount(): void {
    this.budget.reserved = this.budget.committed = 0;
    for (const { budget, lanes, reservedSockets } of this.#services.values()) {
      budget.reserved = reservedSockets;
      budget.committed = 0;
      for (const { claimed, options } of lanes.values()) {
        budget.committed += Math.max(claimed, options.reservedSockets);
      }
      this.budget.reserved += budget.reserved;
      this.budget.committed += budget.committed;
    }
    for (const { service, lanes, budget } of this.#byKey.values()) {
      budget.reserved = budget.committed = service.reservedSockets;
      for (const { claimed, lane } of lanes.all) {
        budget.committed += Math.max(claimed - lane.options.reservedSockets, 0);
      }
    }
  }

  /** Keeps to `maxOrigins` by letting the pool go that has been quiet for longest. Busy pools stay. */
  #makeRoom(now: Msecs): void {
    while (this.#byKey.size >= this.#options.maxOrigins) {
      let quiet: Pool<R, T> | null = null;
      for (const pool of this.#byKey.values()) {
        if (pool.isQuiet && (quiet === null || pool.lastUsed < quiet.lastUsed)) quiet = pool;
      }
      if (quiet === null) return;
      this.drop(quiet, now);
    }
  }
}
