/**
 * A snapshot of all pools as plain JSON.
 */
import type { Msecs } from "../core/clock.ts";
import type { DurationSummary } from "../core/histogram.ts";
import type { IdleClosing } from "../core/idle-history.ts";
import type { PendingRequest } from "../core/pending.ts";
import type { Pool } from "../core/pool.ts";
import type { PoolLane } from "../core/pool-lane.ts";
import type { Pools } from "../core/pools.ts";
import { type RetireReason, retireReasons } from "../core/retire.ts";
import type { Service } from "../core/service.ts";

/** Sockets by what they do now. `open` is the sum of the others. */
export interface SocketCounts {
  readonly open: number;
  readonly idle: number;
  readonly busy: number;
  readonly dialing: number;
}

/** What `client.stats()` returns. Counters grow from the making of a pool on. */
export interface ClientStats {
  /** When it was taken, in ms since 1970. */
  readonly at: Msecs;
  readonly client: {
    readonly sockets: SocketCounts;
    readonly pending: number;
    /** Null stands for no limit, since JSON has no Infinity. */
    readonly maxTotalSockets: number | null;
  };
  readonly services: readonly ServiceStats[];
  readonly origins: readonly OriginStats[];
}

/** One service, over all its origins. */
export interface ServiceStats {
  readonly service: string;
  /** Origins of it that have a pool. */
  readonly origins: number;
  readonly sockets: SocketCounts;
  readonly pending: number;
  /** Null stands for no limit of its own. */
  readonly maxTotalSockets: number | null;
  readonly highWater: {
    /** The most sockets that were open at once. */
    readonly open: number;
    /** The most requests that waited at once. */
    readonly pending: number;
  };
  readonly lanes: Readonly<Record<string, LaneTotals>>;
}

/** One lane of a service, over all its origins. */
export interface LaneTotals {
  readonly busy: number;
  readonly pending: number;
  readonly highWater: LaneHighWater;
}

/** What a lane has reached at most. */
export interface LaneHighWater {
  /** Requests under way at once. */
  readonly busy: number;
  /** Requests that waited at once. */
  readonly pending: number;
  /** The longest wait in ms, whether it ended with a connection or not. */
  readonly waitMsecs: Msecs;
}

/** One pool. */
export interface OriginStats {
  readonly origin: string;
  readonly service: string;
  readonly sockets: SocketCounts;
  readonly pending: number;
  /** Requests that asked for a connection. */
  readonly requests: number;
  /** Connections that were open once. */
  readonly opened: number;
  /** Of `opened`: with a resumed TLS session. */
  readonly resumedTls: number;
  /** Requests on a connection that had carried one before. */
  readonly reused: number;
  /** `reused` by requests that got a connection; null before the first. */
  readonly reuseRatio: number | null;
  /** Times that a request was sent again, because its connection failed before the response. */
  readonly resent: number;
  /** Requests that failed. Aborted ones are not counted. */
  readonly failed: number;
  /** Response bodies that were left unread. */
  readonly leaked: LeakStats;
  /** Closed connections by reason. */
  readonly closed: Readonly<Record<RetireReason, number>>;
  /** How long the server keeps an idle connection, and how long one is used for that. */
  readonly idleWindowMsecs: IdleWindowStats;
  readonly lanes: Readonly<Record<string, LaneStats>>;
  readonly timings: {
    readonly queue: DurationSummary;
    readonly connect: DurationSummary;
    readonly tls: DurationSummary;
    readonly firstByte: DurationSummary;
  };
}

/** Idle windows of one origin, in ms. */
export interface IdleWindowStats {
  /** What the server last said by `Keep-Alive: timeout=N`; null when it said nothing. */
  readonly hinted: Msecs | null;
  /** The idle time at which it was seen to close; null when it was not, or closes at any time. */
  readonly learned: Msecs | null;
  /** A connection is used no longer than this; null: for ever. */
  readonly used: Msecs | null;
  /** As `used`, for requests that must not be sent twice. Grows with the idle times that were survived. */
  readonly usedUnlessReplayable: Msecs | null;
  /** How it closes idle connections: `unseen`, after a `steady` time, or `erratic`: then nothing can be learned. */
  readonly closing: IdleClosing;
}

/** Response bodies that were left unread, though their connection was not free before they were read. */
export interface LeakStats {
  /** Not read for `leakTimeoutMsecs`, and reported. Some may have been read after all. */
  readonly reported: number;
  /** Dropped by the program and garbage-collected: their connections were closed. Of these, too, some may have been reported. */
  readonly collected: number;
}

/** One lane of a pool that was used. */
export interface LaneStats {
  readonly busy: number;
  readonly pending: number;
  readonly served: number;
  readonly timedOut: number;
  /** Refused because the lane's queue was full, or lets none wait. */
  readonly refused: number;
  /** Refused at once by `shedLate`. */
  readonly shed: number;
  /** Requests have waited for `saturationMsecs` or were refused, no longer ago than that. */
  readonly isSaturated: boolean;
  /** Mean time in ms that its last requests held their connections; null when there was none. */
  readonly serviceMsecs: Msecs | null;
  readonly highWater: LaneHighWater;
}

/** Takes the snapshot. `at`: the time in ms since 1970. */
export function snapshot<R extends PendingRequest, T>(pools: Pools<R, T>, at: Msecs): ClientStats {
  const origins = [...pools.all].map(originStats);
  const sum = (count: (each: OriginStats) => number): number =>
    origins.reduce((total, each) => total + count(each), 0);
  return {
    at,
    client: {
      sockets: {
        open: sum((each) => each.sockets.open),
        idle: sum((each) => each.sockets.idle),
        busy: sum((each) => each.sockets.busy),
        dialing: sum((each) => each.sockets.dialing),
      },
      pending: sum((each) => each.pending),
      maxTotalSockets: finite(pools.options.maxTotalSockets),
    },
    services: [...pools.services].map((each) => serviceOf(pools, each)),
    origins,
  };
}

/** One service of `pools`, which must be there. */
export function serviceStats<R extends PendingRequest, T>(
  pools: Pools<R, T>,
  name: string,
): ServiceStats {
  const service = [...pools.services].find((each) => each.name === name);
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return serviceOf(pools, service);
}

function serviceOf<R extends PendingRequest, T>(
  pools: Pools<R, T>,
  service: Service<R, T>,
): ServiceStats {
  const { name, budget, pending, mostPending, lanes } = service;
  const own = [...pools.all].filter((each) => each.service === service);
  const dialing = own.reduce((sum, each) => sum + each.roster.dialingCount, 0);
  const idle = budget.idle.count;
  return {
    service: name,
    origins: own.length,
    sockets: { open: budget.open, idle, busy: budget.open - idle - dialing, dialing },
    pending,
    maxTotalSockets: finite(budget.limit),
    highWater: { open: budget.mostOpen, pending: mostPending },
    lanes: Object.fromEntries(
      [...lanes.values()].map((lane) => [
        lane.name,
        { busy: lane.held, pending: lane.pending, highWater: { ...lane.highWater } },
      ]),
    ),
  };
}

function originStats<R extends PendingRequest, T>(pool: Pool<R, T>): OriginStats {
  const { tally, lanes } = pool;
  return {
    origin: pool.origin,
    service: pool.service.name,
    sockets: {
      open: pool.budget.open,
      idle: pool.roster.idleCount,
      busy: pool.roster.busyCount,
      dialing: pool.roster.dialingCount,
    },
    pending: lanes.count,
    requests: tally.requests,
    opened: tally.opened,
    resumedTls: tally.resumedTls,
    reused: tally.reused,
    reuseRatio: tally.served === 0 ? null : tally.reused / tally.served,
    resent: tally.resent,
    failed: tally.failed,
    leaked: { ...tally.leaked },
    closed: closedByReason(tally.closed),
    idleWindowMsecs: {
      hinted: pool.idle.hintMsecs,
      learned: rounded(pool.idle.history.learnedMsecs),
      used: rounded(pool.idle.windowMsecs),
      usedUnlessReplayable: rounded(pool.idle.strictWindowMsecs),
      closing: pool.idle.history.closing,
    },
    lanes: Object.fromEntries([...lanes.all].map((each) => [each.lane.name, laneStats(each)])),
    timings: {
      queue: tally.waits,
      connect: tally.connect.summary(),
      tls: tally.tls.summary(),
      firstByte: tally.firstByte.summary(),
    },
  };
}

function laneStats<R extends PendingRequest, T>(place: PoolLane<R, T>): LaneStats {
  const { held, queue, tally, serviceMsecs, saturatedAt } = place;
  return {
    busy: held,
    pending: queue.count,
    served: tally.served,
    timedOut: tally.timedOut,
    refused: tally.refused,
    shed: tally.shed,
    isSaturated: saturatedAt !== null,
    serviceMsecs: serviceMsecs === 0 ? null : serviceMsecs,
    highWater: {
      busy: tally.mostBusy,
      pending: tally.mostPending,
      waitMsecs: tally.longestWaitMsecs,
    },
  };
}

function closedByReason(
  closed: { [reason in RetireReason]?: number },
): Record<RetireReason, number> {
  const all = {} as Record<RetireReason, number>;
  for (const reason of Object.keys(retireReasons) as RetireReason[])
    all[reason] = closed[reason] ?? 0;
  return all;
}

function rounded(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Math.round(value);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
