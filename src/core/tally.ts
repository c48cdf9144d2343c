/**
 * What a pool counts. Plain numbers that only grow, so that two readings can be subtracted.
 */
import { Histogram } from "./histogram.ts";
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
  /** Waits for a connection, zero ones included. */
  readonly queue = new Histogram();
  /** TCP handshakes. */
  readonly connect = new Histogram();
  /** TLS handshakes. */
  readonly tls = new Histogram();
  /** From the request's last byte sent to the first byte of the response. */
  readonly firstByte = new Histogram();
}
