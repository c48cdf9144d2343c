/**
 * What becomes of a request that begins to wait in a lane which has too many already, or in which it would wait
 * for too long.
 */
import type { Budget } from "./budget.ts";
import type { Msecs } from "./clock.ts";
import { QueueFullError, QueueTimeoutError } from "./errors.ts";
import type { PendingRequest } from "./pending.ts";
import type { PoolLane } from "./pool-lane.ts";
import { contextOf, countsOf } from "./report.ts";

/** A request that must not wait, and why. */
export interface Refusal<R extends PendingRequest> {
  readonly request: R;
  readonly error: QueueFullError | QueueTimeoutError;
}

/** Whom `place` refuses now that `request` waits in it; null when all may wait. */
export function refusalAt<R extends PendingRequest, T>(
  place: PoolLane<R, T>,
  request: R,
  now: Msecs,
): Refusal<R> | null {
  const { queue, pool, lane } = place;
  const { overload, maxPending, shedLate } = lane.options;
  const uncoveredCount = queue.count - queue.coveredCount;
  if (uncoveredCount > (overload === "reject" ? 0 : maxPending)) {
    place.refused++;
    const refused = overload === "newest-first" ? (queue.tail as R) : request;
    const counts = { ...countsOf(place), pending: uncoveredCount - 1, maxPending, overload };
    return { request: refused, error: new QueueFullError(counts, contextOf(pool, refused)) };
  }
  if (!shedLate || request.covered) return null;
  const predictedMsecs = predictedWaitMsecs(place);
  const queueTimeoutMsecs = request.queueTimeoutMsecs ?? lane.options.queueTimeoutMsecs;
  const leftMsecs = Math.min(queueTimeoutMsecs, request.latestAt - now - place.serviceMsecs);
  // How long the first in line waits is not known.
  if (predictedMsecs === 0 || predictedMsecs <= leftMsecs) return null;
  place.shed++;
  const counts = { ...countsOf(place), waitedMsecs: 0, predictedMsecs };
  return { request, error: new QueueTimeoutError(counts, contextOf(pool, request)) };
}

/**
 * About how long the newest request of `place` will wait: until all those before it are served by the sockets that the
 * lane can count on, each for as long as the last ones were. 0 when nothing is known.
 */
export function predictedWaitMsecs<R extends PendingRequest, T>(place: PoolLane<R, T>): Msecs {
  const { queue, lane, serviceMsecs } = place;
  if (lane.options.overload === "newest-first") return 0;
  const ahead = queue.count - queue.coveredCount - 1;
  return (ahead * serviceMsecs) / socketsFor(place);
}

/** The sockets that `place` has while those lanes wait that do now: its share, and of the shares of others what they cannot use. */
function socketsFor<R extends PendingRequest, T>(place: PoolLane<R, T>): number {
  const { budget, lanes } = place.pool;
  const { reservedSockets, maxSockets } = place.lane.options;
  let others = lanes.waiting.filter((each) => each !== place);
  const full = budget.firstFull();
  if (full !== null && full !== budget) return socketsUnder(full, place);
  let sockets = budget.limit;
  for (;;) {
    const weights = others.reduce((sum, each) => sum + each.weight, place.weight);
    const modest = others.filter((each) => mostFor(each) < (sockets * each.weight) / weights);
    if (modest.length === 0) {
      const share = (sockets * place.weight) / weights;
      return Math.min(Math.max(share, reservedSockets, 1), maxSockets);
    }
    sockets -= modest.reduce((sum, each) => sum + mostFor(each), 0);
    others = others.filter((each) => !modest.includes(each));
  }
}

/** Under a limit that other origins share: the lane's share of the service's, or what the origin has. What the client's will give is not known. */
function socketsUnder<R extends PendingRequest, T>(
  full: Budget<R, T>,
  { lane, pool, weight }: PoolLane<R, T>,
): number {
  const { service } = pool;
  if (full !== service.budget) return Number.POSITIVE_INFINITY;
  let weights = 0;
  for (const each of service.lanes.values()) {
    if (each.pending > 0) weights += each.options.weight;
  }
  const share = Math.max((full.limit * weight) / weights, lane.options.reservedSockets);
  return Math.max(share, pool.budget.open, 1);
}

function mostFor<R extends PendingRequest, T>({ lane, held, queue }: PoolLane<R, T>): number {
  return Math.min(lane.options.maxSockets, held + queue.count);
}
