/**
 * What a request knows from the moment it has a connection: when it got what, and its response. Made with the
 * grant, and anew when it is sent again: a request that waits, perhaps with very many others, holds nothing of it.
 */
import type { Msecs } from "../core/clock.ts";
import type { Http1Connection } from "../http1/connection.ts";
import type { HttpPool } from "../http1/connection-user.ts";
import type { DialTimings } from "../net/dial.ts";
import type { ClientBody } from "./body.ts";
import type { IncomingBody } from "./incoming-body.ts";
import type { LeakWatch } from "./leaks.ts";
import type { ConnectionFacts, Timings } from "./response.ts";

const noTrailers: readonly string[] = Object.freeze([]);

/** One request on one connection. */
export class Delivery {
  readonly connection: Http1Connection;
  readonly grantedAt: Msecs;
  /** When its last byte was handed to the socket, or its response began before. */
  sentAt: Msecs = 0;
  firstByteAt: Msecs = 0;
  endedAt: Msecs | null = null;
  /** Of the request's body, then of the response's. */
  bodyBytes = 0;
  responseBody: IncomingBody | null = null;
  /** The program's side of the body, while the read goes on that brought the head. */
  clientBody: ClientBody | null = null;
  watch: LeakWatch | null = null;
  /** Nobody can read the body any more. */
  isCollected = false;
  rawTrailers: readonly string[] = noTrailers;
  readonly #requestCount: number;
  readonly #idleMsecs: Msecs;
  /** Of the dial that it was the first request of. */
  readonly #dial: DialTimings | null;

  constructor(connection: Http1Connection, now: Msecs) {
    const { requestCount, lastIdleMsecs } = connection.lease;
    this.connection = connection;
    this.grantedAt = now;
    this.#requestCount = requestCount;
    this.#idleMsecs = lastIdleMsecs;
    this.#dial = requestCount > 1 ? null : connection.dialTimings;
  }

  get pool(): HttpPool {
    return this.connection.lease.pool;
  }

  get connectionFacts(): ConnectionFacts {
    const { lease, localPort, remoteAddress } = this.connection;
    return {
      id: lease.id,
      reused: this.#requestCount > 1,
      requestCount: this.#requestCount,
      idleMsecs: this.#idleMsecs,
      localPort,
      remoteAddress,
    };
  }

  /** Where the time went of a request that began at `startedAt`. */
  timings(startedAt: Msecs): Timings {
    const dial = this.#dial;
    const dialMsecs = dial === null ? 0 : (dial.dns ?? 0) + dial.connect + (dial.tls ?? 0);
    return {
      // The dial may have begun before the request did: it was for another one then.
      queued: Math.max(this.grantedAt - startedAt - dialMsecs, 0),
      dns: dial === null ? null : dial.dns,
      connect: dial === null ? null : dial.connect,
      tls: dial === null ? null : dial.tls,
      firstByte: this.firstByteAt - this.sentAt,
      total: this.endedAt === null ? null : this.endedAt - startedAt,
    };
  }
}
