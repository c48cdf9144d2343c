/**
 * A pool goes over to another service, or to the lanes that its own has now. Two steps, with all budgets counted
 * anew between them: `release` lets everything go, `resume` lets it go on.
 * Invariant: no request and no connection is lost, and all claims are those of the lanes that hold them.
 */
import type { Msecs } from "./clock.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import { watch } from "./saturation.ts";
import type { Service } from "./service.ts";
import type { Timers } from "./timers.ts";

/** `pool` is one of `service`, with what it has under way. Returns its pending requests, by the order of arrival. */
export function release<R extends PendingRequest, T>(
  pool: Pool<R, T>,
  service: Service<R, T>,
  now: Msecs,
): R[] {
  pool.waiting.stopLooking();
  const pending = pool.lanes.clear();
  const connections = [...pool.roster.connections];
  const holders = connections.flatMap((each) => each.holders);
  for (const holder of holders) holder.place?.letGo(null);
  if (service !== pool.service) {
    pool.budget.moveTo(service.budget, connections);
    pool.service = service;
  }
  for (const holder of holders) {
    const place = pool.lanes.of(holder.lane);
    holder.place = place;
    place.claim();
    place.hold(now);
  }
  return pending;
}

/** `pending` wait on, each in the lane that it has now. Their timeouts are still set. */
export function resume<R extends PendingRequest, T>(
  pool: Pool<R, T>,
  pending: readonly R[],
  timers: Timers,
  now: Msecs,
): void {
  for (const request of pending) {
    const place = pool.lanes.of(request.lane);
    request.place = place;
    if (request.resending === null) pool.lanes.push(request, place);
    else pool.lanes.insert(request, place);
    watch(place, timers, now);
  }
}
