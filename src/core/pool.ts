/**
 * The connections and the pending requests of one origin. Who is served next and when a connection is
 * retired is decided here and nowhere else; whether to dial, in `Dialing`; which idle connection is used, in
 * `IdleConnections`.
 * Invariant, after every event: no request is pending while an idle connection that it may use or a permit
 * for a dial is there, unless `Patience` has it wait.
 */
import type { Budget } from "./budget.ts";
import type { Msecs } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { Dialing } from "./dialing.ts";
import { ClientClosedError } from "./errors.ts";
import { IdleConnections } from "./idle.ts";
import { Lanes } from "./lanes.ts";
import { overdueReason } from "./lifetime.ts";
import type { PoolOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import type { PoolLane } from "./pool-lane.ts";
import type { Pools } from "./pools.ts";
import type { DialFacts, Warmer } from "./port.ts";
import { contextOf } from "./report.ts";
import { resendAfter } from "./resend.ts";
import type { RetireReason } from "./retire.ts";
import { busy, Roster } from "./roster.ts";
import type { Service } from "./service.ts";
import type { ShadowIdle } from "./shadow-idle.ts";
import type { PoolSite } from "./site.ts";
import { Tally } from "./tally.ts";
import { Reminder } from "./timers.ts";
import { Waiting } from "./waiting.ts";

/** A pool without connections and requests is dropped after this long. */
const emptyPoolMsecs: Msecs = 30_000;

/** The pool of one origin, or of one of the ways to dial it. */
export class Pool<R extends PendingRequest, T> {
  /** `protocol://host:port`. */
  readonly origin: string;
  readonly site: PoolSite;
  /** The service that has this origin. */
  service: Service<R, T>;
  readonly lanes: Lanes<R, T>;
  readonly roster: Roster<R, T>;
  readonly dialing: Dialing<R, T>;
  readonly idle: IdleConnections<R, T>;
  readonly waiting: Waiting<R, T>;
  readonly tally = new Tally();
  /** Requests that its connections carry at once: what the last dial brought. */
  capacity = 1;
  /** The lane of the last request: of many origins with one lane each, `lanes` has left the caches. */
  recentLane: PoolLane<R, T> | null = null;
  /** A lane was kept from what is open by its own limit or by a reservation, and may find it free when these change. */
  isHeldBack = false;
  /** True once the pool was let go: a later request needs a new one. */
  isDropped = false;
  /** Its last request or warm-up, as a place in the order of arrival. */
  lastUsed: number;
  /** Marked for a look by `settle`. */
  isTouched = false;
  /** So many of the next requests note where they are made, for reports of bodies that nobody reads. Moved by who makes requests. */
  toTrace = 16;
  /** Of so many of the next, one in some does. */
  toSample = 0;
  /** The end of a while in which it is empty; null until it first is. */
  emptiness: Reminder | null = null;
  /** What would be idle under other limits; null while nobody looks. */
  shadow: ShadowIdle | null = null;
  readonly #world: Pools<R, T>;

  constructor(world: Pools<R, T>, site: PoolSite, service: Service<R, T>) {
    this.#world = world;
    this.origin = site.origin;
    this.site = site;
    this.service = service;
    this.lanes = new Lanes(this);
    this.roster = new Roster(service, this.lanes, world.timers);
    this.dialing = new Dialing(world, this);
    this.idle = new IdleConnections(world, this);
    this.waiting = new Waiting(world, this);
    this.lastUsed = world.nextSequence++;
  }

  get options(): PoolOptions {
    return this.service.options;
  }

  /** The limit on this origin's sockets, with the limits above it. */
  get budget(): Budget<R, T> {
    return this.roster;
  }

  /** True when nothing is under way, though idle connections may be held. */
  get isQuiet(): boolean {
    return this.budget.pending === 0 && this.roster.busy === 0 && this.dialing.warmUp.isOver;
  }

  /** Gives `request` a connection now, or lets it wait. */
  acquire(request: R, now: Msecs): void {
    const place = this.#laneOf(request.lane);
    this.lastUsed = this.#world.nextSequence;
    request.enqueuedAt = now;
    request.place = place;
    // Also while others wait: for what is idle then is none that they may use.
    const connection = place.mayClaim ? this.#claimUsable(request, place, now) : null;
    request.sequence = this.#world.nextSequence++;
    if (connection !== null) {
      place.requests++;
      if (this.options.minFreeSockets > 0) this.#world.touch(this);
      place.hold(now);
      this.#lease(request, connection, connection.leases + 1, now);
      // A connection that was idle and now has free slots is one that others waited for in vain.
      if (connection.capacity > 1 && connection.state.kind === "busy") {
        this.#serve(connection, connection.leases, now);
      }
      return;
    }
    if (this.isDropped) {
      // When a stale connection was retired, the port made room for another origin, of all places here.
      this.#world.present(this, now).acquire(request, now);
      return;
    }
    place.requests++;
    this.waiting.begin(request, place, now);
    this.dialing.demand(now);
    // Where the newest goes first, it may have the claim of one that cannot use what is open.
    if (request.covered && this.roster.hasOpen) this.isHeldBack = true;
    if (request.phase === "pending") this.waiting.admit(request, place, now);
    if (this.isHeldBack) this.#world.touch(this);
  }

  /** `failed` broke under `request`, which goes to another connection, before all that came after it. */
  resend(request: R, failed: Connection<R, T>, isWritten: boolean, now: Msecs): void {
    this.tally.resent++;
    this.#world.timers.clear(request);
    request.interrupted();
    request.resending = resendAfter(request.resending, failed.id, isWritten, this.roster.idleCount);
    this.#acquireAgain(request, now);
  }

  /** A pending request gives up: it is forgotten and not told. */
  cancel(request: R, now: Msecs): void {
    if (request.phase !== "pending") return;
    this.waiting.cancel(request, now);
    this.#world.touch(this);
  }

  /** A pending request has waited too long. */
  queueTimedOut(request: R, now: Msecs): void {
    this.waiting.timedOut(request, now);
    this.#world.touch(this);
  }

  /** Opens connections ahead of demand, as far as the limits allow without taking from others. */
  warm(warmer: Warmer, now: Msecs): void {
    this.lastUsed = this.#world.nextSequence++;
    this.dialing.warmUp.add(warmer);
    this.#world.touch(this);
  }

  dialed(connection: Connection<R, T>, facts: DialFacts, now: Msecs): void {
    if (connection.state.kind !== "dialing") return; // superseded: timed out or destroyed meanwhile
    const dialMsecs = now - connection.state.since;
    this.dialing.succeeded(dialMsecs, now);
    this.tally.dialed(dialMsecs, facts);
    connection.capacity = facts.capacity;
    this.isHeldBack ||= facts.capacity !== this.capacity;
    this.capacity = facts.capacity;
    connection.openedAt = now;
    connection.ageJitter = 0.1 * this.#world.random();
    // It was opened for one request, and serves the one that is due.
    this.lanes.setDialing(this.roster.dialing - 1);
    this.#serve(connection, 0, now);
    this.waiting.unclaimed();
    this.#world.touch(this);
  }

  dialFailed(connection: Connection<R, T>, cause: unknown, now: Msecs): void {
    this.dialing.ended(connection, "dial-failed", cause, now);
  }

  /** The lease of `request` ended on a clean message boundary. */
  released(connection: Connection<R, T>, request: R, now: Msecs): void {
    const { state } = connection;
    switch (state.kind) {
      case "busy":
        if (connection.lastIdleMsecs > 0) this.idle.rode(connection.lastIdleMsecs, now);
        this.#letGo(connection, request, now);
        this.#serve(connection, state.leases - 1, now);
        break;
      case "draining":
        this.#letGo(connection, request, now);
        if (state.leases > 1) this.roster.move(connection, { ...state, leases: state.leases - 1 });
        else this.retire(connection, state.reason, now);
        break;
      case "closed":
        return; // superseded: destroyed meanwhile
      case "dialing":
      case "idle":
        this.#world.port.broken(`connection ${connection.id} was released while ${state.kind}`);
        return;
      default:
        state satisfies never;
    }
    if (this.isHeldBack || this.service.isReservedFrom) this.waiting.unclaimed();
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
    this.roster.move(connection, { kind: "closed", reason, before: state });
    for (const holder of connection.holders) {
      connection.letGoOf(holder);
      holder.place?.leaseEnded(now - connection.leasedAt, false, now);
    }
    this.tally.retired(reason, state.kind === "dialing" ? null : now - connection.openedAt);
    if (reason === "server-closed" && connection.requestCount === 0) this.dialing.spareLost(now);
    if (state.kind === "idle") this.idle.ended(connection, state.since, reason, now);
    this.#world.touch(this);
    this.#world.offer(this.budget);
    this.#world.port.retire(connection, reason, now);
  }

  /** What the server said of how long, and for how many further requests, it keeps a connection. */
  hinted(connection: Connection<R, T>, timeoutMsecs: Msecs | null, furtherRequests: number): void {
    connection.hintMsecs = timeoutMsecs;
    const isBound = furtherRequests !== Number.POSITIVE_INFINITY;
    connection.hintedRequests = isBound ? connection.requestCount + furtherRequests : null;
    this.idle.hintMsecs = timeoutMsecs;
  }

  connectionExpired(connection: Connection<R, T>, now: Msecs): void {
    if (connection.state.kind === "dialing") {
      this.dialing.ended(connection, "connect-timeout", undefined, now);
    } else if (connection.state.kind === "idle") {
      this.idle.expired(connection, now);
    }
  }

  /** Keeps to the limits that its service has now: idle connections over them go at once, busy ones when they are released. */
  configure(now: Msecs): void {
    if (this.service.tuner === null) this.shadow = null;
    this.#world.keepWithin(this.budget, now);
    this.idle.trim(now);
    for (const connection of this.roster.connections) {
      if (connection.state.kind !== "idle") continue;
      const overdue = overdueReason(connection, this.#world.isClosing, now);
      if (overdue !== null) this.retire(connection, overdue, now);
    }
    this.idle.reconsider(now);
    this.waiting.reconsider(now);
    this.isHeldBack = true;
    this.#world.touch(this);
  }

  /** Lets idle connections go. Pending requests are still served. */
  close(now: Msecs): void {
    for (let idle = this.budget.longestIdle; idle !== null; idle = this.budget.longestIdle) {
      this.retire(idle, "client-closed", now);
    }
    const message = `the client was closed while ${this.origin} was being warmed`;
    this.dialing.warmUp.fail(new ClientClosedError(message, contextOf(this, null)));
    this.waiting.stopLooking();
    this.#world.touch(this);
  }

  /** Refuses every pending request and retires every connection, at once. */
  destroy(reason: RetireReason, now: Msecs): void {
    for (let next = this.lanes.longest(); next !== null; next = this.lanes.longest()) {
      const message = `the client was destroyed while a request to ${this.origin} waited for a socket`;
      this.waiting.refuse(next, new ClientClosedError(message, contextOf(this, next)), now);
    }
    for (const connection of this.roster.connections) this.retire(connection, reason, now);
    this.close(now);
    for (const each of [this.emptiness, this.dialing.nextLook]) {
      if (each !== null) this.#world.timers.clear(each);
    }
  }

  /** Looks at the whole pool again after something changed. Called by `Pools.settle`. */
  review(now: Msecs): void {
    if (this.isHeldBack) this.#serveHeldBack(now);
    this.lanes.cover();
    if (this.budget.pending > 0) this.waiting.refuseUncovered(now);
    this.dialing.review(now);
    if (this.budget.open === 0 && this.isQuiet && !this.isDropped) {
      // A closed client keeps its pools for its last stats, and sets no timer for them.
      const emptyMsecs = emptyPoolMsecs + (this.service.tuner?.horizonMsecs ?? 0);
      const dropAt = this.#world.isClosing ? Number.POSITIVE_INFINITY : now + emptyMsecs;
      this.emptiness ??= new Reminder((then) => {
        if (this.budget.open === 0 && this.isQuiet) this.#world.drop(this, then);
      });
      this.#world.timers.set(this.emptiness, dropAt, now);
    }
  }

  #laneOf(name: string): PoolLane<R, T> {
    if (this.recentLane?.lane.name !== name) this.recentLane = this.lanes.of(name);
    return this.recentLane;
  }

  /** A request that is sent again gets a connection that is newer than the failed one, or waits for it. */
  #acquireAgain(request: R, now: Msecs): void {
    const place = this.#laneOf(request.lane);
    request.place = place;
    const mayTake = (request.resending?.idleLeft ?? 0) > 0 && place.mayClaim;
    const connection = mayTake ? this.#claimUsable(request, place, now) : null;
    if (connection !== null) {
      place.hold(now);
      this.#lease(request, connection, 1, now);
      if (connection.state.kind === "busy") this.#serve(connection, connection.leases, now);
      return;
    }
    if (this.isDropped) {
      // As in `acquire`: while what was stale was retired, nothing waited here.
      this.#world.present(this, now).#acquireAgain(request, now);
      return;
    }
    this.waiting.begin(request, place, now);
    this.lanes.mark(place);
    this.dialing.demand(now);
    this.#world.touch(this);
  }

  /** `connection` has room beside `leases`: the longest-waiting requests get it, unless it must go. */
  #serve(connection: Connection<R, T>, leases: number, now: Msecs): void {
    // One grant a turn: each may make the connection overdue, and in it the driver may release or lose.
    for (let held = leases; ; held = connection.leases) {
      const overdue = overdueReason(connection, this.#world.isClosing, now);
      if (overdue !== null) {
        if (held === 0) this.retire(connection, overdue, now);
        else this.roster.move(connection, { kind: "draining", leases: held, reason: overdue });
        return;
      }
      const isFresh = connection.requestCount === 0;
      const isWanted = this.budget.pending > 0;
      const lane = isWanted && held < connection.capacity ? this.lanes.next(isFresh, now) : null;
      if (isWanted && held === 0) {
        if (this.dialing.mustYield(lane, isFresh, now)) {
          this.retire(connection, "total-limit", now);
          return;
        }
        if (!isFresh && this.dialing.needsRoom) {
          this.retire(connection, "made-room", now);
          return;
        }
      }
      const next = lane === null ? null : lane.queue.firstFor(isFresh);
      if (lane === null || next === null) {
        if (held === 0) this.idle.rest(connection, now);
        else this.roster.move(connection, busy(held));
        return;
      }
      this.#serveNext(next, lane, connection, held + 1, now);
      if (connection.capacity === 1 || connection.state.kind !== "busy") return;
    }
  }

  /** A pending request gets a connection. */
  #serveNext(
    request: R,
    place: PoolLane<R, T>,
    connection: Connection<R, T>,
    leases: number,
    now: Msecs,
  ): void {
    this.waiting.served(request, place, now);
    this.#lease(request, connection, leases, now);
  }

  /** Lanes that were kept from open connections get them now, as far as they may. */
  #serveHeldBack(now: Msecs): void {
    this.isHeldBack = false;
    if (this.budget.pending === 0) return;
    for (const place of [...this.lanes.waiting]) {
      for (let next = place.queue.head; next !== null; ) {
        if (!this.roster.hasOpen) return;
        if (!next.covered && !place.mayClaim) {
          this.isHeldBack = true;
          break;
        }
        const behind: R | null = next.behind as R | null;
        const connection = this.#takeUsable(next, now);
        if (next.phase !== "pending" || next.place !== place) break; // the port had events of its own
        if (connection !== null) {
          this.#serveNext(next, place, connection, connection.leases + 1, now);
        }
        next = behind?.phase === "pending" && behind.place === place ? behind : null;
      }
    }
  }

  #letGo(connection: Connection<R, T>, request: R, now: Msecs): void {
    connection.letGoOf(request);
    request.place?.leaseEnded(now - connection.leasedAt, true, now);
  }

  #lease(request: R, connection: Connection<R, T>, leases: number, now: Msecs): void {
    const { state } = connection;
    connection.lastIdleMsecs = state.kind === "idle" ? now - state.since : 0;
    const { tuner } = this.service;
    if (tuner !== null && state.kind === "idle") tuner.wanted(this, now);
    connection.leasedAt = now;
    this.roster.move(connection, busy(leases));
    connection.holdFor(request);
    request.phase = "granted";
    const place = request.place as PoolLane<R, T>;
    place.granted(connection.requestCount++ > 0 ? connection.lastIdleMsecs : null);
    if (request.resending === null) place.waited(now - request.enqueuedAt);
    this.#world.port.grant(request, connection, now);
  }

  /** As `#takeUsable`. Claimed first: to retire what is stale, the port may have events of its own. */
  #claimUsable(request: R, place: PoolLane<R, T>, now: Msecs): Connection<R, T> | null {
    place.claim();
    const connection = this.#takeUsable(request, now);
    if (connection !== null) return connection;
    place.unclaim();
    this.waiting.unclaimed();
    return null;
  }

  /** A connection for `request` that needs no waiting, or null. */
  #takeUsable(request: R, now: Msecs): Connection<R, T> | null {
    // What is sent again waits for an idle one that is newer, or for a fresh one.
    if (request.resending !== null) return this.idle.take(request, now);
    // Once more at the end: what was stale was retired, and the port may have had events of its own meanwhile.
    return this.#takePartlyBusy(now) ?? this.idle.take(request, now) ?? this.#takePartlyBusy(now);
  }

  #takePartlyBusy(now: Msecs): Connection<R, T> | null {
    for (const connection of this.roster.partlyBusy) {
      const overdue = overdueReason(connection, this.#world.isClosing, now);
      if (overdue === null) return connection;
      this.drain(connection, overdue, now);
    }
    return null;
  }
}
