/**
 * Makes messages for the diagnostics channels of what one client does.
 * Invariant: no message is made for a channel without subscribers. Messages are written out, field by field: by spreading what
 * they have in common into each, to listen to all events cost a request as much as the request itself, and not a fifth of it.
 */
import type { Msecs } from "../core/clock.ts";
import { KeeplineError } from "../core/errors.ts";
import type { ObservedHead, ObservedLeak } from "../core/observer.ts";
import type { DialFacts } from "../core/port.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Saturation } from "../core/saturation.ts";
import type { TuningChange } from "../core/tuner.ts";
import { hasListener, publish } from "./channels.ts";
import type { ErrorSummary } from "./messages.ts";
import type { Watcher } from "./observing.ts";
import type { HttpLease, Sighting } from "./sighting.ts";

/** Tells the channels. */
export class ChannelWatcher implements Watcher {
  readonly #clientId: number;

  constructor(clientId: number) {
    this.#clientId = clientId;
  }

  created(seen: Sighting, now: Msecs): void {
    if (!hasListener("request:created")) return;
    const { method, path } = seen;
    publish("request:created", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      method,
      path,
    });
  }

  queued(seen: Sighting, now: Msecs): void {
    if (!hasListener("request:queued")) return;
    const { place } = seen.request;
    const pending = place?.queue.count ?? 0;
    const open = place?.pool.budget.open ?? 0;
    publish("request:queued", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      pending,
      open,
    });
  }

  granted(seen: Sighting, { id }: HttpLease, now: Msecs): void {
    if (!hasListener("request:granted")) return;
    const { requestCount, idleMsecs, waitsSince } = seen;
    publish("request:granted", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      connectionId: id,
      reused: requestCount > 1,
      requestCount,
      idleMsecs,
      queuedMsecs: now - waitsSince,
    });
  }

  sent(seen: Sighting, now: Msecs): void {
    if (!hasListener("request:sent")) return;
    publish("request:sent", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      connectionId: connectionOf(seen),
    });
  }

  responded(seen: Sighting, _head: ObservedHead | null, now: Msecs): void {
    if (!hasListener("request:head")) return;
    const { statusCode } = seen;
    const connectionId = connectionOf(seen);
    publish("request:head", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      connectionId,
      statusCode,
    });
  }

  resent(seen: Sighting, failed: HttpLease, isWritten: boolean, now: Msecs): void {
    if (!hasListener("request:resend")) return;
    publish("request:resend", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      connectionId: failed.id,
      reason: reasonOf(failed),
      resends: seen.resends,
      requestSent: isWritten || seen.request.resending?.isSent === true,
    });
  }

  ended(seen: Sighting, now: Msecs): void {
    if (!hasListener("request:end")) return;
    const { statusCode, request } = seen;
    publish("request:end", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      connectionId: connectionOf(seen),
      statusCode,
      bodyBytes: request.receivedBytes,
    });
  }

  failed(seen: Sighting, error: unknown, now: Msecs): void {
    if (!hasListener("request:failed")) return;
    publish("request:failed", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      connectionId: seen.lease?.id ?? null,
      error: error === null ? null : summaryOf(error),
      requestSent: error instanceof KeeplineError ? error.requestSent : null,
    });
  }

  leaked(seen: Sighting, leak: ObservedLeak, now: Msecs): void {
    if (!hasListener("request:leaked")) return;
    const { connectionId, msecs, heldBytes, frames } = leak;
    publish("request:leaked", {
      at: now,
      clientId: this.#clientId,
      requestId: seen.id,
      origin: seen.origin,
      service: seen.service,
      lane: seen.lane,
      connectionId,
      unreadMsecs: msecs,
      heldBytes,
      stack: frames,
    });
  }

  dialing(lease: HttpLease, now: Msecs): void {
    if (!hasListener("connection:dialing")) return;
    const pending = lease.pool.budget.pending;
    publish("connection:dialing", {
      at: now,
      clientId: this.#clientId,
      connectionId: lease.id,
      origin: lease.pool.origin,
      service: lease.pool.service.name,
      pending,
    });
  }

  opened(lease: HttpLease, { connectMsecs, tlsMsecs, tlsResumed }: DialFacts, now: Msecs): void {
    if (!hasListener("connection:open")) return;
    const { transport, state } = lease;
    publish("connection:open", {
      at: now,
      clientId: this.#clientId,
      connectionId: lease.id,
      origin: lease.pool.origin,
      service: lease.pool.service.name,
      dialMsecs: state.kind === "dialing" ? now - state.since : 0,
      dnsMsecs: transport?.dialTimings?.dns ?? null,
      connectMsecs,
      tlsMsecs,
      tlsResumed,
      localPort: transport?.localPort ?? null,
      remoteAddress: transport?.remoteAddress ?? null,
    });
  }

  rested(lease: HttpLease, now: Msecs): void {
    if (!hasListener("connection:idle")) return;
    const { requestCount, usableUntil } = lease;
    const usable = Math.max(usableUntil - now, 0);
    const usableMsecs = Number.isFinite(usable) ? usable : null;
    publish("connection:idle", {
      at: now,
      clientId: this.#clientId,
      connectionId: lease.id,
      origin: lease.pool.origin,
      service: lease.pool.service.name,
      requestCount,
      usableMsecs,
    });
  }

  retired(lease: HttpLease, reason: RetireReason, now: Msecs): void {
    if (!hasListener("connection:retired")) return;
    const { state, requestCount, openedAt, pool } = lease;
    if (state.kind !== "closed" || state.before.kind === "closed") return;
    const { before } = state;
    const isDial = before.kind === "dialing";
    publish("connection:retired", {
      at: now,
      clientId: this.#clientId,
      connectionId: lease.id,
      origin: lease.pool.origin,
      service: lease.pool.service.name,
      reason,
      state: before.kind,
      requestCount,
      ageMsecs: isDial ? null : now - openedAt,
      idleMsecs: before.kind === "idle" ? now - before.since : null,
      error: reason === "dial-failed" ? summaryOf(pool.dialing.failure) : null,
    });
  }

  saturation(change: "saturated" | "relieved", lane: Saturation, now: Msecs): void {
    const name = `lane:${change}` as const;
    if (hasListener(name)) publish(name, { at: now, clientId: this.#clientId, ...lane });
  }

  tuned(change: TuningChange, now: Msecs): void {
    if (!hasListener("service:tuned")) return;
    publish("service:tuned", { at: now, clientId: this.#clientId, ...change });
  }
}

function connectionOf({ lease }: Sighting): number {
  return lease?.id ?? 0;
}

function reasonOf({ state }: HttpLease): RetireReason {
  return state.kind === "closed" ? state.reason : "socket-error";
}

/** Deeper chains than this are cut. */
const deepest = 8;

/** `error` as plain data. */
export function summaryOf(error: unknown, depth = 0): ErrorSummary {
  if (!(error instanceof Error)) {
    return { name: typeof error, code: null, message: String(error), cause: null };
  }
  const { name, message, cause } = error;
  const { code } = error as { code?: unknown };
  return {
    name,
    code: typeof code === "string" ? code : null,
    message,
    cause: cause === undefined || depth === deepest ? null : summaryOf(cause, depth + 1),
  };
}
