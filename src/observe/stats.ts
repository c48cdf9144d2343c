/**
 * A snapshot of all pools as plain JSON.
 */
import type { Budget } from "../core/budget.ts";
import type { Msecs } from "../core/clock.ts";
import type { DurationSummary } from "../core/histogram.ts";
import type { IdleClosing } from "../core/idle-history.ts";
import type { PendingRequest } from "../core/pending.ts";
import type { Pool } from "../core/pool.ts";
import type { PoolLane } from "../core/pool-lane.ts";
import type { Pools } from "../core/pools.ts";
import { type RetireReason, retireReasons } from "../core/retire.ts";
import type { Service } from "../core/service.ts";
import type { LaneTally, Tally } from "../core/tally.ts";
import type { TuningMode } from "../core/tuning-options.ts";
import { lanesTally, serviceTally } from "./totals.ts";

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
  readonly tuning: TuningStats;
  /** What its origins count together, with those whose pools are gone. */
  readonly totals: PoolTotals;
  readonly lanes: Readonly<Record<string, LaneTotals>>;
}

/** The options that tuning moves, with the values in use. */
export interface TuningStats {
  readonly mode: TuningMode;
  /** Null stands for no limit. */
  readonly maxFreeSockets: number | null;
  /** Null stands for no limit. A shorter idle window of an origin wins: see `idleWindowMsecs`. */
  readonly keepAliveMsecs: Msecs | null;
  /** Times that one of them was moved; from 0 again when tuning was off. */
  readonly changes: number;
}

/** One lane of a service, over all its origins, with those whose pools are gone. */
export interface LaneTotals {
  readonly busy: number;
  readonly pending: number;
  readonly served: number;
  readonly timedOut: number;
  /** Refused because the lane's queue was full, or lets none wait. */
  readonly refused: number;
  /** Refused at once by `shedLate`. */
  readonly shed: number;
  readonly highWater: LaneHighWater;
  readonly timings: LaneTimings;
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

/** What is counted of one pool, or of several together. */
export interface PoolTotals {
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
  readonly timings: PoolTimings;
}

/** Where the time of requests goes. */
export interface LaneTimings {
  /** Waits for a connection, zero ones included, of requests that had one in the end. */
  readonly queue: DurationSummary;
  /** From the request's last byte sent to the first byte of the response. */
  readonly firstByte: DurationSummary;
  /** How long requests held their connection, from grant to the end of the response or of the connection. */
  readonly use: DurationSummary;
}

/** Where the time of requests and connections goes. */
export interface PoolTimings extends LaneTimings {
  /** Dials that succeeded: name lookup, TCP and TLS together. */
  readonly dial: DurationSummary;
  /** TCP handshakes. */
  readonly connect: DurationSummary;
  readonly tls: DurationSummary;
  /** How long connections had been idle when they were used again. */
  readonly idle: DurationSummary;
  /** How long connections had been open when they were closed. */
  readonly life: DurationSummary;
}

/** One pool. */
export interface OriginStats extends PoolTotals {
  readonly origin: string;
  readonly service: string;
  readonly sockets: SocketCounts;
  readonly pending: number;
  /** How long the server keeps an idle connection, and how long one is used for that. */
  readonly idleWindowMsecs: IdleWindowStats;
  readonly lanes: Readonly<Record<string, LaneStats>>;
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
  readonly timings: LaneTimings;
}

/** Takes the snapshot. `at`: the time in ms since 1970. */
export function snapshot<R extends PendingRequest, T>(pools: Pools<R, T>, at: Msecs): ClientStats {
  const { budget } = pools;
  return {
    at,
    client: {
      sockets: socketsOf(budget),
      pending: budget.pending,
      maxTotalSockets: finite(pools.options.maxTotalSockets),
    },
    services: [...pools.services].map((each) => serviceOf(pools, each)),
    origins: [...pools.all].map(originStats),
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
  const counted = serviceTally(pools, service);
  return {
    service: name,
    origins: counted.origins,
    sockets: socketsOf(budget),
    pending,
    maxTotalSockets: finite(budget.limit),
    highWater: { open: budget.mostOpen, pending: mostPending },
    tuning: tuningStats(service),
    totals: totalsOf(counted.tally, counted.allLanes),
    lanes: Object.fromEntries(
      [...lanes.values()].map((lane) => {
        const tally = counted.lanes.get(lane.name) as LaneTally;
        const { served, timedOut, refused, shed } = tally;
        const { held: busy, pending, highWater } = lane;
        const totals = { busy, pending, served, timedOut, refused, shed };
        return [lane.name, { ...totals, highWater: { ...highWater }, timings: laneTimings(tally) }];
      }),
    ),
  };
}

function tuningStats<R extends PendingRequest, T>({ tuning, options }: Service<R, T>): TuningStats {
  return {
    mode: tuning?.policy.mode ?? "off",
    maxFreeSockets: finite(options.maxFreeSockets),
    keepAliveMsecs: finite(options.keepAliveMsecs),
    changes: tuning?.changeCount ?? 0,
  };
}

function originStats<R extends PendingRequest, T>(pool: Pool<R, T>): OriginStats {
  const { tally, lanes } = pool;
  return {
    origin: pool.origin,
    service: pool.service.name,
    sockets: socketsOf(pool.budget),
    pending: pool.budget.pending,
    ...totalsOf(tally, lanesTally(pool)),
    idleWindowMsecs: {
      hinted: pool.idle.hintMsecs,
      learned: rounded(pool.idle.history.learnedMsecs),
      used: rounded(pool.idle.windowMsecs),
      usedUnlessReplayable: rounded(pool.idle.strictWindowMsecs),
      closing: pool.idle.history.closing,
    },
    lanes: Object.fromEntries([...lanes.all].map((each) => [each.lane.name, laneStats(each)])),
  };
}

function laneStats<R extends PendingRequest, T>(place: PoolLane<R, T>): LaneStats {
  const { held, queue, serviceMsecs, saturatedAt } = place;
  const { mostHeld, mostPending, longestWaitMsecs } = place;
  return {
    busy: held,
    pending: queue.count,
    served: place.served,
    timedOut: place.timedOut,
    refused: place.refused,
    shed: place.shed,
    isSaturated: saturatedAt !== null,
    serviceMsecs: serviceMsecs === 0 ? null : serviceMsecs,
    highWater: {
      busy: mostHeld,
      pending: mostPending,
      waitMsecs: longestWaitMsecs,
    },
    timings: laneTimings(place),
  };
}

function socketsOf<R extends PendingRequest, T>(budget: Budget<R, T>): SocketCounts {
  const { open, idleCount, busy, dialing } = budget;
  return { open, idle: idleCount, busy, dialing };
}

function totalsOf(tally: Tally, lanes: LaneTally): PoolTotals {
  return {
    requests: lanes.requests,
    opened: tally.opened,
    resumedTls: tally.resumedTls,
    reused: lanes.reused,
    reuseRatio: lanes.served === 0 ? null : lanes.reused / lanes.served,
    resent: tally.resent,
    failed: tally.failed,
    leaked: { ...tally.leaked },
    closed: closedByReason(tally.closed),
    timings: {
      ...laneTimings(lanes),
      dial: tally.dial.summary(),
      connect: tally.connect.summary(),
      tls: tally.tls.summary(),
      idle: lanes.idle.summary(),
      life: tally.life.summary(),
    },
  };
}

function laneTimings({ waits, unqueued, firstByte, use }: LaneTally): LaneTimings {
  return {
    queue: waits.summary(unqueued),
    firstByte: firstByte.summary(),
    use: use.summary(),
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
