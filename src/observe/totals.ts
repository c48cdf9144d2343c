/**
 * What pools and lanes have counted, put together: made when somebody reads, so that a request counts once.
 */
import type { PendingRequest } from "../core/pending.ts";
import type { Pool } from "../core/pool.ts";
import type { Pools } from "../core/pools.ts";
import type { Service } from "../core/service.ts";
import { LaneTally, Tally } from "../core/tally.ts";

/** What one service has counted, over all its origins. */
export interface ServiceTally {
  /** Origins of it that have a pool. */
  readonly origins: number;
  readonly tally: Tally;
  /** All lanes together, with those that are gone. */
  readonly allLanes: LaneTally;
  /** By name, those that the service has. */
  readonly lanes: ReadonlyMap<string, LaneTally>;
}

/** What the lanes of `pool` have counted together. */
export function lanesTally<R extends PendingRequest, T>({ lanes, tally }: Pool<R, T>): LaneTally {
  const places = [...lanes.all];
  const [only] = places;
  if (only !== undefined && places.length === 1 && tally.formerLanes === null) return only.tally;
  const sum = new LaneTally();
  for (const place of places) sum.add(place.tally);
  if (tally.formerLanes !== null) sum.add(tally.formerLanes);
  return sum;
}

/** What `service` has counted, with what came of pools that are gone. */
export function serviceTally<R extends PendingRequest, T>(
  pools: Pools<R, T>,
  service: Service<R, T>,
): ServiceTally {
  const tally = new Tally();
  tally.add(service.past);
  const lanes = new Map<string, LaneTally>();
  for (const { name, past } of service.lanes.values()) {
    const sum = new LaneTally();
    sum.add(past);
    lanes.set(name, sum);
  }
  let origins = 0;
  for (const pool of pools.all) {
    if (pool.service !== service) continue;
    origins++;
    tally.add(pool.tally);
    for (const place of pool.lanes.all) lanes.get(place.lane.name)?.add(place.tally);
  }
  const allLanes = new LaneTally();
  for (const each of lanes.values()) allLanes.add(each);
  if (tally.formerLanes !== null) allLanes.add(tally.formerLanes);
  return { origins, tally, allLanes, lanes };
}
