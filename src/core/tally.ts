/**
 * What a pool counts, and each lane in it. Plain numbers that only grow, so that two readings can be subtracted; what came
 * of pools that are gone is added to their service.
 * Invariant: a duration is recorded once, where it belongs: what requests of a lane go through in the lane, what connections
 * go through in the pool. All sums are made when somebody reads.
 */
import type { Msecs } from "./clock.ts";
import { Histogram } from "./histogram.ts";
import type { DialFacts } from "./port.ts";
import type { RetireReason } from "./retire.ts";

/** What is counted of one lane in one pool. Distributions are null until there is something in them: of many origins most are. */
export class LaneTally {
  /** Requests that were granted a connection. */
  served = 0;
  /** Requests that had a connection at once. Apart from `queue`, which is not touched for them. */
  unqueued = 0;
  /** From grant to the end of the lease, however it ended. */
  use: Histogram | null = null;
  /** From the request's last byte sent to the first byte of the response. */
  firstByte: Histogram | null = null;
  /** Waits for a connection, of those who had to wait and had one in the end. */
  queue: Histogram | null = null;
  /** Requests that waited longer than their queue timeout. */
  timedOut = 0;
  /** Requests refused because the queue was full. */
  refused = 0;
  /** Requests refused at once because they would have waited for too long. */
  shed = 0;
  /** Requests that waited at once, at most. */
  mostPending = 0;
  /** Requests under way at once, at most. */
  mostBusy = 0;
  /** The longest wait in ms. */
  longestWaitMsecs: Msecs = 0;

  /** A request had a connection after so long a wait. */
  waited(msecs: Msecs): void {
    if (msecs === 0) {
      this.unqueued++;
      return;
    }
    this.queue ??= new Histogram();
    this.queue.record(msecs);
  }

  /** A lease has ended that was held for so long. */
  used(msecs: Msecs): void {
    this.use ??= new Histogram();
    this.use.record(msecs);
  }

  /** A response began so long after its request was sent. */
  responded(msecs: Msecs): void {
    this.firstByte ??= new Histogram();
    this.firstByte.record(msecs);
  }

  /** Its distributions are not needed any more. */
  release(): void {
    this.use = this.firstByte = this.queue = null;
  }

  /** Counts what `other` has counted, too. */
  add(other: LaneTally): void {
    this.served += other.served;
    this.unqueued += other.unqueued;
    this.use = sumOf(this.use, other.use);
    this.firstByte = sumOf(this.firstByte, other.firstByte);
    this.queue = sumOf(this.queue, other.queue);
    this.timedOut += other.timedOut;
    this.refused += other.refused;
    this.shed += other.shed;
    this.mostPending = Math.max(this.mostPending, other.mostPending);
    this.mostBusy = Math.max(this.mostBusy, other.mostBusy);
    this.longestWaitMsecs = Math.max(this.longestWaitMsecs, other.longestWaitMsecs);
  }
}

/** Counters and distributions of one pool since it was made. */
export class Tally {
  /** Requests that asked for a connection. */
  requests = 0;
  /** Requests that were granted a connection which had carried one before. */
  reused = 0;
  /** Requests that were granted a connection. */
  served = 0;
  /** How long connections had been idle that were used again; those that were handed over at once are not in it. */
  idle: Histogram | null = null;
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
  /** Retired connections by reason; a reason that never occurred is absent. */
  readonly closed: { [reason in RetireReason]?: number } = {};
  /** Dials that succeeded, name lookup and handshakes included. */
  dial: Histogram | null = null;
  /** TCP handshakes. */
  connect: Histogram | null = null;
  /** TLS handshakes. */
  tls: Histogram | null = null;
  /** From open to closed, of connections that are. */
  life: Histogram | null = null;
  /** What lanes counted that the service has no more. */
  formerLanes: LaneTally | null = null;

  /** A dial has succeeded, which took so long. */
  dialed(msecs: Msecs, { connectMsecs, tlsMsecs, tlsResumed }: DialFacts): void {
    this.opened++;
    if (tlsResumed) this.resumedTls++;
    this.dial ??= new Histogram();
    this.dial.record(msecs);
    if (connectMsecs !== null) {
      this.connect ??= new Histogram();
      this.connect.record(connectMsecs);
    }
    if (tlsMsecs !== null) {
      this.tls ??= new Histogram();
      this.tls.record(tlsMsecs);
    }
  }

  /** A connection is used again that had been idle for so long. */
  usedAgain(idleMsecs: Msecs): void {
    this.reused++;
    if (idleMsecs === 0) return;
    this.idle ??= new Histogram();
    this.idle.record(idleMsecs);
  }

  /** A connection was retired that had been open for so long; null when it never was. */
  retired(reason: RetireReason, ageMsecs: Msecs | null): void {
    this.closed[reason] = (this.closed[reason] ?? 0) + 1;
    if (ageMsecs === null) return;
    this.life ??= new Histogram();
    this.life.record(ageMsecs);
  }

  /** `lane` is none of the service any more. */
  forget(lane: LaneTally): void {
    this.formerLanes ??= new LaneTally();
    this.formerLanes.add(lane);
  }

  /** Its distributions are not needed any more. */
  release(): void {
    this.idle = this.dial = this.connect = this.tls = this.life = null;
    this.formerLanes = null;
  }

  /** Counts what `other` has counted, too. */
  add(other: Tally): void {
    this.requests += other.requests;
    this.reused += other.reused;
    this.served += other.served;
    this.idle = sumOf(this.idle, other.idle);
    this.resent += other.resent;
    this.failed += other.failed;
    this.opened += other.opened;
    this.resumedTls += other.resumedTls;
    this.leaked.reported += other.leaked.reported;
    this.leaked.collected += other.leaked.collected;
    for (const [reason, count] of Object.entries(other.closed) as [RetireReason, number][]) {
      this.closed[reason] = (this.closed[reason] ?? 0) + count;
    }
    this.dial = sumOf(this.dial, other.dial);
    this.connect = sumOf(this.connect, other.connect);
    this.tls = sumOf(this.tls, other.tls);
    this.life = sumOf(this.life, other.life);
    if (other.formerLanes !== null) this.forget(other.formerLanes);
  }
}

/** `own` with what is in `other`. */
function sumOf(own: Histogram | null, other: Histogram | null): Histogram | null {
  if (other === null) return own;
  const sum = own ?? new Histogram();
  sum.add(other);
  return sum;
}
