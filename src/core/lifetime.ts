/**
 * How long a connection may be used, whatever its idle time: what its age and its number of requests allow.
 */
import type { Msecs } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { PoolOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import type { RetireReason } from "./retire.ts";

/** Why a connection must not carry a further request, whatever its pool looks like; null when it may. */
export function wornReason<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  options: PoolOptions,
  now: Msecs,
): RetireReason | null {
  const { requestCount, hintedRequests } = connection;
  if (requestCount > 0 && !options.keepAlive) return "keep-alive-off";
  if (requestCount >= options.maxRequestsPerSocket) return "max-requests";
  if (hintedRequests !== null && requestCount >= hintedRequests) return "max-requests";
  return now >= agedAt(connection, options) ? "max-age" : null;
}

/** When it is older than `maxSocketAgeMsecs`, less its share of jitter. */
export function agedAt<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  options: PoolOptions,
): Msecs {
  return connection.openedAt + options.maxSocketAgeMsecs * (1 - connection.ageJitter);
}
