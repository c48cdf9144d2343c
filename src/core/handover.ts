/**
 * A pool goes over to another service, or to the lanes that its own has now. Two steps, with all budgets counted
 * anew between them: `release` lets everything go, `resume` lets it go on.
 * Invariant: no request and no connection is lost, and all claims are those of the lanes that hold them.
 */
import type { Msecs } from "./clock.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { PoolLane } from "./pool-lane.ts";
import type { Service } from "./service.ts";

/** What a pool had that goes on in the lanes that it gets. */
export interface Handover<R extends PendingRequest, T> {
  /** By the order of arrival. Their timeouts are still set. */
  readonly pending: readonly R[];
  readonly saturated: readonly PoolLane<R, T>[];
}

/** `pool` is one of `service`, with what it has under way. */
export function release<R extends PendingRequest, T>(
  pool: Pool<R, T>,
  service: Service<R, T>,
  now: Msecs,
): Handover<R, T> {
  pool.waiting.stopLooking();
  const saturated = [...pool.lanes.all].filter((each) => each.saturatedAt !== null);
  const pending = pool.lanes.clear();
  const connections = [...pool.roster.connections];
  const holders = connections.flatMap((each) => each.holders);
  for (const { place } of holders) place?.letGo(now);
  if (service !== pool.service) {
    pool.budget.moveTo(service.budget, connections);
    pool.service = service;
  }
  pool.lanes.renew();
  for (const holder of holders) {
    const place = pool.lanes.of(holder.lane);
    holder.place = place;
    place.claim();
    place.hold(now);
  }
  return { pending, saturated };
}

/** What waited waits on, each request in the lane that it has now. */
export function resume<R extends PendingRequest, T>(
  pool: Pool<R, T>,
  { pending, saturated }: Handover<R, T>,
  now: Msecs,
): void {
  for (const request of pending) {
    const place = pool.lanes.of(request.lane);
    request.place = place;
    if (request.resending === null) pool.lanes.push(request, place);
    else pool.lanes.insert(request, place);
  }
  pool.waiting.lookAgain(saturated, now);
}
