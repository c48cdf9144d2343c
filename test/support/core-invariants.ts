/**
 * What must hold of the core: after every event (`check`), and at the instant at which it asks something
 * of the world (`on…`). Everything is counted anew from the connections and requests that the world
 * knows; no number that the core keeps is believed.
 */
import assert from "node:assert/strict";
import type { Msecs } from "../../src/core/clock.ts";
import { ConnectError, ConnectTimeoutError, type KeeplineError } from "../../src/core/errors.ts";
import type { RetireReason } from "../../src/core/retire.ts";
import type { Service } from "../../src/core/service.ts";
import type { Deadline } from "../../src/core/timers.ts";
import type {
  ManualConnection,
  ManualLane,
  ManualPool,
  ManualRequest,
  ManualTransport,
  ManualWorld,
} from "./manual-world.ts";

/** How much longer than a pool's own next request another one waits for its place: see `pool.ts`. */
export const yieldAfterMsecs: Msecs = 100;

/** Failed dials of a pool in a row, counted from outside. */
interface Failures {
  count: number;
  lastAt: Msecs;
}

export class CoreInvariants {
  readonly #world: ManualWorld;
  readonly #failures = new WeakMap<ManualPool, Failures>();
  /** Connections that `dialed` was called for, by when. */
  readonly #openedAt = new WeakMap<ManualConnection, Msecs>();

  constructor(world: ManualWorld) {
    this.#world = world;
  }

  /** Called when the world is about to say that a dial has succeeded. */
  dialSucceeded(connection: ManualConnection): void {
    this.#failures.delete(connection.pool);
    this.#openedAt.set(connection, this.#world.now);
  }

  onDial(connection: ManualConnection): void {
    const { pool } = connection;
    const { budget, lanes, service } = pool;
    const client = this.#world.pools.budget;
    holds(budget.open <= budget.limit, "a dial exceeds maxSockets");
    const ofService = service.budget;
    holds(ofService.open <= ofService.limit, "a dial exceeds a service's maxTotalSockets");
    holds(client.open <= client.limit, "a dial exceeds maxTotalSockets");
    this.#isNotTooEarly(pool);

    const isForRequest = lanes.coveredCount >= pool.roster.dialing;
    if (!isForRequest) {
      const opened = budget.open - pool.roster.dialing;
      const usableIdle = pool.roster.idleCount - (pool.idle.scout === null ? 0 : 1);
      const spare = this.#world.warmers
        .filter((each) => each.outcome === null && each.origin === pool.origin)
        .reduce(
          (most, each) => Math.max(most, each.target - opened),
          pool.options.minFreeSockets - usableIdle,
        );
      holds(pool.roster.dialing <= lanes.coveredCount + spare, "more dials than anybody needs");
    }
    if (this.#world.isReacting) return; // the event around it is not over: the line is not in order
    // Who stands in line for the client's sockets goes first, by the order of arrival; a spare dial last.
    const own = isForRequest ? newestCovered(pool) : Number.POSITIVE_INFINITY;
    for (const other of this.#world.pools.all) {
      if (other === pool || other.budget.isFull || other.service.budget.isFull) continue;
      for (const lane of other.lanes.waiting) {
        // Who stands in no line is about to be looked at, unless its origin is not to be dialed now.
        const isWaiting = lane.waitingAt !== null && lane.heapIndex !== -1;
        if (isWaiting ? lane.waitingAt !== client : this.#failures.has(other)) continue;
        if (!this.#mayClaim(lane) || isPatient(other)) continue;
        const sequence = lane.nextSequence ?? Number.POSITIVE_INFINITY;
        holds(sequence >= own, `a dial for ${pool.origin} is made before one of ${other.origin}`);
      }
    }
  }

  onGrant(request: ManualRequest, connection: ManualConnection): void {
    const { pool } = connection;
    const { now } = this.#world;
    const { options } = pool;
    const held = this.#world.holders(connection).length + 1;
    equal(request.phase, "granted", "the phase of a granted request");
    equal(pool.origin, request.origin, "the origin of a granted connection");
    holds(this.#world.live.has(connection), "a retired connection was granted");
    holds(held <= connection.capacity, "a connection has more leases than capacity");

    const age = now - (this.#openedAt.get(connection) ?? now);
    const idleFor = connection.lastIdleMsecs;
    const most = options.keepAlive ? options.maxRequestsPerSocket : 1;
    const { requestCount, hintedRequests } = connection;
    holds(requestCount <= (hintedRequests ?? requestCount), "more than Keep-Alive: max=N");
    holds(
      idleFor === 0 || connection.hintMsecs === null || idleFor < connection.hintMsecs,
      "idle for longer than the server keeps it",
    );
    // While a new limit is on its way through the idle connections, the port may take one of them.
    if (!this.#world.isReacting) {
      holds(connection.requestCount <= most, "a connection carries more requests than allowed");
      holds(age < options.maxSocketAgeMsecs || age === 0, "a connection older than allowed");
      holds(idleFor === 0 || idleFor < options.keepAliveMsecs, "idle for longer than allowed");
    }

    this.#overtakesNobody(request, connection);
    this.#yields(request, connection);
    this.#keepsReservations(request, pool);
    const { resending } = request;
    if (resending === null) return;
    holds(
      connection.requestCount === 1 || connection.id > resending.failedId,
      "a request is sent again on a connection that is older than the failed one",
    );
  }

  onRefuse(request: ManualRequest, error: KeeplineError): void {
    equal(request.phase, "settled", "the phase of a refused request");
    equal(error.origin, request.origin, "the origin of an error");
    const isSent = request.resending?.isSent ?? false;
    equal(error.requestSent, isSent, "requestSent of a request that has no connection");
    if (error instanceof ConnectError || error instanceof ConnectTimeoutError) {
      this.#isFirstInLine(request, "failed");
    }
  }

  onRetire(connection: ManualConnection, reason: RetireReason): void {
    equal(connection.state.kind, "closed", "the state of a retired connection");
    if (reason !== "dial-failed" && reason !== "connect-timeout") return;
    const { dialedAt } = connection.transport as ManualTransport;
    const failures = this.#failures.get(connection.pool);
    if (failures !== undefined && dialedAt < failures.lastAt) return;
    const count = (failures?.count ?? 0) + 1;
    this.#failures.set(connection.pool, { count, lastAt: this.#world.now });
  }

  check(): void {
    const world = this.#world;
    const deadlines: Deadline[] = [];
    const idleOfAll: ManualConnection[] = [];
    let openOfAll = 0;
    let pendingOfAll = 0;
    for (const pool of world.pools.all) {
      holds(!pool.isDropped, "a dropped pool is still listed");
      holds(!pool.isTouched, `${pool.origin} was touched and not looked at`);
      for (const connection of pool.roster.connections) {
        holds(world.live.has(connection), "a pool keeps a connection that was retired");
        if (connection.state.kind === "idle") idleOfAll.push(connection);
        deadlines.push(connection);
      }
      openOfAll += pool.roster.connections.size;
      const looks = [...pool.lanes.all].map((each) => each.nextLook);
      for (const each of [pool.emptiness, pool.dialing.nextLook, ...looks]) {
        if (each !== null) deadlines.push(each);
      }
      this.#checkConnections(pool);
      for (const request of this.#checkLanes(pool)) deadlines.push(request);
      pendingOfAll += pool.budget.pending;
      this.#checkDemand(pool);
      this.#checkWarmers(pool);
    }
    equal(openOfAll, world.live.size, "connections in pools");
    equal(world.pools.budget.open, world.live.size, "sockets that count for maxTotalSockets");
    checkIdle(world.pools.budget, idleOfAll, 2);
    const allPools = [...world.pools.all];
    checkCounts(world.pools.budget, allPools);
    for (const service of world.pools.services) {
      const pools = [...world.pools.all].filter((each) => each.service === service);
      const open = pools.reduce((sum, each) => sum + each.roster.connections.size, 0);
      equal(service.budget.open, open, "sockets that count for a service");
      checkCounts(service.budget, pools);
      const idle = idleOfAll.filter((each) => each.pool.service === service);
      checkIdle(service.budget, idle, 1);
      const { budget } = service;
      holds(
        budget.open <= budget.limit || idle.length === 0,
        "an idle socket over a service's limit",
      );
      const { tuning, tuner, options } = service;
      if (tuning !== null) deadlines.push(tuning);
      if (tuner === null) continue;
      const { maxFreeSockets, keepAliveMsecs } = tuner.policy;
      holds(isWithin(maxFreeSockets, options.maxFreeSockets), "maxFreeSockets out of its bounds");
      holds(isWithin(keepAliveMsecs, options.keepAliveMsecs), "keepAliveMsecs out of its bounds");
    }
    this.#checkClaims();
    const waiting = world.requests.filter((each) => each.outcome === null).length;
    equal(pendingOfAll, waiting, "requests in queues");
    this.#checkTimers(deadlines);
  }

  #checkConnections(pool: ManualPool): void {
    const idle: ManualConnection[] = [];
    let busy = 0;
    let dialing = 0;
    for (const connection of pool.roster.connections) {
      const { state } = connection;
      equal(connection.pool, pool, "the pool of a connection");
      const held = this.#world.holders(connection).length;
      equal(held, connection.leases, "leases of a connection");
      holds(held <= connection.capacity, "a connection has more leases than capacity");
      switch (state.kind) {
        case "dialing":
          dialing++;
          isSet(connection, pool.options.connectTimeoutMsecs, "the dial's deadline", false);
          break;
        case "idle":
          idle.push(connection);
          if (pool.idle.scout === connection) {
            holds(connection.at >= connection.usableUntil, "a scout inside its window");
          } else {
            isSet(connection, connection.usableUntil, "the idle connection's deadline", true);
          }
          break;
        case "busy":
        case "draining":
          busy++;
          holds(state.leases > 0, `a ${state.kind} connection without a lease`);
          equal(connection.slot, -1, "deadline of a busy connection");
          break;
        default:
          assert.fail(`a pool keeps a ${state.kind} connection`);
      }
    }
    equal(pool.budget.open, pool.roster.connections.size, "sockets that count for maxSockets");
    checkCounts(pool.budget, [pool]);
    equal(pool.roster.dialing, dialing, "dialing");
    equal(pool.roster.busy, busy, "busy");
    equal(pool.roster.idleCount, idle.length, "idleCount");
    checkIdle(pool.budget, idle, 0);
    holds(idle.length <= pool.options.maxFreeSockets, "more idle sockets than maxFreeSockets");
    const { budget } = pool;
    holds(budget.open <= budget.limit || idle.length === 0, "an idle socket over maxSockets");
    const client = this.#world.pools.budget;
    holds(client.open <= client.limit || idle.length === 0, "an idle socket over maxTotalSockets");
    if (this.#world.pools.isClosing) equal(idle.length, 0, "idle sockets of a closed client");
  }

  /** The pending requests, lane by lane in order. */
  #checkLanes(pool: ManualPool): ManualRequest[] {
    const all: ManualRequest[] = [];
    const waiting = new Set(pool.lanes.waiting);
    equal(waiting.size, pool.lanes.waiting.length, "lanes that wait, each once");
    let covered = 0;
    for (const lane of pool.lanes.all) {
      const requests = this.#checkQueue(lane);
      equal(
        waiting.delete(lane),
        requests.length > 0,
        "a lane waits while it has pending requests",
      );
      all.push(...requests);
      covered += lane.queue.coveredCount;
    }
    equal(waiting.size, 0, "lanes that wait and are none of the pool's");
    equal(pool.budget.pending, all.length, "pending requests of a pool");
    equal(pool.lanes.coveredCount, covered, "lanes.coveredCount");
    holds(covered <= pool.roster.dialing, "more requests are covered than dials under way");
    const isLeft = pool.lanes.waiting.some(
      (each) => each.queue.uncovered !== null && this.#mayClaim(each),
    );
    holds(covered === pool.roster.dialing || !isLeft, "a dial is for nobody, and one waits");
    return all;
  }

  #checkQueue(lane: ManualLane): ManualRequest[] {
    const { queue, pool } = lane;
    const { overload } = lane.lane.options;
    const requests: ManualRequest[] = [];
    let last: ManualRequest | null = null;
    for (let each = queue.head; each !== null; each = each.behind as ManualRequest | null) {
      requests.push(each);
      equal(each.ahead, last, "the request ahead");
      equal(each.place, lane, "the place of a pending request");
      equal(each.phase, "pending", "the phase of a request in a queue");
      equal(each.outcome, null, "the outcome of a request in a queue");
      equal(each.origin, pool.origin, "the origin of a request in a queue");
      holds(
        overload === "newest-first" || last === null || last.sequence < each.sequence,
        "a queue is out of order",
      );
      equal(each.covered, requests.length <= queue.coveredCount, "covered by a dial");
      const name = pool.service.lanes.has(each.lane) ? each.lane : "default";
      equal(lane.lane.name, name, "the lane of a pending request");
      last = each;
    }
    equal(queue.count, requests.length, "queue.count");
    equal(queue.tail, last, "queue.tail");
    equal(queue.uncovered, requests[queue.coveredCount] ?? null, "the first uncovered request");
    return requests;
  }

  /** What lanes hold, claim and reserve, counted anew; and that none has what is reserved for others. */
  #checkClaims(): void {
    const { pools } = this.#world;
    const client = { reserved: 0, committed: 0 };
    for (const service of pools.services) {
      const own = { reserved: 0, committed: 0 };
      const places = [...pools.all]
        .filter((each) => each.service === service)
        .flatMap((each) => [...each.lanes.all]);
      for (const lane of service.lanes.values()) {
        const { reservedSockets } = lane.options;
        const here = places.filter((each) => each.lane === lane);
        const sum = (count: (each: ManualLane) => number): number =>
          here.reduce((total, each) => total + count(each), 0);
        equal(
          lane.held,
          sum((each) => each.held),
          "held by a lane",
        );
        equal(
          lane.claimed,
          sum((each) => each.claimed),
          "claimed by a lane",
        );
        equal(
          lane.pending,
          sum((each) => each.queue.count),
          "pending in a lane",
        );
        own.reserved += reservedSockets;
        own.committed += Math.max(lane.claimed, reservedSockets);
      }
      equal(service.budget.reserved, own.reserved, "reserved of a service");
      equal(service.budget.committed, own.committed, "committed of a service");
      client.reserved += own.reserved;
      client.committed += own.committed;
    }
    equal(pools.budget.reserved, client.reserved, "reserved of the client");
    equal(pools.budget.committed, client.committed, "committed of the client");
    for (const pool of pools.all) {
      const held = new Map<string, number>();
      for (const connection of pool.roster.connections) {
        equal(connection.holders.length, connection.leases, "holders of a connection");
        for (const holder of connection.holders) {
          const name = pool.service.lanes.has(holder.lane) ? holder.lane : "default";
          equal(holder.place?.lane.name, name, "the lane of a request under way");
          held.set(name, (held.get(name) ?? 0) + 1);
        }
      }
      let committed = 0;
      for (const [name, lane] of pool.service.lanes) {
        const place = [...pool.lanes.all].find((each) => each.lane === lane);
        equal(place?.held ?? 0, held.get(name) ?? 0, "held by a lane of a pool");
        const claimed = (place?.held ?? 0) + (place?.queue.coveredCount ?? 0);
        equal(place?.claimed ?? 0, claimed, "claimed by a lane of a pool");
        committed += Math.max(claimed, lane.options.reservedSockets);
      }
      equal(pool.budget.committed, committed, "committed of a pool");
    }
  }

  /** Counted anew: whether `lane` may have one more, by its own limit and the reservations of others. */
  #mayClaim(lane: ManualLane): boolean {
    const { pool } = lane;
    const { options } = lane.lane;
    if (lane.claimed >= options.maxSockets) return false;
    const within = (
      limit: number,
      lanes: readonly { readonly claimed: number; readonly reserved: number }[],
      claimed: number,
    ): boolean =>
      claimed < options.reservedSockets ||
      lanes.every((each) => each.reserved === 0) ||
      lanes.reduce((sum, each) => sum + Math.max(each.claimed, each.reserved), 0) <
        limit * pool.capacity;
    const ofService = (service: Service<ManualRequest, ManualTransport>) =>
      [...service.lanes.values()].map((each) => ({
        claimed: each.claimed,
        reserved: each.options.reservedSockets,
      }));
    const ofPool = [...pool.service.lanes.values()].map((each) => ({
      claimed: [...pool.lanes.all].find((place) => place.lane === each)?.claimed ?? 0,
      reserved: each.options.reservedSockets,
    }));
    const ofClient = [...this.#world.pools.services].flatMap(ofService);
    const { budget } = this.#world.pools;
    return (
      within(pool.budget.limit, ofPool, lane.claimed) &&
      within(pool.service.budget.limit, ofService(pool.service), lane.lane.claimed) &&
      within(budget.limit, ofClient, lane.lane.claimed)
    );
  }

  /** A grant that is not within the lane's own reservation leaves the places that are reserved for others. */
  #keepsReservations(request: ManualRequest, pool: ManualPool): void {
    const place = request.place as ManualLane;
    if (this.#world.isReacting) return; // limits may be on their way
    holds(place.held <= place.lane.options.maxSockets, "a lane has more than its maxSockets");
    if (place.held <= place.lane.options.reservedSockets || pool.capacity > 1) return;
    let held = 0;
    for (const lane of pool.service.lanes.values()) {
      const other = [...pool.lanes.all].find((each) => each.lane === lane);
      held += Math.max(other?.held ?? 0, lane.options.reservedSockets);
    }
    const isReserved = [...pool.service.lanes.values()].some(
      (each) => each.options.reservedSockets > 0,
    );
    if (isReserved) holds(held <= pool.budget.limit, "a lane has what is reserved for another");
  }

  /** No lost wake-up: whoever waits, waits for something that will come. */
  #checkDemand(pool: ManualPool): void {
    for (const lane of pool.lanes.waiting) this.#checkDemandOf(lane);
  }

  #checkDemandOf(lane: ManualLane): void {
    const { pool, queue } = lane;
    for (const connection of pool.roster.connections) {
      if (!this.#isUsable(connection)) continue;
      for (let each = queue.head; each !== null; each = each.behind as ManualRequest | null) {
        if (!each.covered && !this.#mayClaim(lane)) break;
        holds(!this.#mayUse(each, connection), "a request waits beside a usable connection");
      }
    }
    if (queue.uncovered === null || !this.#mayClaim(lane)) return;
    if (pool.budget.isFull && pool.roster.idleCount === 0) return;
    for (const budget of [pool.service.budget, this.#world.pools.budget]) {
      if (budget.isFull && budget.idleCount === 0) return;
    }
    const failures = this.#failures.get(pool);
    if (failures !== undefined && failures.count > 1) {
      if (pool.roster.dialing > 0) return; // one dial at a time asks whether the origin is back
      const until = failures.lastAt + longestDelay(failures.count);
      const look = pool.dialing.nextLook;
      if (look !== null && look.slot !== -1 && look.at <= until) return;
    }
    if (isPatient(pool)) return;
    assert.fail(`a request to ${pool.origin} waits although a socket may be opened for it`);
  }

  /** Whether a connection that is usable as such is so for `request`: without doubt, where there are some. */
  #mayUse(request: ManualRequest, connection: ManualConnection): boolean {
    if (request.resending !== null)
      return connection.requestCount === 0 && connection.state.kind !== "idle";
    if (request.isReplayable || connection.state.kind !== "idle") return true;
    return this.#world.now === connection.state.since;
  }

  #isUsable(connection: ManualConnection): boolean {
    const { state, pool, capacity, requestCount } = connection;
    const { now } = this.#world;
    if (state.kind === "idle") return now < connection.usableUntil;
    if (state.kind !== "busy" || state.leases >= capacity) return false;
    const { options } = pool;
    const age = now - (this.#openedAt.get(connection) ?? now);
    return (
      options.keepAlive &&
      requestCount < options.maxRequestsPerSocket &&
      requestCount < (connection.hintedRequests ?? Number.POSITIVE_INFINITY) &&
      age < 0.9 * options.maxSocketAgeMsecs
    );
  }

  #checkWarmers(pool: ManualPool): void {
    for (const warmer of this.#world.warmers) {
      if (warmer.origin !== pool.origin || warmer.outcome !== null) continue;
      holds(pool.roster.dialing > 0, "a warm-up waits and no dial is under way");
      holds(pool.budget.open - pool.roster.dialing < warmer.target, "a warm-up was not told");
    }
    if (pool.budget.open > 0 || pool.budget.pending > 0 || this.#world.pools.isClosing) return;
    holds((pool.emptiness?.slot ?? -1) !== -1, `${pool.origin} is empty and is never dropped`);
  }

  #checkTimers(live: readonly Deadline[]): void {
    const { timers } = this.#world.pools;
    const set = live.filter((each) => each.slot !== -1);
    equal(timers.count, set.length, "deadlines that are set, all of live things");
    equal(this.#world.wakeAt, timers.nextAt, "the instant of the next tick");
    for (const deadline of set) {
      const latest = Math.max(Math.ceil(deadline.at), Math.floor(this.#world.now) + 1);
      holds(timers.nextAt <= latest, `a deadline at ${deadline.at} is woken too late`);
    }
    for (const request of this.#world.requests) {
      if (request.outcome !== null) equal(request.slot, -1, "the deadline of a settled request");
    }
  }

  /** Repeated failures back off, and then one dial at a time asks. */
  #isNotTooEarly(pool: ManualPool): void {
    const failures = this.#failures.get(pool);
    if (failures === undefined || failures.count < 2) return;
    equal(pool.roster.dialing, 1, "dials under way to an origin that is down");
    const from = failures.lastAt + longestDelay(failures.count) / 2;
    holds(this.#world.now >= from, "a dial in the back-off");
  }

  /** First come, first served in each lane: nobody who waits for longer could have used `connection`. */
  #overtakesNobody(request: ManualRequest, connection: ManualConnection): void {
    const place = request.place as ManualLane;
    if (place.lane.options.overload === "newest-first") return;
    // What is sent again had its turn already: before the lanes were changed, perhaps, so that one who came first waits
    // beside it now.
    if (request.resending !== null && this.#world.acquiring === request) return;
    // When the port acquires inside `retire`, its request may wait already.
    if (this.#world.isReacting && request.enqueuedAt === this.#world.now) return;
    for (let each = place.queue.head; each !== null; each = each.behind as ManualRequest | null) {
      if (each.sequence > request.sequence) return;
      // It came while a connection was looked for, when the port was told of a stale one: it began to wait before
      // `request` had its number, and yet came after it.
      if (each.id > request.id) continue;
      holds(
        each.resending !== null
          ? connection.requestCount > 1 ||
              connection.id <= each.resending.failedId ||
              request.resending !== null ||
              this.#world.acquiring === request
          : !each.isReplayable && connection.lastIdleMsecs > 0,
        `request ${request.id} was granted before request ${each.id}`,
      );
    }
  }

  /** The one that has waited longest of its lane fails first. */
  #isFirstInLine(request: ManualRequest, happened: string): void {
    const place = request.place as ManualLane;
    if (place.lane.options.overload === "newest-first") return;
    const { head } = place.queue;
    if (head === null) return;
    holds(
      request.sequence < head.sequence,
      `request ${request.id} was ${happened} before request ${head.id}`,
    );
  }

  /** A busy origin gives its place to one of another service whose request has waited so much longer. */
  #yields(request: ManualRequest, connection: ManualConnection): void {
    const { pool } = connection;
    if (this.#world.isReacting) return; // as in `onDial`
    const client = this.#world.pools.budget;
    if (request.enqueuedAt === this.#world.now || !client.isFull) return;
    if (connection.requestCount === 1) return; // a fresh one serves a request at least
    if (connection.capacity > 1) return;
    // The longest wait of the origin counts, though its lanes take turns, and in some the newest goes first.
    let since = request.enqueuedAt;
    for (const lane of pool.lanes.waiting) {
      // Its own request that is sent again may stand first in line, for a place of its own.
      if (lane.queue.head?.resending != null) return;
      since = Math.min(since, lane.longest?.enqueuedAt ?? since);
    }
    for (const other of this.#world.pools.all) {
      for (const lane of other.lanes.waiting) {
        if (other === pool || lane.waitingAt !== client || lane.heapIndex === -1) continue;
        const next = lane.nextToDial;
        if (next === null || !this.#mayClaim(lane)) continue;
        holds(
          next.enqueuedAt + yieldAfterMsecs >= since,
          `request ${next.id} waits ${yieldAfterMsecs} ms longer than request ${request.id}`,
        );
      }
    }
  }
}

/** The request that the newest dial of `pool` may be for: of the lanes' last covered ones the oldest. */
function newestCovered(pool: ManualPool): number {
  const lanes = pool.lanes.waiting.filter((each) => each.queue.coveredCount > 0);
  // Its place in the line is that of its oldest request, and its dial is for the newest.
  if (lanes.some((each) => each.lane.options.overload === "newest-first")) return 0;
  return Math.min(...lanes.map((each) => each.queue.lastCovered?.sequence ?? 0));
}

/** What a budget counts beside `open` is what its pools have together, and marks are never outside of it. */
function checkCounts(budget: ManualPool["budget"], pools: readonly ManualPool[]): void {
  const sum = (count: (pool: ManualPool) => number): number =>
    pools.reduce((total, pool) => total + count(pool), 0);
  equal(
    budget.dialing,
    sum(({ roster }) => roster.dialing),
    "dialing sockets of a budget",
  );
  equal(
    budget.busy,
    sum(({ roster }) => roster.busy),
    "busy sockets of a budget",
  );
  equal(
    budget.pending,
    sum(({ budget: own }) => own.pending),
    "pending requests of a budget",
  );
}

/** Exactly `expected` are counted, and listed both ways by when each became idle, where there is a list. */
function checkIdle(
  { longestIdle, shortestIdle, idleCount, limit }: ManualPool["budget"],
  expected: readonly ManualConnection[],
  level: 0 | 1 | 2,
): void {
  const listed = new Set<ManualConnection>();
  let since = Number.NEGATIVE_INFINITY;
  let last: ManualConnection | null = null;
  for (let each = longestIdle; each !== null; ) {
    const { state } = each;
    holds(!listed.has(each), "an idle list runs in a circle");
    listed.add(each);
    if (state.kind !== "idle") assert.fail(`a ${state.kind} connection is on an idle list`);
    holds(state.since >= since, "an idle list is out of order");
    since = state.since;
    last = each;
    const link = level === 0 ? each : each.linkAbove(level - 1);
    each = link.shorter?.connection ?? null;
  }
  equal(shortestIdle, last, "the end of an idle list");
  equal(idleCount, expected.length, "the count of idle connections");
  const isListed = level === 0 || limit !== Number.POSITIVE_INFINITY;
  equal(listed.size, isListed ? expected.length : 0, "idle connections on an idle list");
}

/** Whether requests of `pool` may be held back from dials: they are looked at again by the clock, or when a dial ends. */
function isPatient({ dialing, options, roster }: ManualPool): boolean {
  if (dialing.patience === null || options.dialing === "eager") return false;
  return (dialing.nextLook?.slot ?? -1) !== -1 || roster.dialing > 0;
}

function isSet(deadline: Deadline, at: Msecs, what: string, exactly: boolean): void {
  const isNever = at === Number.POSITIVE_INFINITY;
  if (isNever && !exactly) return; // the option may have changed since
  equal(deadline.slot === -1, isNever, `${what} is not set`);
  if (exactly && !isNever) equal(deadline.at, at, what);
}

/** The longest wait before the next dial, after so many failures in a row. */
function longestDelay(count: number): Msecs {
  return Math.min(50 * 2 ** (count - 2), 1_000);
}

function holds(condition: boolean, broken: string): void {
  if (!condition) assert.fail(broken);
}

function equal(actual: unknown, expected: unknown, what: string): void {
  // `assert.strictEqual` would print both values with all that hangs on them.
  if (!Object.is(actual, expected))
    assert.fail(`${what}: ${brief(actual)}, not ${brief(expected)}`);
}

function brief(value: unknown): string {
  return typeof value === "object" && value !== null ? value.constructor.name : String(value);
}

function isWithin([least, most]: readonly [number, number], value: number): boolean {
  return value >= least && value <= most;
}
