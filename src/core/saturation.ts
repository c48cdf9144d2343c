/**
 * When a lane is saturated: its requests wait for `saturationMsecs`, or are refused. It is relieved when neither
 * was the case for as long.
 * Invariant: each saturation is reported once, and its end once.
 */
import type { Msecs } from "./clock.ts";
import type { PendingRequest } from "./pending.ts";
import type { PoolLane } from "./pool-lane.ts";
import { countsOf } from "./report.ts";
import { Reminder, type Timers } from "./timers.ts";

/** What stands against more: an option, of whom, and its value. */
export interface Saturation {
  readonly origin: string;
  readonly service: string;
  readonly lane: string;
  /** The limit that requests wait for, or were refused by: an option and whose it is, as in `maxSockets of lane reports`. */
  readonly limitName: string;
  readonly limit: number;
  /** Sockets of the origin: idle, busy and dialing. */
  readonly open: number;
  /** Requests of the lane that wait. */
  readonly pending: number;
  /** How long the longest of them has waited. */
  readonly waitedMsecs: Msecs;
  /** Requests of the lane that were refused or timed out in the queue, since the origin's pool was made. */
  readonly refused: number;
  /** Mean time that a request of the lane held its socket lately; null when none has been served. */
  readonly serviceMsecs: Msecs | null;
}

/** The state of `place`, for a report. */
export function saturationOf<R extends PendingRequest, T>(
  place: PoolLane<R, T>,
  now: Msecs,
): Saturation {
  const { pool, lane, queue, longest, serviceMsecs } = place;
  const { open, limit, limitName } = countsOf(place);
  return {
    origin: pool.origin,
    service: lane.service.name,
    lane: lane.name,
    limitName,
    limit,
    open,
    pending: queue.count,
    waitedMsecs: longest === null ? 0 : now - longest.enqueuedAt,
    refused: place.refused + place.timedOut + place.shed,
    serviceMsecs: serviceMsecs === 0 ? null : serviceMsecs,
  };
}

/** What a look at a lane, or a refusal, found. */
export type SaturationChange = "saturated" | "relieved" | null;

function lookOf<R extends PendingRequest, T>(place: PoolLane<R, T>): Reminder {
  place.nextLook ??= new Reminder((now) => place.pool.waiting.look(place, now));
  return place.nextLook;
}

/** A request began to wait: some time on it is looked at. */
export function watch<R extends PendingRequest, T>(
  place: PoolLane<R, T>,
  timers: Timers,
  now: Msecs,
): void {
  const look = lookOf(place);
  if (look.slot === -1) timers.set(look, now + place.pool.options.saturationMsecs, now);
}

/** A request was refused. */
export function refused<R extends PendingRequest, T>(
  place: PoolLane<R, T>,
  timers: Timers,
  now: Msecs,
): SaturationChange {
  if (place.pool.options.saturationMsecs === Number.POSITIVE_INFINITY) return null;
  watch(place, timers, now);
  const isNew = place.saturatedAt === null;
  place.saturatedAt = now;
  return isNew ? "saturated" : null;
}

/** The time for a look has come. */
export function looked<R extends PendingRequest, T>(
  place: PoolLane<R, T>,
  timers: Timers,
  now: Msecs,
): SaturationChange {
  const { longest, saturatedAt } = place;
  const { saturationMsecs } = place.pool.options;
  const waitsSince = longest === null ? Number.POSITIVE_INFINITY : longest.enqueuedAt;
  if (now - waitsSince >= saturationMsecs) {
    place.saturatedAt = now;
    timers.set(lookOf(place), now + saturationMsecs, now);
    return saturatedAt === null ? "saturated" : null;
  }
  const isOff = saturationMsecs === Number.POSITIVE_INFINITY;
  const isOver = saturatedAt !== null && (isOff || now - saturatedAt >= saturationMsecs);
  if (isOver) place.saturatedAt = null;
  const lookAt = Math.min(
    waitsSince,
    isOver ? Number.POSITIVE_INFINITY : (saturatedAt ?? Number.POSITIVE_INFINITY),
  );
  timers.set(lookOf(place), lookAt + saturationMsecs, now);
  return isOver ? "relieved" : null;
}
