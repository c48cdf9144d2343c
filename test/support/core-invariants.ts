/**
 * What must hold of the core: after every event (`check`), and at the instant at which it asks something
 * of the world (`on…`). Everything is counted anew from the connections and requests that the world
 * knows; no number that the core keeps is believed.
 */
import assert from "node:assert/strict";
import type { IdleList } from "../../src/core/budget.ts";
import type { Msecs } from "../../src/core/clock.ts";
import { ConnectError, ConnectTimeoutError, type KeeplineError } from "../../src/core/errors.ts";
import type { RetireReason } from "../../src/core/retire.ts";
import type { Deadline } from "../../src/core/timers.ts";
import type {
  ManualConnection,
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
    const { budget, queue } = pool;
    const client = this.#world.pools.budget;
    holds(budget.open <= budget.limit, "a dial exceeds maxSockets");
    holds(client.open <= client.limit, "a dial exceeds maxTotalSockets");
    this.#isNotTooEarly(pool);

    const isForRequest = queue.count >= pool.roster.dialingCount;
    if (!isForRequest) {
      const opened = budget.open - pool.roster.dialingCount;
      const usableIdle = pool.roster.idleCount - (pool.idle.scout === null ? 0 : 1);
      const spare = this.#world.warmers
        .filter((each) => each.outcome === null && each.origin === pool.origin)
        .reduce(
          (most, each) => Math.max(most, each.target - opened),
          pool.options.minFreeSockets - usableIdle,
        );
      holds(pool.roster.dialingCount <= queue.count + spare, "more dials than anybody needs");
    }
    if (this.#world.isReacting) return; // the event around it is not over: the line is not in order
    // Who stands in line for the client's sockets goes first, by the order of arrival; a spare dial last.
    const covered = (queue.uncovered === null ? lastOf(pool) : queue.uncovered.ahead)?.sequence;
    const own = isForRequest ? (covered ?? 0) : Number.POSITIVE_INFINITY;
    for (const other of this.#world.pools.all) {
      if (other === pool || other.dialing.heapIndex === -1 || other.budget.isFull) continue;
      const sequence = other.dialing.nextSequence ?? Number.POSITIVE_INFINITY;
      holds(sequence >= own, `a dial for ${pool.origin} is made before one of ${other.origin}`);
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
    holds(connection.requestCount <= connection.hintedRequests, "more than Keep-Alive: max=N");
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
    this.#yields(request, pool);
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
      deadlines.push(pool, pool.dialing);
      this.#checkConnections(pool);
      for (const request of this.#checkQueue(pool)) deadlines.push(request);
      pendingOfAll += pool.queue.count;
      this.#checkDemand(pool);
      this.#checkWarmers(pool);
    }
    equal(openOfAll, world.live.size, "connections in pools");
    equal(world.pools.budget.open, world.live.size, "sockets that count for maxTotalSockets");
    checkIdleList(world.pools.budget.idle, idleOfAll, 1);
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
    equal(pool.roster.dialingCount, dialing, "dialingCount");
    equal(pool.roster.busyCount, busy, "busyCount");
    equal(pool.roster.idleCount, idle.length, "idleCount");
    checkIdleList(pool.budget.idle, idle, 0);
    holds(idle.length <= pool.options.maxFreeSockets, "more idle sockets than maxFreeSockets");
    const { budget } = pool;
    holds(budget.open <= budget.limit || idle.length === 0, "an idle socket over maxSockets");
    const client = this.#world.pools.budget;
    holds(client.open <= client.limit || idle.length === 0, "an idle socket over maxTotalSockets");
    if (this.#world.pools.isClosing) equal(idle.length, 0, "idle sockets of a closed client");
  }

  /** The pending requests, in order. */
  #checkQueue(pool: ManualPool): ManualRequest[] {
    const { queue } = pool;
    const requests: ManualRequest[] = [];
    let last: ManualRequest | null = null;
    for (let each = queue.head; each !== null; each = each.behind as ManualRequest | null) {
      requests.push(each);
      equal(each.ahead, last, "the request ahead");
      equal(each.pool, pool, "the pool of a pending request");
      equal(each.phase, "pending", "the phase of a request in a queue");
      equal(each.outcome, null, "the outcome of a request in a queue");
      equal(each.origin, pool.origin, "the origin of a request in a queue");
      holds(last === null || last.sequence < each.sequence, "a queue is out of order");
      equal(each.covered, requests.length <= pool.roster.dialingCount, "covered by a dial");
      last = each;
    }
    equal(queue.count, requests.length, "queue.count");
    equal(
      queue.uncovered,
      requests[pool.roster.dialingCount] ?? null,
      "the first uncovered request",
    );
    return requests;
  }

  /** No lost wake-up: whoever waits, waits for something that will come. */
  #checkDemand(pool: ManualPool): void {
    if (pool.queue.count === 0) return;
    for (const connection of pool.roster.connections) {
      if (!this.#isUsable(connection)) continue;
      for (let each = pool.queue.head; each !== null; each = each.behind as ManualRequest | null) {
        holds(!this.#mayUse(each, connection), "a request waits beside a usable connection");
      }
    }
    if (pool.queue.uncovered === null) return;
    if (pool.budget.isFull && pool.roster.idleCount === 0) return;
    const client = this.#world.pools.budget;
    if (client.isFull && client.idle.count === 0) return;
    const failures = this.#failures.get(pool);
    if (failures !== undefined && failures.count > 1) {
      if (pool.roster.dialingCount > 0) return; // one dial at a time asks whether the origin is back
      const until = failures.lastAt + longestDelay(failures.count);
      if (pool.dialing.slot !== -1 && pool.dialing.at <= until) return;
    }
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
      requestCount < connection.hintedRequests &&
      age < 0.9 * options.maxSocketAgeMsecs
    );
  }

  #checkWarmers(pool: ManualPool): void {
    for (const warmer of this.#world.warmers) {
      if (warmer.origin !== pool.origin || warmer.outcome !== null) continue;
      holds(pool.roster.dialingCount > 0, "a warm-up waits and no dial is under way");
      holds(pool.budget.open - pool.roster.dialingCount < warmer.target, "a warm-up was not told");
    }
    if (pool.budget.open > 0 || pool.queue.count > 0 || this.#world.pools.isClosing) return;
    holds(pool.slot !== -1, `${pool.origin} is empty and is never dropped`);
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
    equal(pool.roster.dialingCount, 1, "dials under way to an origin that is down");
    const from = failures.lastAt + longestDelay(failures.count) / 2;
    holds(this.#world.now >= from, "a dial in the back-off");
  }

  /** First come, first served: nobody who waits for longer could have used `connection`. */
  #overtakesNobody(request: ManualRequest, connection: ManualConnection): void {
    const head = this.#world.findPool(request.origin)?.queue.head ?? null;
    // When the port acquires inside `retire`, its request may wait already.
    if (this.#world.isReacting && request.enqueuedAt === this.#world.now) return;
    for (let each = head; each !== null; each = each.behind as ManualRequest | null) {
      if (each.sequence > request.sequence) return;
      holds(
        each.resending !== null
          ? connection.requestCount > 1 ||
              request.resending !== null ||
              this.#world.acquiring === request
          : !each.isReplayable && connection.lastIdleMsecs > 0,
        `request ${request.id} was granted before request ${each.id}`,
      );
    }
  }

  /** The one that has waited longest fails first. */
  #isFirstInLine(request: ManualRequest, happened: string): void {
    const head = this.#world.findPool(request.origin)?.queue.head ?? null;
    if (head === null) return;
    holds(
      request.sequence < head.sequence,
      `request ${request.id} was ${happened} before request ${head.id}`,
    );
  }

  /** A busy origin gives its place to one whose request has waited so much longer. */
  #yields(request: ManualRequest, pool: ManualPool): void {
    if (this.#world.isReacting) return; // as in `onDial`
    if (request.enqueuedAt === this.#world.now || !this.#world.pools.budget.isFull) return;
    for (const connection of pool.roster.connections) if (connection.capacity > 1) return;
    // Its own request that is sent again may stand first in line, for a place of its own.
    if (pool.queue.head?.resending != null) return;
    for (const other of this.#world.pools.all) {
      const next = other.queue.uncovered;
      if (other === pool || other.dialing.heapIndex === -1 || next === null) continue;
      holds(
        next.enqueuedAt + yieldAfterMsecs >= request.enqueuedAt,
        `request ${next.id} waits ${yieldAfterMsecs} ms longer than request ${request.id}`,
      );
    }
  }
}

/** The list holds exactly `expected`, both ways, by when each became idle. */
function checkIdleList(
  list: IdleList<ManualRequest, ManualTransport>,
  expected: readonly ManualConnection[],
  level: number,
): void {
  const listed = new Set<ManualConnection>();
  let since = Number.NEGATIVE_INFINITY;
  let last: ManualConnection | null = null;
  for (let each = list.longest; each !== null; ) {
    const { state } = each;
    holds(!listed.has(each), "an idle list runs in a circle");
    listed.add(each);
    if (state.kind !== "idle") assert.fail(`a ${state.kind} connection is on an idle list`);
    holds(state.since >= since, "an idle list is out of order");
    since = state.since;
    last = each;
    each = each.idleLinks[level]?.shorter?.connection ?? null;
  }
  equal(list.shortest, last, "the end of an idle list");
  equal(list.count, listed.size, "the count of an idle list");
  equal(listed.size, expected.length, "idle connections on an idle list");
}

function isSet(deadline: Deadline, at: Msecs, what: string, exactly: boolean): void {
  const isNever = at === Number.POSITIVE_INFINITY;
  if (isNever && !exactly) return; // the option may have changed since
  equal(deadline.slot === -1, isNever, `${what} is not set`);
  if (exactly && !isNever) equal(deadline.at, at, what);
}

function lastOf(pool: ManualPool): ManualRequest | null {
  let last = pool.queue.head;
  while (last?.behind != null) last = last.behind as ManualRequest;
  return last;
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
