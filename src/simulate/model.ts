/**
 * What the virtual world is made of, beside the core: origins with their servers, connections with both of their ends,
 * and requests. Data and small arithmetic; what happens is in `VirtualWorld`.
 */
import type { Msecs, Random } from "../core/clock.ts";
import type { Connection } from "../core/connection.ts";
import { defaultName } from "../core/lane-options.ts";
import { PendingRequest } from "../core/pending.ts";
import type { Pool } from "../core/pool.ts";
import type { RetireReason } from "../core/retire.ts";
import { Deadline } from "../core/timers.ts";
import type { Sampler } from "./distribution.ts";
import type { Surroundings } from "./environment.ts";
import { FineHistogram } from "./histogram.ts";

export type SimConnection = Connection<SimRequest, Wire>;
export type SimPool = Pool<SimRequest, Wire>;

/** What became of the requests of one lane at one origin. */
export class LaneTally {
  readonly service: string;
  readonly lane: string;
  requests = 0;
  /** Responses that came. */
  succeeded = 0;
  /** Grants of a connection that had carried a request before. */
  reused = 0;
  granted = 0;
  /** Errors by code. */
  readonly failed = new Map<string, number>();
  /** Of these, for a connection that the server had closed for being idle. */
  failedStale = 0;
  /** Times that a request was sent on a connection which the server had closed for being idle. */
  metStale = 0;
  resent = 0;
  /** Until it had a connection, for the first time. */
  readonly waits = new FineHistogram();
  /** Until the last byte of the response: of those that succeeded. */
  readonly latencies = new FineHistogram();

  constructor(service: string, lane: string) {
    this.service = service;
    this.lane = lane;
  }

  fail(code: string): void {
    this.failed.set(code, (this.failed.get(code) ?? 0) + 1);
  }
}

/** One origin: its server, and what was counted of its connections. */
export class OriginModel {
  readonly origin: string;
  readonly around: Surroundings;
  /** Null until the first request, and after its pool was dropped. */
  pool: SimPool | null = null;
  readonly lanes = new Map<string, LaneTally>();
  opened = 0;
  dialsFailed = 0;
  readonly closed = new Map<RetireReason, number>();
  /** Idle time of all connections together. */
  idleMsecs: Msecs = 0;
  /** Time from dial to close of all connections together. */
  openMsecs: Msecs = 0;
  /** When each place of its `capacity` is free: a heap, the earliest on top; null while the capacity is endless. */
  readonly #freeAt: Float64Array | null;

  constructor(origin: string, around: Surroundings) {
    this.origin = origin;
    this.around = around;
    const { capacity } = around.server;
    // More than there can ever be sockets is as good as endless.
    this.#freeAt = capacity > 1_000_000 ? null : new Float64Array(capacity);
  }

  /** The server gets a request at `at`, of all its requests the latest. Returns when it has answered. */
  serve(at: Msecs, serviceMsecs: Msecs): Msecs {
    const heap = this.#freeAt;
    if (heap === null) return at + serviceMsecs;
    const doneAt = Math.max(at, heap[0] as number) + serviceMsecs;
    let index = 0;
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
      if ((heap[child] as number) >= doneAt) break;
      heap[index] = heap[child] as number;
      index = child;
    }
    heap[index] = doneAt;
    return doneAt;
  }

  closedFor(reason: RetireReason): void {
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1);
  }
}

/** A kind of request: where it goes, and in which lane. */
export interface Kind {
  readonly model: OriginModel;
  readonly lane: string;
  readonly tally: LaneTally;
  readonly limits: Limits;
}

/** What a service lets its requests take, as far as the core does not see to it. */
export interface Limits {
  readonly resend: "safe" | "never";
  readonly headersTimeoutMsecs: Msecs;
  readonly requestTimeoutMsecs: Msecs;
}

/** A closed loop: clients that ask, read, think and ask again. */
export interface Loop {
  readonly kinds: readonly Kind[];
  readonly think: Sampler;
  /** Null: as the server of each kind has it. */
  readonly service: Sampler | null;
  readonly replayableShare: number;
  /** Draws of this loop alone. */
  readonly random: Random;
  /** No request is made at or after this instant. */
  readonly endAt: Msecs;
  /** Requests that may still be made. */
  left: number;
}

/** A request. When it is settled it is used for another one: of millions a few are in memory. */
export class SimRequest extends PendingRequest {
  readonly queueTimeoutMsecs: Msecs | null = null;
  lane = defaultName;
  isReplayable = true;
  kind: Kind | null = null;
  serviceMsecs: Msecs = 0;
  /** The loop whose client made it; null for an arrival. */
  loop: Loop | null = null;
  /** What it was sent on; null while it waits. */
  wire: Wire | null = null;
  /** Set when the whole request has a limit. */
  readonly whole: WholeTimeout;

  constructor(timedOut: (request: SimRequest, now: Msecs) => void) {
    super();
    this.whole = new WholeTimeout(this, timedOut);
  }

  /** Timeouts after the grant are events of the world. */
  override expireGranted(): void {}

  interrupted(): void {
    this.wire = null;
  }

  /** As new. */
  reset(): void {
    this.phase = "new";
    this.place = null;
    this.resending = null;
    this.covered = false;
    this.latestAt = Number.POSITIVE_INFINITY;
    this.kind = null;
    this.loop = null;
    this.wire = null;
  }
}

/** The end of `requestTimeoutMsecs`. */
class WholeTimeout extends Deadline {
  readonly #request: SimRequest;
  readonly #timedOut: (request: SimRequest, now: Msecs) => void;

  constructor(request: SimRequest, timedOut: (request: SimRequest, now: Msecs) => void) {
    super();
    this.#request = request;
    this.#timedOut = timedOut;
  }

  override expire(now: Msecs): void {
    this.#timedOut(this.#request, now);
  }
}

/** Both ends of one connection. */
export class Wire {
  readonly connection: SimConnection;
  readonly model: OriginModel;
  readonly dialedAt: Msecs;
  /** What is under way on it; null while it is idle. */
  request: SimRequest | null = null;
  /** When the server has sent the response that is under way. */
  answeredAt: Msecs = 0;
  /** Why the response that is under way will not come. */
  fault: "none" | "stale" | "broken" | "timeout" = "none";
  /** The server closes it at this instant, unless a request arrives before. */
  closesAt: Msecs = Number.POSITIVE_INFINITY;
  /** The `closesAt` that has come: when it is noticed is known. -1 while none has. */
  closedAt: Msecs = -1;
  /** When the world looks at whether its close has arrived; `Infinity` when it does not. */
  lookAt: Msecs = Number.POSITIVE_INFINITY;
  /** Until when the client has heard of all that was sent so far. */
  heardAt: Msecs = 0;
  /** Since when it is idle; -1 while it is not. */
  idleSince: Msecs = -1;
  isOpen = false;
  /** What has arrived on it waits for the processor. */
  isDeferred = false;

  constructor(connection: SimConnection, model: OriginModel, dialedAt: Msecs) {
    this.connection = connection;
    this.model = model;
    this.dialedAt = dialedAt;
  }
}
