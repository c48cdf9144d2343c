/**
 * What is known of a request while somebody looks on: the times of its phases, and the connection that it has.
 */
import type { Msecs } from "../core/clock.ts";
import type { Connection } from "../core/connection.ts";
import type { Http1Connection } from "../http1/connection.ts";
import type { ConnectionUser, HttpPool } from "../http1/connection-user.ts";

/** A connection under HTTP/1.1. */
export type HttpLease = Connection<ConnectionUser, Http1Connection>;

/** One request that was made while somebody looked on. Times are null until what they tell of has happened, on the last connection. */
export class Sighting {
  /** Unique in its client, from 1. */
  readonly id: number;
  readonly request: ConnectionUser;
  readonly method: string;
  /** The request target, with its query. */
  readonly target: string;
  readonly createdAt: Msecs;
  /** When it last began to wait: since it was created, or since its connection failed. */
  waitsSince: Msecs;
  lease: HttpLease | null = null;
  /** Of the connection, when it was granted. */
  requestCount = 0;
  idleMsecs: Msecs = 0;
  grantedAt: Msecs | null = null;
  sentAt: Msecs | null = null;
  firstByteAt: Msecs | null = null;
  statusCode: number | null = null;
  resends = 0;
  /** Requests that waited in its queue when it last began to wait. */
  behind = 0;
  isOver = false;
  /** Until it is in the place of a lane, and after that. */
  readonly #pool: HttpPool;

  constructor(id: number, request: ConnectionUser, pool: HttpPool, now: Msecs) {
    this.id = id;
    this.request = request;
    this.method = request.method;
    this.target = request.target;
    this.createdAt = this.waitsSince = now;
    this.#pool = pool;
  }

  get origin(): string {
    return this.#pool.origin;
  }

  get service(): string {
    return this.request.place?.lane.service.name ?? this.#pool.service.name;
  }

  get lane(): string {
    return this.request.place?.lane.name ?? this.request.lane;
  }

  get path(): string {
    const { target } = this;
    const end = target.search(/[?#]/);
    return end === -1 ? target : target.slice(0, end);
  }

  /** It has a connection. */
  granted(lease: HttpLease, now: Msecs): void {
    this.lease = lease;
    this.requestCount = lease.requestCount;
    this.idleMsecs = lease.lastIdleMsecs;
    this.grantedAt = now;
    this.sentAt = this.firstByteAt = this.statusCode = null;
  }

  /** Its connection failed, and it waits for another one. */
  waits(now: Msecs): void {
    this.lease = null;
    this.grantedAt = null;
    this.waitsSince = now;
  }
}
