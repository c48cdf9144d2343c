/**
 * One transport to an origin, as the core sees it: which state it is in, what it has carried and how
 * long it may still be used. Only its pool moves it from state to state.
 * Invariant: leases never exceed capacity, and a closed connection stays closed.
 */
import type { Msecs } from "./clock.ts";
import type { IdleLink } from "./idle-list.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { RetireReason } from "./retire.ts";
import { Deadline } from "./timers.ts";

/** No request holds it, `since` then. */
export interface IdleState {
  readonly kind: "idle";
  readonly since: Msecs;
}

/** States of a connection. `leases` is at least 1 while busy or draining. */
export type ConnectionState =
  | { readonly kind: "dialing"; readonly since: Msecs }
  | IdleState
  | { readonly kind: "busy"; readonly leases: number }
  | { readonly kind: "draining"; readonly leases: number; readonly reason: RetireReason }
  /** `before`: what it was in. */
  | { readonly kind: "closed"; readonly reason: RetireReason; readonly before: ConnectionState };

/** A lease of a connection that carries one request at a time: shared, for it is made with every request. */
export const busyOnce: ConnectionState = { kind: "busy", leases: 1 };

/** One connection. `T` is what the driver keeps with it: its socket. */
export class Connection<R extends PendingRequest, T> extends Deadline implements IdleLink<R, T> {
  readonly pool: Pool<R, T>;
  /** Unique within its client. */
  readonly id: number;
  /** The driver's own; null until the driver sets it in `dial`. */
  transport: T | null = null;
  state: ConnectionState;
  /** Requests it carries at once: 1 for HTTP/1.1. */
  capacity = 1;
  /** Requests that it was granted to, over its life. */
  requestCount = 0;
  /** When it was open. */
  openedAt: Msecs = 0;
  /** What is taken off `maxSocketAgeMsecs`, as a share of it, so that siblings do not end together. */
  ageJitter = 0;
  /** `Keep-Alive: timeout=N` of the last response in ms; null when the server did not say. */
  hintMsecs: Msecs | null = null;
  /** How many requests the server said it takes in all, by `Keep-Alive: max=N`; null when it did not say. */
  hintedRequests: number | null = null;
  /** How long it had been idle when it was last granted; 0 when it was handed over at once. */
  lastIdleMsecs: Msecs = 0;
  /** When it was last granted. */
  leasedAt: Msecs = 0;
  /** While idle: the instant from which on it must not be used. */
  usableUntil: Msecs = 0;
  /** In the idle list of its origin: the one that became idle before it. */
  longer: IdleLink<R, T> | null = null;
  /** And the one that did after it. */
  shorter: IdleLink<R, T> | null = null;
  /** Its places in the idle lists above, by level; null until it has been in one. */
  #linksAbove: IdleLink<R, T>[] | null = null;
  // With each request of its life it is held and idle again: nothing is made for that.
  /** A request that holds it now. */
  #holder: R | null = null;
  /** Further ones, where it carries several at once. */
  #furtherHolders: R[] | null = null;
  /** Its state whenever it is idle. */
  readonly #idle = { kind: "idle" as const, since: 0 };

  constructor(pool: Pool<R, T>, id: number, now: Msecs) {
    super();
    this.pool = pool;
    this.id = id;
    this.state = { kind: "dialing", since: now };
  }

  get connection(): this {
    return this;
  }

  /** Its place in an idle list above that of its origin: of the service (0) or the client (1). */
  linkAbove(level: number): IdleLink<R, T> {
    this.#linksAbove ??= [linkOf(this), linkOf(this)];
    return this.#linksAbove[level] as IdleLink<R, T>;
  }

  /** How many requests hold it now. */
  get leases(): number {
    const { state } = this;
    return state.kind === "busy" || state.kind === "draining" ? state.leases : 0;
  }

  /** Requests that hold it now. */
  get holders(): R[] {
    if (this.#holder === null) return [];
    return [this.#holder, ...(this.#furtherHolders ?? [])];
  }

  /** `request` holds it from now on. */
  holdFor(request: R): void {
    if (this.#holder === null) this.#holder = request;
    else {
      this.#furtherHolders ??= [];
      this.#furtherHolders.push(request);
    }
  }

  /** `request`, which held it, does so no more. */
  letGoOf(request: R): void {
    if (this.#holder === request) this.#holder = this.#furtherHolders?.pop() ?? null;
    else this.#furtherHolders?.splice(this.#furtherHolders.indexOf(request), 1);
  }

  /** The state of being idle since `now`. What it says changes when it is asked for again. */
  idleSince(now: Msecs): IdleState {
    this.#idle.since = now;
    return this.#idle;
  }

  /** Idle for too long, older than allowed, or not open within `connectTimeoutMsecs`. */
  override expire(now: Msecs): void {
    this.pool.connectionExpired(this, now);
  }
}

function linkOf<R extends PendingRequest, T>(connection: Connection<R, T>): IdleLink<R, T> {
  return { connection, longer: null, shorter: null };
}
