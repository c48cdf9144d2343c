/**
 * How long a connection may be used, whatever its idle time: what its age, its number of requests and the limits on sockets allow.
 */
import type { Msecs } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { PoolOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import type { RetireReason } from "./retire.ts";

/** Why a connection must not carry a further request; null when it may. `isClosing`: its client takes no further ones. */
export function overdueReason<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  isClosing: boolean,
  now: Msecs,
): RetireReason | null {
  const { requestCount, hintedRequests } = connection;
  const { options, budget } = connection.pool;
  if (requestCount > 0 && !options.keepAlive) return "keep-alive-off";
  if (requestCount >= options.maxRequestsPerSocket) return "max-requests";
  if (hintedRequests !== null && requestCount >= hintedRequests) return "max-requests";
  if (now >= agedAt(connection, options)) return "max-age";
  if (budget.isExceeded()) return "max-sockets";
  return isClosing && budget.pending === 0 ? "client-closed" : null;
}

/** When it is older than `maxSocketAgeMsecs`, less its share of jitter. */
export function agedAt<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  options: PoolOptions,
): Msecs {
  return connection.openedAt + options.maxSocketAgeMsecs * (1 - connection.ageJitter);
}
