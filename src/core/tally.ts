/**
 * What a pool counts. Plain numbers that only grow, so that two readings can be subtracted.
 */
import type { Msecs } from "./clock.ts";
import { type DurationSummary, Histogram } from "./histogram.ts";
import type { RetireReason } from "./retire.ts";

/** Counters and distributions of one pool since it was made. */
export class Tally {
  /** Requests that asked for a connection. */
  requests = 0;
  /** Requests that were granted a connection which had carried one before. */
  reused = 0;
  /** Requests that were granted a connection. */
  served = 0;
  /** Times that a request was sent again because its connection failed. */
  resent = 0;
  /** Requests that got an error after they were granted, or because a dial failed. Aborts are not failures. */
  failed = 0;
  /** Connections that were open once. */
  opened = 0;
  /** Of `opened`: TLS sessions that were resumed. */
  resumedTls = 0;
  /** Response bodies that nobody read: reported for it, and collected with their connection given back. */
  readonly leaked = { reported: 0, collected: 0 };
  /** Requests below this number note where they are made, for such reports. Moved by whoever sees a body being left. */
  tracedUntil = 16;
  /** Of requests below this number one in some does. Moved by whoever sees a body that can be left. */
  sampledUntil = 16;
  /** Retired connections by reason; a reason that never occurred is absent. */
  readonly closed: { [reason in RetireReason]?: number } = {};
  /** Requests that had a connection at once. Apart from `queue`, which is not touched for them. */
  unqueued = 0;
  /** Waits for a connection, of those who had to wait. */
  readonly queue = new Histogram();
  /** TCP handshakes. */
  readonly connect = new Histogram();
  /** TLS handshakes. */
  readonly tls = new Histogram();
  /** From the request's last byte sent to the first byte of the response. */
  readonly firstByte = new Histogram();

  /** A request had a connection after so long a wait. */
  waited(msecs: Msecs): void {
    if (msecs === 0) this.unqueued++;
    else this.queue.record(msecs);
  }

  /** Waits for a connection, zero ones included. */
  get waits(): DurationSummary {
    return this.queue.summary(this.unqueued);
  }
}
