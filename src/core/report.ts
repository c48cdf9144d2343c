/**
 * What errors and reports say of a pool and of a request in it.
 */
import type { ErrorContext, PoolCounts } from "./errors.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { PoolLane } from "./pool-lane.ts";

/** The sockets and requests of its pool, and the limit that `place` meets. */
export function countsOf<R extends PendingRequest, T>(place: PoolLane<R, T>): PoolCounts {
  const { lane, pool, claimed, keeper } = place;
  const pending = pool.budget.pending;
  const { maxSockets } = lane.options;
  if (claimed >= maxSockets) {
    const limitName = `maxSockets of lane ${lane.name}`;
    return { open: claimed, limit: maxSockets, limitName, pending };
  }
  const full = pool.budget.firstFull();
  if (full === null && keeper !== null) {
    const limitName = `${keeper.name} less what other lanes reserve`;
    return { open: keeper.open, limit: keeper.limit, limitName, pending };
  }
  const { open, limit, name } = full ?? pool.budget;
  return { open, limit, limitName: name, pending };
}

/** Where `request` is, or a warm-up (null). */
export function contextOf<R extends PendingRequest, T>(
  pool: Pool<R, T>,
  request: R | null,
): ErrorContext {
  const requestSent = request?.resending?.isSent ?? false;
  const lane = request === null ? undefined : (request.place?.lane.name ?? request.lane);
  return { origin: pool.origin, service: pool.service.name, lane, requestSent };
}
