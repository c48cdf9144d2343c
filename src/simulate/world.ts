/**
 * The core of keepline in a virtual world: this is its port, its clock, and all that happens around it. What the core
 * decides it decides as in production; here dials take time, servers answer and close, and time jumps from event to event.
 *
 * Invariant: time never goes back, and what happens depends on the seed, the surroundings and the arrivals alone.
 */
import type { Msecs } from "../core/clock.ts";
import { ConnectError, type KeeplineError } from "../core/errors.ts";
import type { ServicePolicy } from "../core/lane-options.ts";
import type { CoreOptions } from "../core/options.ts";
import { Pools } from "../core/pools.ts";
import type { Port } from "../core/port.ts";
import type { RetireReason } from "../core/retire.ts";
import type { TuningChange } from "../core/tuner.ts";
import { EventQueue } from "./event-queue.ts";
import { Feed } from "./feed.ts";
import { Meter } from "./meter.ts";
import {
  type Kind,
  type Loop,
  type OriginModel,
  type SimConnection,
  type SimPool,
  SimRequest,
  type Wire,
} from "./model.ts";
import { randomStream } from "./random.ts";
import {
  answered,
  asks,
  dialed,
  type Events,
  handshaken,
  looked,
  restarts,
  Servers,
} from "./servers.ts";

/** When a simulation begins: no 0, which some fields have while nothing is known. */
export const beginAt: Msecs = 1_000;

const never = Number.POSITIVE_INFINITY;

/** Why a run has come back. */
export type Pause =
  /** All requests are settled, and there are no more. */
  | "over"
  /** The steps that were allowed are done. */
  | "turn"
  /** The arrivals must be waited for. */
  | "starved"
  /** More requests wait than allowed. */
  | "overloaded";

/** What a world needs. */
export interface WorldSettings {
  readonly options: CoreOptions;
  readonly services: readonly ServicePolicy[];
  readonly seed: number;
  /** What comes before is not counted. */
  readonly countFrom: Msecs;
  /** Steps of the series, at least, when it is long enough. */
  readonly points: number;
  /** When so many requests wait, the simulation ends. */
  readonly mostPending: number;
}

/** A client, the way to its servers, and these. */
export class VirtualWorld implements Port<SimRequest, Wire> {
  now: Msecs = beginAt;
  readonly pools: Pools<SimRequest, Wire>;
  readonly settings: WorldSettings;
  /** All origins that had a request. */
  readonly models = new Map<string, OriginModel>();
  readonly meter: Meter;
  /** Requests that wait, and that are under way. */
  pending = 0;
  active = 0;
  /** Requests that were made, whether they are counted or not. */
  made = 0;
  /** What comes from outside of the world. */
  readonly feed = new Feed();
  readonly #events: Events = new EventQueue();
  readonly #servers: Servers;
  readonly #spare: SimRequest[] = [];
  #wakeAt = never;
  /** Loops that may ask again. */
  #asking = 0;
  readonly #arrives = (kind: Kind, serviceMsecs: Msecs, isReplayable: boolean): void =>
    this.ask(kind, serviceMsecs, isReplayable, null);
  /** When the client's processor has done all handshakes. */
  #processorFreeAt: Msecs = 0;

  constructor(settings: WorldSettings) {
    const { options, services, seed, countFrom, points } = settings;
    this.settings = settings;
    this.#servers = new Servers(this.#events, seed);
    this.meter = new Meter(beginAt, countFrom, points);
    this.pools = new Pools(options, this, randomStream(seed, 3), services);
  }

  /** `model` is one of the origins. */
  add(model: OriginModel): void {
    this.models.set(model.origin, model);
    const every = model.around.server.restartEveryMsecs;
    if (every !== never) this.#events.push(this.now + every, restarts, model);
  }

  /** So many clients begin with `loop` at `at`. */
  start(loop: Loop, clients: number, at: Msecs): void {
    for (let index = 0; index < clients; index++) {
      this.#asking++;
      this.#events.push(at, asks, loop);
    }
  }

  /** Lets time pass for so many steps, or until `until`. */
  run(steps: number, until: Msecs = never): Pause {
    const events = this.#events;
    for (let left = steps; left > 0; left--) {
      const eventAt = events.nextAt;
      const wakeAt = this.#wakeAt;
      const arrivalAt = this.feed.nextAt;
      if (arrivalAt < eventAt && arrivalAt < wakeAt) {
        if (arrivalAt > until) return this.#rest(until);
        this.#goTo(arrivalAt);
        this.feed.take(this.#arrives);
        if (this.feed.filling !== null) return "starved";
        if (this.pending > this.settings.mostPending) return "overloaded";
      } else {
        if (this.active === 0 && arrivalAt === never && this.#asking === 0 && until === never) {
          return "over";
        }
        if (wakeAt <= eventAt) {
          if (wakeAt > until || wakeAt === never) return this.#rest(until);
          this.#goTo(Math.max(wakeAt, this.now));
          this.#wakeAt = never;
          this.pools.tick(this.now);
        } else {
          if (eventAt > until) return this.#rest(until);
          this.#goTo(eventAt);
          const item = events.pop();
          this.#happens(events.code, item);
        }
      }
    }
    return "turn";
  }

  /** One more request, now. */
  ask(kind: Kind, serviceMsecs: Msecs, isReplayable: boolean, loop: Loop | null): void {
    const { now } = this;
    const request = this.#spare.pop() ?? new SimRequest((each) => this.#wholeTimedOut(each));
    const { model, tally } = kind;
    request.kind = kind;
    request.lane = kind.lane;
    request.isReplayable = isReplayable;
    request.serviceMsecs = serviceMsecs;
    request.loop = loop;
    this.made++;
    this.active++;
    this.pending++;
    if (this.meter.isCounting) {
      tally.requests++;
      this.meter.series.count("requests");
    }
    const { requestTimeoutMsecs } = kind.limits;
    if (requestTimeoutMsecs !== never) {
      request.latestAt = now + requestTimeoutMsecs;
      this.pools.timers.set(request.whole, request.latestAt, now);
    }
    this.pools.acquire(this.poolOf(model), request, now);
  }

  /** The pool of an origin, made when there is none. */
  poolOf(model: OriginModel): SimPool {
    if (model.pool === null || model.pool.isDropped) {
      model.pool = this.pools.pool(model.origin, this.now);
    }
    return model.pool;
  }

  /** What is open and idle now counts until now. */
  finish(): void {
    this.#advance(this.now);
    for (const pool of this.pools.all) {
      for (const { transport } of pool.roster.connections) {
        if (transport === null) continue;
        this.meter.wasOpen(transport, this.now);
        this.meter.wasIdle(transport, this.now);
      }
    }
  }

  dial(connection: SimConnection, now: Msecs): void {
    const model = this.models.get(connection.pool.origin) as OriginModel;
    connection.transport = this.#servers.dial(connection, model, now);
  }

  grant(request: SimRequest, connection: SimConnection, now: Msecs): void {
    const wire = connection.transport as Wire;
    const { tally } = request.kind as Kind;
    this.pending--;
    if (wire.idleSince >= 0) this.meter.wasIdle(wire, now);
    if (this.meter.isCounting) {
      tally.granted++;
      if (connection.requestCount > 1) tally.reused++;
      if (request.resending === null) tally.waits.record(now - request.enqueuedAt);
    }
    wire.request = request;
    request.wire = wire;
    this.#servers.send(request, wire, now);
    if (wire.fault === "stale" && this.meter.isCounting) tally.metStale++;
  }

  refuse(request: SimRequest, error: KeeplineError): void {
    this.pending--;
    this.#fail(request, error.code);
  }

  retire(connection: SimConnection, reason: RetireReason, now: Msecs): void {
    const wire = connection.transport;
    if (wire === null) return;
    this.meter.wasIdle(wire, now);
    this.meter.wasOpen(wire, now);
    wire.request = null;
    connection.transport = null;
    if (!this.meter.isCounting) return;
    wire.model.closedFor(reason);
    if (wire.isOpen) this.meter.series.count("closed");
  }

  saturation(): void {}

  tuned(change: TuningChange, now: Msecs): void {
    this.meter.tuned(change, now - beginAt);
  }

  wakeAt(at: Msecs): void {
    if (at < this.#wakeAt) this.#wakeAt = at;
  }

  broken(problem: string): never {
    throw new Error(problem);
  }

  #happens(code: number, item: Wire | Loop | OriginModel): void {
    if (code === answered) this.#answered(item as Wire);
    else if (code === looked) this.#looked(item as Wire);
    else if (code === asks) this.#asks(item as Loop);
    else if (code === dialed) this.#dialed(item as Wire);
    else if (code === handshaken) this.#handshaken(item as Wire);
    else this.#restarts(item as OriginModel);
  }

  /** The client's processor does one handshake after the other. */
  #handshaken(wire: Wire): void {
    const beginsAt = Math.max(this.#processorFreeAt, this.now);
    this.#processorFreeAt = beginsAt + wire.model.around.handshakeMsecs;
    this.#events.push(this.#processorFreeAt, dialed, wire);
  }

  #asks(loop: Loop): void {
    if (loop.left === 0 || this.now >= loop.endAt) {
      this.#asking--;
      return;
    }
    loop.left--;
    const { kinds, random } = loop;
    const kind = kinds[kinds.length === 1 ? 0 : Math.floor(random() * kinds.length)] as Kind;
    const isReplayable = loop.replayableShare === 1 || random() < loop.replayableShare;
    const service = loop.service ?? kind.model.around.service;
    this.ask(kind, service(random), isReplayable, loop);
  }

  #dialed(wire: Wire): void {
    const { connection, model } = wire;
    if (connection.state.kind !== "dialing") return;
    const { around } = model;
    if (this.#servers.refuses(model)) {
      if (this.meter.isCounting) model.dialsFailed++;
      this.pools.dialFailed(connection, new ConnectError({ origin: model.origin }), this.now);
      return;
    }
    wire.isOpen = true;
    if (this.meter.isCounting) {
      model.opened++;
      this.meter.series.count("opened");
    }
    const msecs = this.now - wire.dialedAt;
    const tlsMsecs = around.isTls ? msecs / 2 : null;
    const facts = { capacity: 1, connectMsecs: msecs, tlsMsecs, tlsResumed: false };
    this.pools.dialed(connection, facts, this.now);
    this.#rests(wire);
  }

  /** The response has arrived, or it took too long. */
  #answered(wire: Wire): void {
    const { request, connection, model } = wire;
    if (request === null) return; // given up meanwhile
    const { now } = this;
    // It is read when the handshakes before it are done, and not those that come after it.
    if (this.#processorFreeAt > now && !wire.isDeferred) {
      wire.isDeferred = true;
      this.#events.push(this.#processorFreeAt, answered, wire);
      return;
    }
    wire.isDeferred = false;
    if (wire.fault === "timeout") {
      this.#giveUp(request, wire, "ERR_KEEPLINE_HEADERS_TIMEOUT");
      return;
    }
    if (wire.fault !== "none") return; // its connection was cut
    const { pool } = connection;
    request.place?.responded(now - connection.leasedAt);
    const { hintMsecs, maxRequests } = model.around.server;
    const isLast = connection.requestCount >= maxRequests;
    if (isLast) pool.drain(connection, "connection-close", now);
    else if (hintMsecs !== null) {
      pool.hinted(connection, hintMsecs, maxRequests - connection.requestCount);
    }
    const { tally } = request.kind as Kind;
    if (this.meter.isCounting) {
      tally.succeeded++;
      tally.latencies.record(now - request.enqueuedAt);
    }
    wire.request = null;
    request.phase = "settled";
    this.pools.released(connection, request, now);
    this.#settled(request);
    this.#rests(wire);
  }

  /** The close of the server's end may have arrived. */
  #looked(wire: Wire): void {
    const { connection, request, model } = wire;
    if (this.now !== wire.lookAt) return; // superseded
    wire.lookAt = never;
    if (connection.transport !== wire || wire.closesAt === never) return;
    if (wire.closesAt + model.around.wayMsecs > this.now) {
      this.#servers.look(wire, this.now); // a request came in time
      return;
    }
    if (wire.closedAt !== wire.closesAt) {
      wire.closedAt = wire.closesAt;
      const noticedAt = this.#servers.reaches(wire, wire.closedAt);
      if (noticedAt > this.now) {
        this.#servers.lookAt(wire, noticedAt);
        return;
      }
    }
    if (request === null) {
      this.pools.lost(connection, "server-closed", this.now);
      return;
    }
    if (wire.fault === "timeout") return; // given up soon
    if (wire.fault === "none") {
      // Its response comes first.
      this.#servers.lookAt(wire, Math.max(wire.heardAt, this.#processorFreeAt, this.now));
      return;
    }
    wire.request = null;
    const { limits, tally } = request.kind as Kind;
    const wasStale = wire.fault === "stale";
    const { isReplayable } = request;
    const attempt = {
      mode: limits.resend,
      isWritten: true,
      hasResponse: false,
      isIdempotent: isReplayable,
      canRepeatBody: true,
    } as const;
    this.pending++; // taken back when it is not sent again; before, as it may be granted at once
    const refusal = this.pools.failed(connection, request, attempt, "socket-error", this.now);
    if (refusal === null) {
      if (this.meter.isCounting) tally.resent++;
      return;
    }
    this.pending--;
    if (wasStale && this.meter.isCounting) tally.failedStale++;
    this.#fail(request, "ERR_KEEPLINE_SOCKET_CLOSED");
  }

  /** All connections of one server end. */
  #restarts(model: OriginModel): void {
    const { now } = this;
    this.#events.push(now + model.around.server.restartEveryMsecs, restarts, model);
    if (this.active > 0) this.#servers.restart(model, now);
  }

  #wholeTimedOut(request: SimRequest): void {
    const code = "ERR_KEEPLINE_REQUEST_TIMEOUT";
    if (request.phase === "pending") {
      this.pending--;
      this.pools.cancel(request, this.now);
      this.#fail(request, code);
      return;
    }
    if (request.wire !== null) this.#giveUp(request, request.wire, code);
  }

  /** A request that is under way is given up, with its connection. */
  #giveUp(request: SimRequest, wire: Wire, code: string): void {
    wire.request = null;
    request.phase = "settled";
    this.pools.lost(wire.connection, "timed-out", this.now);
    this.#fail(request, code);
  }

  #fail(request: SimRequest, code: string): void {
    if (this.meter.isCounting) {
      (request.kind as Kind).tally.fail(code);
      this.meter.series.count("failed");
    }
    this.#settled(request);
  }

  #settled(request: SimRequest): void {
    const { loop } = request;
    this.active--;
    this.pools.timers.clear(request.whole);
    if (loop !== null) this.#events.push(this.now + loop.think(loop.random), asks, loop);
    request.reset();
    this.#spare.push(request);
  }

  /** Whether `wire` is idle now, and since when. */
  #rests(wire: Wire): void {
    const { state } = wire.connection;
    if (state.kind === "idle") wire.idleSince = state.since;
  }

  #rest(until: Msecs): Pause {
    if (until === never) this.broken("requests wait, and nothing will happen");
    this.#goTo(until);
    return "over";
  }

  #goTo(at: Msecs): void {
    if (at > this.now) this.#advance(at);
    this.now = at;
  }

  #advance(at: Msecs): void {
    const { open, idleCount } = this.pools.budget;
    this.meter.advance(at, open, idleCount, this.pending);
  }
}
