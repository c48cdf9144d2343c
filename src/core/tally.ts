/**
 * What a pool counts, and each lane in it. Counts only grow, so that two readings can be subtracted; what came of pools that are
 * gone is added to their service.
 * Invariant: what happens is counted once, where it belongs: what requests of a lane go through in the lane, what connections
 * go through in the pool. All sums are made when somebody reads.
 */
import type { Msecs } from "./clock.ts";
import { Histogram, Histograms } from "./histogram.ts";
import type { DialFacts } from "./port.ts";
import type { RetireReason } from "./retire.ts";

/** A response time counts for so much of the mean: it follows a change within some ten requests. */
const serviceWeight = 1 / 8;

/** The places of distributions of a lane. */
const waitsAt = 0;
const idleAt = 1;
const firstByteAt = 2;
const useAt = 3;
const laneDurations = 4;

/** What is counted of one lane in one pool. */
export class LaneTally extends Histograms {
  /** Requests that asked for a connection. */
  requests = 0;
  /** Requests that were granted a connection. */
  served = 0;
  /** Requests that were granted a connection which had carried one before. */
  reused = 0;
  /** Requests that had a connection at once. Apart from `waits`, which is not touched for them. */
  unqueued = 0;
  /** Whole, since V8 keeps small whole numbers in the object itself, and others apart. */
  #serviceMicros = 0;
  /** Requests that waited longer than their queue timeout. */
  timedOut = 0;
  /** Requests refused because the queue was full. */
  refused = 0;
  /** Requests refused at once because they would have waited for too long. */
  shed = 0;

  constructor() {
    super(laneDurations);
  }

  /** Mean time from grant to the end of the lease, of the last ones; 0 while none is known, and of a sum. */
  get serviceMsecs(): Msecs {
    return this.#serviceMicros / 1_000;
  }

  /** Waits for a connection, of those who had to wait and had one in the end. */
  get waits(): Histogram {
    return new Histogram(this, waitsAt);
  }

  /** How long connections had been idle that were used again; those that were handed over at once are not in it. */
  get idle(): Histogram {
    return new Histogram(this, idleAt);
  }

  /** From the request's last byte sent to the first byte of the response. */
  get firstByte(): Histogram {
    return new Histogram(this, firstByteAt);
  }

  /** From grant to the end of the lease, however it ended. */
  get use(): Histogram {
    return new Histogram(this, useAt);
  }

  /** A request has a connection after so long a wait. */
  waited(msecs: Msecs): void {
    if (msecs === 0) this.unqueued++;
    else this.record(waitsAt, msecs);
  }

  /** A request has a connection that had been idle for so long; null when it had carried none. */
  granted(idleMsecs: Msecs | null): void {
    this.served++;
    if (idleMsecs === null) return;
    this.reused++;
    if (idleMsecs > 0) this.record(idleAt, idleMsecs);
  }

  /** A response began so long after its request was sent. */
  responded(msecs: Msecs): void {
    this.record(firstByteAt, msecs);
  }

  /**
   * A lease has ended that was held for so long. One that did not end well counts for the mean only where it took longer: what was
   * given up early says nothing of how long responses take.
   */
  ended(msecs: Msecs, isWell: boolean): void {
    this.record(useAt, msecs);
    const mean = this.#serviceMicros;
    const micros = Math.round(msecs * 1_000);
    if (!isWell && micros <= mean) return;
    this.#serviceMicros = mean === 0 ? micros : mean + Math.round((micros - mean) * serviceWeight);
  }

  /** Goes on from where `former` stopped. */
  follow(former: LaneTally): void {
    this.add(former);
    this.#serviceMicros = former.#serviceMicros;
  }

  /** Counts what `other` has counted, too. */
  add(other: LaneTally): void {
    this.requests += other.requests;
    this.served += other.served;
    this.reused += other.reused;
    this.unqueued += other.unqueued;
    this.timedOut += other.timedOut;
    this.refused += other.refused;
    this.shed += other.shed;
    this.addAll(other);
  }
}

const dialAt = 0;
const connectAt = 1;
const tlsAt = 2;
const lifeAt = 3;
const poolDurations = 4;

/** Counters and distributions of one pool since it was made. */
export class Tally extends Histograms {
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
  /** What lanes counted that the service has no more. */
  formerLanes: LaneTally | null = null;

  constructor() {
    super(poolDurations);
  }

  /** Dials that succeeded, name lookup and handshakes included. */
  get dial(): Histogram {
    return new Histogram(this, dialAt);
  }

  /** TCP handshakes. */
  get connect(): Histogram {
    return new Histogram(this, connectAt);
  }

  /** TLS handshakes. */
  get tls(): Histogram {
    return new Histogram(this, tlsAt);
  }

  /** From open to closed, of connections that are. */
  get life(): Histogram {
    return new Histogram(this, lifeAt);
  }

  /** A dial has succeeded, which took so long. */
  dialed(msecs: Msecs, { connectMsecs, tlsMsecs, tlsResumed }: DialFacts): void {
    this.opened++;
    if (tlsResumed) this.resumedTls++;
    this.record(dialAt, msecs);
    if (connectMsecs !== null) this.record(connectAt, connectMsecs);
    if (tlsMsecs !== null) this.record(tlsAt, tlsMsecs);
  }

  /** A connection was retired that had been open for so long; null when it never was. */
  retired(reason: RetireReason, ageMsecs: Msecs | null): void {
    this.closed[reason] = (this.closed[reason] ?? 0) + 1;
    if (ageMsecs !== null) this.record(lifeAt, ageMsecs);
  }

  /** `lane` is none of the service any more. */
  forget(lane: LaneTally): void {
    this.formerLanes ??= new LaneTally();
    this.formerLanes.add(lane);
  }

  /** Counts what `other` has counted, too. */
  add(other: Tally): void {
    this.resent += other.resent;
    this.failed += other.failed;
    this.opened += other.opened;
    this.resumedTls += other.resumedTls;
    this.leaked.reported += other.leaked.reported;
    this.leaked.collected += other.leaked.collected;
    for (const [reason, count] of Object.entries(other.closed) as [RetireReason, number][]) {
      this.closed[reason] = (this.closed[reason] ?? 0) + count;
    }
    this.addAll(other);
    if (other.formerLanes !== null) this.forget(other.formerLanes);
  }
}
