/**
 * How long a connection may be used: what its age, its number of requests and its idle time allow.
 */
import type { Msecs } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { idleWindowMsecs, idleWindowReason } from "./idle-window.ts";
import type { PoolOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import type { RetireReason } from "./retire.ts";

/** When a connection that is idle since `idleSince` must not be used any more. */
export function usableUntil<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  options: PoolOptions,
  idleSince: Msecs,
): Msecs {
  const idleUntil = idleSince + windowMsecs(connection, options);
  return Math.min(idleUntil, agedAt(connection, options));
}

/** Why an idle connection that is past `usableUntil` is. */
export function staleReason<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  options: PoolOptions,
  now: Msecs,
): RetireReason {
  if (now >= agedAt(connection, options)) return "max-age";
  return idleWindowReason(options.keepAliveMsecs, windowMsecs(connection, options));
}

/** Why a connection must not carry a further request, whatever its pool looks like; null when it may. */
export function wornReason<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  options: PoolOptions,
  now: Msecs,
): RetireReason | null {
  const { requestCount } = connection;
  if (requestCount > 0 && !options.keepAlive) return "keep-alive-off";
  if (requestCount >= options.maxRequestsPerSocket) return "max-requests";
  if (requestCount >= connection.hintedRequests) return "max-requests";
  return now >= agedAt(connection, options) ? "max-age" : null;
}

function windowMsecs<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  options: PoolOptions,
): Msecs {
  const { hintMsecs, roundTripMsecs } = connection;
  return idleWindowMsecs(options.keepAliveMsecs, hintMsecs, roundTripMsecs);
}

function agedAt<R extends PendingRequest, T>(
  connection: Connection<R, T>,
  options: PoolOptions,
): Msecs {
  return connection.openedAt + options.maxSocketAgeMsecs * (1 - connection.ageJitter);
}
