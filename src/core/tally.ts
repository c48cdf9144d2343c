/**
 * What a pool counts, and each lane in it. Plain numbers that only grow, so that two readings can be subtracted; what came
 * of pools that are gone is added to their service.
 * Invariant: a duration is recorded once, where it belongs: what requests of a lane go through in the lane, what connections
 * go through in the pool. All sums are made when somebody reads.
 */
import type { Msecs } from "./clock.ts";
import { Histogram } from "./histogram.ts";
import { type NotedTally, Notes } from "./notes.ts";
import type { DialFacts } from "./port.ts";
import type { RetireReason } from "./retire.ts";

/** Kinds of durations that are noted: of a lane, and of a pool. */
const use = 0;
const firstByte = 1;
const queue = 2;
const idle = 0;

/** What is counted of one lane in one pool. Distributions are null until there is something in them: of many origins most are. */
export class LaneTally implements NotedTally {
  /** Requests that were granted a connection. */
  served = 0;
  /** Requests that had a connection at once. Apart from `queue`, which is not touched for them. */
  unqueued = 0;
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
  #notes: Notes | null;
  readonly #place: number;
  #use: Histogram | null = null;
  #firstByte: Histogram | null = null;
  #queue: Histogram | null = null;

  /** `notes` of its pool; null for a sum of others. */
  constructor(notes: Notes | null) {
    this.#notes = notes;
    this.#place = notes?.enter(this) ?? 0;
  }

  /** From grant to the end of the lease, however it ended. */
  get use(): Histogram | null {
    this.#notes?.countAll();
    return this.#use;
  }

  /** From the request's last byte sent to the first byte of the response. */
  get firstByte(): Histogram | null {
    this.#notes?.countAll();
    return this.#firstByte;
  }

  /** Waits for a connection, of those who had to wait and had one in the end. */
  get queue(): Histogram | null {
    this.#notes?.countAll();
    return this.#queue;
  }

  /** A request had a connection after so long a wait. */
  waited(msecs: Msecs): void {
    if (msecs === 0) this.unqueued++;
    else this.#note(queue, msecs);
  }

  /** A lease has ended that was held for so long. */
  used(msecs: Msecs): void {
    this.#note(use, msecs);
  }

  /** A response began so long after its request was sent. */
  responded(msecs: Msecs): void {
    this.#note(firstByte, msecs);
  }

  count(kind: number, msecs: Msecs): void {
    if (kind === use) this.#use = withOne(this.#use, msecs);
    else if (kind === firstByte) this.#firstByte = withOne(this.#firstByte, msecs);
    else this.#queue = withOne(this.#queue, msecs);
  }

  /** Its pool has other lanes now. Requests may still be under way, of which nobody asks any more. */
  leave(): void {
    this.#notes?.leave(this.#place);
    this.#notes = null;
  }

  /** Its distributions are not needed any more. */
  release(): void {
    this.#notes?.countAll();
    this.#use = this.#firstByte = this.#queue = null;
  }

  /** Counts what `other` has counted, too. */
  add(other: LaneTally): void {
    this.served += other.served;
    this.unqueued += other.unqueued;
    this.#use = sumOf(this.use, other.use);
    this.#firstByte = sumOf(this.#firstByte, other.#firstByte);
    this.#queue = sumOf(this.#queue, other.#queue);
    this.timedOut += other.timedOut;
    this.refused += other.refused;
    this.shed += other.shed;
    this.mostPending = Math.max(this.mostPending, other.mostPending);
    this.mostBusy = Math.max(this.mostBusy, other.mostBusy);
    this.longestWaitMsecs = Math.max(this.longestWaitMsecs, other.longestWaitMsecs);
  }

  #note(kind: number, msecs: Msecs): void {
    if (this.#notes === null) this.count(kind, msecs);
    else this.#notes.note(this.#place + kind, msecs);
  }
}

/** Counters and distributions of one pool since it was made. */
export class Tally implements NotedTally {
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
  /** Of the pool and its lanes; null for a sum of others. */
  readonly notes: Notes | null;
  readonly #place: number;
  #idle: Histogram | null = null;

  constructor(notes: Notes | null) {
    this.notes = notes;
    this.#place = notes?.enter(this) ?? 0;
  }

  /** How long connections had been idle that were used again; those that were handed over at once are not in it. */
  get idle(): Histogram | null {
    this.notes?.countAll();
    return this.#idle;
  }

  /** A dial has succeeded, which took so long. */
  dialed(msecs: Msecs, { connectMsecs, tlsMsecs, tlsResumed }: DialFacts): void {
    this.opened++;
    if (tlsResumed) this.resumedTls++;
    this.dial = withOne(this.dial, msecs);
    if (connectMsecs !== null) this.connect = withOne(this.connect, connectMsecs);
    if (tlsMsecs !== null) this.tls = withOne(this.tls, tlsMsecs);
  }

  /** A connection is used again that had been idle for so long. */
  usedAgain(idleMsecs: Msecs): void {
    this.reused++;
    if (idleMsecs === 0) return;
    if (this.notes === null) this.count(idle, idleMsecs);
    else this.notes.note(this.#place + idle, idleMsecs);
  }

  count(_kind: number, msecs: Msecs): void {
    this.#idle = withOne(this.#idle, msecs);
  }

  /** A connection was retired that had been open for so long; null when it never was. */
  retired(reason: RetireReason, ageMsecs: Msecs | null): void {
    this.closed[reason] = (this.closed[reason] ?? 0) + 1;
    if (ageMsecs !== null) this.life = withOne(this.life, ageMsecs);
  }

  /** `lane` is none of the service any more. */
  forget(lane: LaneTally): void {
    this.formerLanes ??= new LaneTally(null);
    this.formerLanes.add(lane);
    lane.leave();
  }

  /** Its distributions are not needed any more. */
  release(): void {
    this.notes?.countAll();
    this.#idle = this.dial = this.connect = this.tls = this.life = null;
    this.formerLanes = null;
  }

  /** Counts what `other` has counted, too. */
  add(other: Tally): void {
    this.requests += other.requests;
    this.reused += other.reused;
    this.served += other.served;
    this.#idle = sumOf(this.idle, other.idle);
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

/** The tally of a pool, with the notes of its lanes. */
export const tallyOfPool = (): Tally => new Tally(new Notes());

/** `histogram`, made where there is none, with one more duration. */
function withOne(histogram: Histogram | null, msecs: Msecs): Histogram {
  const own = histogram ?? new Histogram();
  own.record(msecs);
  return own;
}

/** `own` with what is in `other`. */
function sumOf(own: Histogram | null, other: Histogram | null): Histogram | null {
  if (other === null) return own;
  const sum = own ?? new Histogram();
  sum.add(other);
  return sum;
}
