/**
 * The world around the core in tests: a clock that is moved by hand, dials that are answered by hand,
 * requests that do nothing, and a port that records what the core asks and objects to what it must
 * never ask. Every event is followed by a check of all invariants, so each test tests them too.
 */
import assert from "node:assert/strict";
import type { Msecs, Random } from "../../src/core/clock.ts";
import type { Connection } from "../../src/core/connection.ts";
import type { KeeplineError } from "../../src/core/errors.ts";
import {
  checkReservations,
  defaultName,
  type LaneOptions,
  laneRules,
  plainLane,
  type ServicePolicy,
} from "../../src/core/lane-options.ts";
import {
  type CoreOptions,
  checkTogether,
  coreRules,
  type PoolOptions,
} from "../../src/core/options.ts";
import { PendingRequest } from "../../src/core/pending.ts";
import type { Pool } from "../../src/core/pool.ts";
import type { PoolLane } from "../../src/core/pool-lane.ts";
import { Pools } from "../../src/core/pools.ts";
import type { DialFacts, Port, Warmer } from "../../src/core/port.ts";
import type { FailedAttempt, ResendRefusal } from "../../src/core/resend.ts";
import type { RetireReason } from "../../src/core/retire.ts";
import { type Given, resolveOptions } from "../../src/core/rules.ts";
import type { Saturation } from "../../src/core/saturation.ts";
import type { TuningChange } from "../../src/core/tuner.ts";
import { CoreInvariants } from "./core-invariants.ts";

export const defaultOrigin = "http://a.test";

/** What the driver keeps with a connection. */
export interface ManualTransport {
  readonly dialedAt: Msecs;
}

export type ManualConnection = Connection<ManualRequest, ManualTransport>;
export type ManualPool = Pool<ManualRequest, ManualTransport>;
export type ManualLane = PoolLane<ManualRequest, ManualTransport>;

/** How a request ended for the core. */
export type Outcome =
  | { readonly kind: "granted"; readonly connection: ManualConnection; readonly at: Msecs }
  | { readonly kind: "refused"; readonly error: KeeplineError; readonly at: Msecs }
  | { readonly kind: "cancelled"; readonly at: Msecs };

/** What `acquire` takes beside the origin. */
export interface AcquireOptions {
  readonly queueTimeoutMsecs?: Msecs;
  /** The whole request. */
  readonly requestTimeoutMsecs?: Msecs;
  readonly lane?: string;
  /** True unless said otherwise. */
  readonly isReplayable?: boolean;
}

/** A request that only waits and holds. */
export class ManualRequest extends PendingRequest {
  readonly id: number;
  readonly origin: string;
  readonly lane: string;
  readonly queueTimeoutMsecs: Msecs | null;
  readonly isReplayable: boolean;
  /** Null while it waits. */
  outcome: Outcome | null = null;
  /** True while it has a lease. */
  isHolding = false;

  constructor(id: number, origin: string, options: AcquireOptions) {
    super();
    this.id = id;
    this.origin = origin;
    this.lane = options.lane ?? defaultName;
    this.queueTimeoutMsecs = options.queueTimeoutMsecs ?? null;
    this.isReplayable = options.isReplayable ?? true;
  }

  interrupted(): void {
    assert.equal(this.isHolding, false, `request ${this.id} is resent and still holds`);
    this.outcome = null;
  }

  /** The connection it was granted. */
  get connection(): ManualConnection {
    assert.equal(this.outcome?.kind, "granted", `request ${this.id} has no connection`);
    return (this.outcome as Extract<Outcome, { kind: "granted" }>).connection;
  }

  /** The error it was refused with. */
  get error(): KeeplineError {
    assert.equal(this.outcome?.kind, "refused", `request ${this.id} was not refused`);
    return (this.outcome as Extract<Outcome, { kind: "refused" }>).error;
  }

  override expireGranted(): void {
    assert.fail(`request ${this.id} expired after its grant, but set no deadline`);
  }
}

/** A warm-up with what it was told. */
export class ManualWarmer implements Warmer {
  readonly origin: string;
  readonly target: number;
  /** Connections that there were when it was ready, or why it failed; null while it waits. */
  outcome: number | KeeplineError | null = null;

  constructor(origin: string, target: number) {
    this.origin = origin;
    this.target = target;
  }

  ready(open: number): void {
    this.#tell(open);
  }

  failed(error: KeeplineError): void {
    this.#tell(error);
  }

  #tell(outcome: number | KeeplineError): void {
    assert.equal(this.outcome, null, `a warm-up of ${this.origin} was told twice`);
    this.outcome = outcome;
  }
}

/** What else the driver does, inside the call that the core makes. */
export interface Reactions {
  dialing?(connection: ManualConnection): void;
  granted?(request: ManualRequest, connection: ManualConnection): void;
  refused?(request: ManualRequest, error: KeeplineError): void;
  retired?(connection: ManualConnection, reason: RetireReason): void;
}

/** A service of the world, as far as it differs from the client's options. */
export interface ManualService {
  /** Hosts without `.test`; none for the service `default`. */
  readonly origins?: readonly string[];
  readonly options?: Given<PoolOptions>;
  readonly maxTotalSockets?: number;
  readonly lanes?: Readonly<Record<string, Given<LaneOptions>>>;
}

export type ManualServices = Readonly<Record<string, ManualService>>;

export interface WorldSettings {
  /**
   * `open`: every dial succeeds as soon as the event that led to it is over. `wait`: dials wait for
   * `dialed` and `dialFailed`. Default `open`.
   */
  readonly dials?: "open" | "wait";
  readonly seed?: number;
  readonly reactions?: Reactions;
  readonly services?: ManualServices;
}

const plainDial: DialFacts = {
  capacity: 1,
  connectMsecs: null,
  tlsMsecs: null,
  tlsResumed: false,
};

/** An attempt that the server may have seen, and has not answered. */
const sentWholly: Omit<FailedAttempt, "isReused" | "isIdempotent"> = {
  mode: "safe",
  isWritten: true,
  hasResponse: false,
  canRepeatBody: true,
};

/** A world whose client has `options`. */
export function manualWorld(options: Given<CoreOptions> = {}, settings: WorldSettings = {}) {
  return new ManualWorld(options, settings);
}

export class ManualWorld {
  now: Msecs = 1_000;
  readonly pools: Pools<ManualRequest, ManualTransport>;
  readonly reactions: Reactions;
  /** What happened, in order. */
  readonly requests: ManualRequest[] = [];
  readonly dials: ManualConnection[] = [];
  readonly grants: ManualRequest[] = [];
  readonly refusals: ManualRequest[] = [];
  readonly retirements: { readonly connection: ManualConnection; readonly reason: RetireReason }[] =
    [];
  readonly warmers: ManualWarmer[] = [];
  readonly saturations: { readonly change: "saturated" | "relieved"; readonly lane: Saturation }[] =
    [];
  /** What tuning has moved. */
  readonly changes: TuningChange[] = [];
  /** The request of the `acquire` or `fail` under way: what it gets now, it gets without waiting. */
  acquiring: ManualRequest | null = null;
  /** When the core wants its next `tick`. */
  wakeAt: Msecs = Number.POSITIVE_INFINITY;
  readonly #dialsOpen: boolean;
  readonly #live = new Set<ManualConnection>();
  readonly #holders = new Map<ManualConnection, Set<ManualRequest>>();
  readonly #invariants: CoreInvariants;
  #depth = 0;
  #services: ManualServices;

  constructor(options: Given<CoreOptions>, settings: WorldSettings) {
    this.reactions = settings.reactions ?? {};
    this.#dialsOpen = settings.dials !== "wait";
    const resolved = resolve(options);
    this.#services = settings.services ?? {};
    const policies = resolveServices(this.#services, resolved);
    this.pools = new Pools(resolved, this.#port(), seededRandom(settings.seed ?? 1), policies);
    this.#invariants = new CoreInvariants(this);
  }

  /** Connections that were dialed and not retired yet. */
  get live(): ReadonlySet<ManualConnection> {
    return this.#live;
  }

  /** True while the port does something of its own inside a call of the core. */
  get isReacting(): boolean {
    return this.#depth > 1;
  }

  /** Dials under way, in the order in which they began. */
  get dialing(): ManualConnection[] {
    return [...this.#live].filter((connection) => connection.state.kind === "dialing");
  }

  /** Requests that hold `connection`, in the order in which they were granted it. */
  holders(connection: ManualConnection): ManualRequest[] {
    return [...(this.#holders.get(connection) ?? [])];
  }

  pool(origin: string = defaultOrigin): ManualPool {
    const pool = this.findPool(origin);
    assert.ok(pool, `there is no pool of ${origin}`);
    return pool;
  }

  findPool(origin: string): ManualPool | undefined {
    return [...this.pools.all].find((pool) => pool.origin === origin);
  }

  /** Sockets and requests of `origin`; all zero when it has no pool. */
  counts(origin: string = defaultOrigin) {
    const pool = this.findPool(origin);
    return {
      open: pool?.budget.open ?? 0,
      idle: pool?.roster.idleCount ?? 0,
      busy: pool?.roster.busy ?? 0,
      dialing: pool?.roster.dialing ?? 0,
      pending: pool?.budget.pending ?? 0,
    };
  }

  /** The lane of `origin` that has been used. */
  lane(name: string, origin: string = defaultOrigin): ManualLane {
    const lane = [...this.pool(origin).lanes.all].find((each) => each.lane.name === name);
    assert.ok(lane, `lane ${name} of ${origin} was not used`);
    return lane;
  }

  /** The request that was granted a connection last. */
  grantedTo(): ManualRequest | null {
    return this.grants.at(-1) ?? null;
  }

  /** Why `connection` was retired; null while it was not. */
  retiredFor(connection: ManualConnection): RetireReason | null {
    return this.retirements.find((each) => each.connection === connection)?.reason ?? null;
  }

  /** A new request to an origin, or to a pool that its surface remembers. */
  acquire(to: string | ManualPool = defaultOrigin, options: AcquireOptions = {}): ManualRequest {
    const id = this.requests.length + 1;
    const origin = typeof to === "string" ? to : to.origin;
    const request = new ManualRequest(id, origin, options);
    this.requests.push(request);
    this.#event(() => {
      const pool = typeof to === "string" ? this.pools.pool(to, this.now) : to;
      const outer = this.acquiring;
      this.acquiring = request;
      request.latestAt = this.now + (options.requestTimeoutMsecs ?? Number.POSITIVE_INFINITY);
      this.pools.acquire(pool, request, this.now);
      this.acquiring = outer;
    });
    return request;
  }

  /** A new request, what is to happen next, and then that it has a connection. */
  acquireThen(happens: () => void): ManualRequest {
    const request = this.acquire();
    happens();
    assert.ok(request.isHolding, `request ${request.id} has no connection`);
    return request;
  }

  /** `count` requests, one after the other. */
  acquireMany(
    count: number,
    origin: string = defaultOrigin,
    options: AcquireOptions = {},
  ): ManualRequest[] {
    return Array.from({ length: count }, () => this.acquire(origin, options));
  }

  cancel(request: ManualRequest): void {
    if (request.outcome === null) request.outcome = { kind: "cancelled", at: this.now };
    this.#event(() => this.pools.cancel(request, this.now));
  }

  /** `request` has its response; its lease ends. */
  release(request: ManualRequest): void {
    const { connection } = request;
    assert.ok(request.isHolding, `request ${request.id} holds no connection any more`);
    request.isHolding = false;
    this.#holders.get(connection)?.delete(request);
    this.#event(() => this.pools.released(connection, request, this.now));
  }

  /** The connection of `request` broke before its response. Returns why it is not sent again; null when it is. */
  fail(request: ManualRequest, attempt: Partial<FailedAttempt> = {}): ResendRefusal | null {
    const { connection } = request;
    assert.ok(request.isHolding, `request ${request.id} holds no connection any more`);
    request.isHolding = false;
    this.#holders.get(connection)?.delete(request);
    let refusal: ResendRefusal | null = null;
    this.#event(() => {
      const isIdempotent = request.isReplayable;
      const outer = this.acquiring;
      this.acquiring = request;
      refusal = this.pools.failed(
        connection,
        request,
        { ...sentWholly, isIdempotent, ...attempt },
        "socket-error",
        this.now,
      );
      this.acquiring = outer;
    });
    return refusal;
  }

  /** The dial that began first, or `connection`, has succeeded. */
  dialed(connection = this.dialing[0], facts: Partial<DialFacts> = {}): ManualConnection {
    assert.ok(connection, "no dial is under way");
    this.#event(() => {
      if (connection.state.kind === "dialing") this.#invariants.dialSucceeded(connection);
      this.pools.dialed(connection, { ...plainDial, ...facts }, this.now);
    });
    return connection;
  }

  /** The dial that began first, or `connection`, has failed. */
  dialFailed(connection = this.dialing[0], cause: unknown = new Error("refused")): void {
    assert.ok(connection, "no dial is under way");
    this.#event(() => this.pools.dialFailed(connection, cause, this.now));
  }

  /** The server closed `connection`, or it broke. */
  lose(connection: ManualConnection, reason: RetireReason = "server-closed"): void {
    this.#event(() => this.pools.lost(connection, reason, this.now));
  }

  /** The response on `connection` said `Keep-Alive: timeout=…, max=…`. */
  hint(
    connection: ManualConnection,
    timeoutMsecs: Msecs | null,
    furtherRequests: number = Number.POSITIVE_INFINITY,
  ): void {
    this.#event(() => connection.pool.hinted(connection, timeoutMsecs, furtherRequests));
  }

  /** The response on `connection` said that it is the last, for example. */
  drain(connection: ManualConnection, reason: RetireReason = "connection-close"): void {
    this.#event(() => this.pools.drain(connection, reason, this.now));
  }

  warm(target: number, origin: string = defaultOrigin): ManualWarmer {
    const warmer = new ManualWarmer(origin, target);
    this.warmers.push(warmer);
    this.#event(() => this.pools.warm(this.pools.pool(origin, this.now), warmer, this.now));
    return warmer;
  }

  /** Moves the clock by `msecs` and calls `tick` whenever the core asked for it, or so much later. */
  advance(msecs: Msecs, options: { readonly lateMsecs?: Msecs } = {}): void {
    const until = this.now + msecs;
    for (;;) {
      const tickAt = Math.max(this.now, this.wakeAt + (options.lateMsecs ?? 0));
      if (tickAt > until) break;
      this.now = tickAt;
      this.tick();
    }
    this.now = until;
  }

  /** Moves the clock without a tick, as when the process was suspended. */
  suspend(msecs: Msecs): void {
    this.now += msecs;
  }

  tick(): void {
    this.wakeAt = Number.POSITIVE_INFINITY;
    this.#event(() => this.pools.tick(this.now));
    assert.ok(this.wakeAt > this.now, "after a tick the core wants another one at once");
  }

  configure(options: Given<CoreOptions>, services: ManualServices = this.#services): void {
    const resolved = resolve(options, this.pools.options);
    const policies = resolveServices(services, resolved);
    this.#services = services;
    this.#event(() => this.pools.configure(resolved, policies, this.now));
  }

  close(): void {
    this.#event(() => this.pools.close(this.now));
  }

  destroy(): void {
    this.#event(() => this.pools.destroy(this.now));
  }

  /** Throws when what the core must guarantee after every event does not hold. */
  checkInvariants(): void {
    this.#invariants.check();
  }

  #event(happens: () => void): void {
    this.#depth++;
    try {
      happens();
    } finally {
      this.#depth--;
    }
    if (this.#depth > 0) return;
    this.checkInvariants();
    const [dial] = this.#dialsOpen ? this.dialing : [];
    if (dial !== undefined) this.dialed(dial);
  }

  #port(): Port<ManualRequest, ManualTransport> {
    return {
      dial: (connection) => {
        connection.transport = { dialedAt: this.now };
        this.dials.push(connection);
        this.#live.add(connection);
        this.#holders.set(connection, new Set());
        this.#invariants.onDial(connection);
        this.reactions.dialing?.(connection);
      },
      grant: (request, connection) => {
        this.#invariants.onGrant(request, connection);
        assert.equal(request.outcome, null, `request ${request.id} was settled before its grant`);
        request.outcome = { kind: "granted", connection, at: this.now };
        request.isHolding = true;
        this.grants.push(request);
        this.#holders.get(connection)?.add(request);
        this.reactions.granted?.(request, connection);
      },
      refuse: (request, error) => {
        this.#invariants.onRefuse(request, error);
        assert.equal(request.outcome, null, `request ${request.id} was settled before its refusal`);
        request.outcome = { kind: "refused", error, at: this.now };
        this.refusals.push(request);
        this.reactions.refused?.(request, error);
      },
      retire: (connection, reason) => {
        this.#invariants.onRetire(connection, reason);
        assert.ok(this.#live.delete(connection), `connection ${connection.id} was retired twice`);
        for (const holder of this.holders(connection)) holder.isHolding = false;
        this.#holders.delete(connection);
        this.retirements.push({ connection, reason });
        this.reactions.retired?.(connection, reason);
      },
      saturation: (change, lane) => {
        this.saturations.push({ change, lane });
      },
      tuned: (change) => {
        this.changes.push(change);
      },
      wakeAt: (at) => {
        this.wakeAt = Math.min(this.wakeAt, at);
      },
      broken: (problem) => assert.fail(problem),
    };
  }
}

function resolve(given: Given<CoreOptions>, base?: CoreOptions): CoreOptions {
  const options = resolveOptions<CoreOptions>(coreRules, given, "manualWorld()", "", base);
  checkTogether(options, "manualWorld()");
  return options;
}

function resolveServices(services: ManualServices, client: CoreOptions): ServicePolicy[] {
  const where = "manualWorld()";
  const policies = Object.entries({ [defaultName]: {}, ...services }).map(
    ([name, given]: [string, ManualService]): ServicePolicy => {
      const options = { ...client, ...(given.options as Partial<PoolOptions>) };
      const plain = plainLane({ ...options, requestTimeoutMsecs: Number.POSITIVE_INFINITY });
      const lanes = Object.entries({ [defaultName]: {}, ...given.lanes }).map(
        ([lane, own]): [string, LaneOptions] => [
          lane,
          resolveOptions<LaneOptions>(laneRules as never, own, where, `${lane}.`, plain),
        ],
      );
      const origins = (given.origins ?? []).map((host) => `http://${host}.test`);
      return {
        name,
        options,
        maxTotalSockets: given.maxTotalSockets ?? Number.POSITIVE_INFINITY,
        lanes: new Map(lanes),
        holds: (origin) => origins.includes(origin),
      };
    },
  );
  checkReservations(policies, client.maxTotalSockets, where);
  return policies;
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
