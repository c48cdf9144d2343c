/**
 * What a pool is for: an origin, and where connections to it are dialed in more than one way, which of them.
 */

/** What a pool is for, and found by. */
export interface PoolSite {
  /** `protocol://host:port`. */
  readonly origin: string;
  /** What the pool is found by: the origin itself for the plain pool, or anything else that says the route, too. */
  readonly key: string;
  /** The driver's own: how to dial where the origin does not say it all; null for the plain pool. Connections of a pool have the same. */
  readonly route: object | null;
}

/** The plain pool of `origin`. */
export function plainSite(origin: string): PoolSite {
  return { origin, key: origin, route: null };
}
