/**
 * What the parts of one client share, and the core's port to the sockets.
 * Invariant: the process stays alive while something is under way, and not because of idle sockets.
 */
import type { Clock, Msecs } from "../core/clock.ts";
import type { Connection } from "../core/connection.ts";
import type { KeeplineError } from "../core/errors.ts";
import { Pools } from "../core/pools.ts";
import type { Port } from "../core/port.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Saturation } from "../core/saturation.ts";
import type { TuningChange } from "../core/tuner.ts";
import { Http1Connection } from "../http1/connection.ts";
import type { ConnectionUser, HttpPool } from "../http1/connection-user.ts";
import { Gathering } from "../http1/gathering.ts";
import { afterEndOfTurn, atEndOfTurn, type TurnListener } from "../http1/turn.ts";
import { Alarm } from "../net/alarm.ts";
import { readerOf } from "../net/clock.ts";
import { Dialer } from "../net/dial.ts";
import { Observing } from "../observe/observing.ts";
import type { ExchangeWorld } from "./exchange.ts";
import type { ResolvedOptions } from "./options.ts";
import { type ResolvedService, resolveServices } from "./service-options.ts";
import { addressOf, type Target } from "./target.ts";

/** Told when a lane becomes saturated, and when it is not any more. */
export type SaturationListener = (change: "saturated" | "relieved", lane: Saturation) => void;

type Lease = Connection<ConnectionUser, Http1Connection>;

/** What the parts of one client share, and the core's port to the sockets. */
export class World implements ExchangeWorld, Port<ConnectionUser, Http1Connection> {
  readonly pools: Pools<ConnectionUser, Http1Connection>;
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** Who looks on. */
  readonly observing: Observing;
  options: Readonly<ResolvedOptions>;
  /** By name, `default` first. */
  services: ReadonlyMap<string, ResolvedService>;
  readonly #report: SaturationListener;
  readonly #alarm: Alarm;
  /** Bodies that came with a head which the program has just been told of: it may say first how it reads them. */
  readonly #inbox: Gathering;
  /**
   * Requests that are granted, and not yet written. Each write wakes a server that has nothing to do, and that costs about
   * as much as all that is done for a request in JavaScript; one after the other, they find it awake.
   */
  readonly #outbox: Gathering;
  /** Requests and warm-ups under way. */
  #activeCount = 0;
  /** Of these, requests whose response waits for the program to read it. */
  #pausedCount = 0;
  #idleWaiters: (() => void)[] = [];

  /** `report` is told what becomes of lanes, never within a call of the core. */
  constructor(options: Readonly<ResolvedOptions>, report: SaturationListener) {
    this.services = resolveServices(options.services, options, "new Client()");
    this.options = withGiven(options, this.services);
    this.#report = report;
    this.clock = readerOf(options.clock);
    this.observing = new Observing(this.clock);
    this.#alarm = new Alarm(options.clock, () => this.pools.tick(this.clock()));
    this.#inbox = new Gathering(this.clock, atEndOfTurn);
    this.#outbox = new Gathering(this.clock, afterEndOfTurn);
    this.dialer = new Dialer(options.connect, this.clock);
    this.pools = new Pools(options, this, Math.random, [...this.services.values()]);
  }

  /**
   * Takes other options and services.
   *
   * @throws InvalidOptionError, InvalidRequestError. Nothing has changed then.
   */
  configure(options: Readonly<ResolvedOptions>, where: string): void {
    const before = { options: this.options, services: this.services };
    const services = resolveServices(options.services, options, where);
    // First: a connection may be dialed at once, and a lookup is the program's code.
    this.services = services;
    this.options = withGiven(options, services);
    try {
      this.pools.configure(options, [...services.values()], this.clock());
    } catch (error) {
      this.options = before.options;
      this.services = before.services;
      throw error;
    }
  }

  /** The service that has the origin of `target`. */
  serviceOf(target: Target): ResolvedService {
    const { pool } = target;
    const { name } =
      pool === null || pool.isDropped ? this.pools.serviceOf(target.origin) : pool.service;
    return this.services.get(name) as ResolvedService;
  }

  /** The pool for `target`, made when there is none. */
  poolOf(target: Target, now: Msecs): HttpPool {
    if (target.pool === null || target.pool.isDropped) {
      target.pool = this.pools.pool(target.origin, now);
    }
    return target.pool;
  }

  /** A request or warm-up is under way: the process stays alive until it is `finished`. */
  started(): void {
    this.#activeCount++;
    this.#hold();
    this.#lookForObservers();
  }

  finished(): void {
    this.#activeCount--;
    this.#hold();
    if (this.#activeCount === 0 && this.pools.isClosing) this.#closed();
  }

  /** Whether the request of `connection` is written at the end of the turn. One that is under way alone has nothing to wait for. */
  gather(connection: TurnListener, now: Msecs): boolean {
    return this.#activeCount > 1 && this.#outbox.gather(connection, now);
  }

  /** The same for the body of `exchange`, and the end of its response. */
  holdBody(exchange: TurnListener, now: Msecs): boolean {
    return this.#activeCount > 1 && this.#inbox.gather(exchange, now);
  }

  /** A response waits for the program to read it: a program that never will must still be able to end. */
  paused(): void {
    this.#pausedCount++;
    this.#hold();
  }

  resumed(): void {
    this.#pausedCount--;
    this.#hold();
  }

  /** Resolves when nothing is under way any more, and all connections are closed. */
  untilIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      if (this.#activeCount === 0) this.#closed();
    });
  }

  destroy(): void {
    this.pools.destroy(this.clock());
    this.#alarm.clear();
  }

  dial(connection: Lease, now: Msecs): void {
    this.#lookForObservers();
    this.observing.forConnections?.dialing(connection, now);
    const { origin, site } = connection.pool;
    const address = site.route === null ? addressOf(origin) : null;
    const transport = new Http1Connection(connection, address, this);
    connection.transport = transport;
    // A lookup is the program's code: it may have destroyed the client before there was a transport to close.
    if (connection.state.kind === "closed") transport.close();
  }

  grant(request: ConnectionUser, connection: Lease, now: Msecs): void {
    if (connection.transport === null) return;
    this.pools.observer?.granted(request, connection, now);
    request.use(connection.transport, now);
  }

  refuse(request: ConnectionUser, error: KeeplineError): void {
    request.refused(error);
  }

  retire(connection: Lease, reason: RetireReason, now: Msecs): void {
    this.#lookForObservers();
    this.observing.forConnections?.retired(connection, reason, now);
    connection.transport?.close();
  }

  saturation(change: "saturated" | "relieved", lane: Saturation): void {
    this.#lookForObservers();
    this.observing.forConnections?.saturation(change, lane, this.clock());
    // Who listens may ask for more at once, and may throw.
    queueMicrotask(() => this.#report(change, lane));
  }

  tuned(change: TuningChange, now: Msecs): void {
    this.#lookForObservers();
    this.observing.forConnections?.tuned(change, now);
  }

  wakeAt(at: Msecs): void {
    this.#alarm.set(at);
  }

  broken(problem: string): void {
    process.emitWarning(`keepline found a defect of its own: ${problem}`, {
      code: "KEEPLINE_BROKEN",
    });
  }

  /** Somebody may have begun to look on, or ceased to: nobody tells, so that it is looked for where something begins. */
  #lookForObservers(): void {
    this.pools.observer = this.observing.current;
  }

  #hold(): void {
    this.#alarm.hold(this.#activeCount > this.#pausedCount);
  }

  #closed(): void {
    this.destroy();
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}

/** `options` with copies of what was given for the services: the program may change its own objects. */
function withGiven(
  options: Readonly<ResolvedOptions>,
  resolved: ReadonlyMap<string, ResolvedService>,
): Readonly<ResolvedOptions> {
  const given = [...resolved].map(([name, service]) => [name, service.given] as const);
  return Object.freeze({ ...options, services: Object.freeze(Object.fromEntries(given)) });
}
