/**
 * What stands behind an agent: the pools that its requests go to, which are its own or a part of a client's.
 */
import type http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { resolveClientOptions } from "../../client/options.ts";
import { findLane } from "../../client/service-options.ts";
import { World } from "../../client/world.ts";
import type { Clock, Msecs } from "../../core/clock.ts";
import { InvalidOptionError, InvalidRequestError } from "../../core/errors.ts";
import { defaultName } from "../../core/lane-options.ts";
import type { CoreOptions, PoolOptions } from "../../core/options.ts";
import type { HttpPool } from "../../http1/connection-user.ts";
import type { HeaderFields } from "../../http1/request-head.ts";
import type { Agent } from "./agent.ts";
import { type DestinationOwner, Destinations } from "./destinations.ts";
import type { ConnectionOptions } from "./identity.ts";
import { type AgentSettings, coreOptionsOf } from "./options.ts";
import { AgentRequest, type RequestOwner, tell } from "./request.ts";
import type { AgentRoute } from "./route.ts";
import { type AgentCounts, zeroCounts } from "./status.ts";

/** The part of a client that an agent sends its requests to. */
export interface SharedPart {
  readonly world: World;
  /** Null takes every origin. */
  readonly service: string | null;
  /** Null leaves the choice to the service. */
  readonly lane: string | null;
}

/** What a program may override, as it is when it did not. */
export type Hooks = Pick<
  Agent,
  "createConnection" | "createSocket" | "getName" | "keepSocketAlive"
>;

/** Limits and habits of the pools, and the limit above them. */
export type Limits = PoolOptions & Pick<CoreOptions, "maxTotalSockets">;

/** The pools of one agent. */
export class Pooling implements RequestOwner, DestinationOwner {
  readonly isTls: boolean;
  readonly #agent: Agent;
  readonly #usual: Hooks;
  readonly #shared: SharedPart | null;
  readonly #destinations = new Destinations(this);
  readonly #counts: AgentCounts = zeroCounts();
  #settings: AgentSettings;
  #world: World | null = null;

  /** `usual`: the hooks of an agent whose program overrides none. */
  constructor(agent: Agent, usual: Hooks, settings: AgentSettings, shared: SharedPart | null) {
    this.#agent = agent;
    this.#usual = usual;
    this.#settings = settings;
    this.#shared = shared;
    this.isTls = agent instanceof https.Agent;
  }

  /** Made when it is first needed: many an agent is made for one request, or for none. */
  get world(): World {
    this.#world ??= this.#shared?.world ?? this.#ownWorld();
    return this.#world;
  }

  get isShared(): boolean {
    return this.#shared !== null;
  }

  get clock(): Clock {
    return this.world.clock;
  }

  get options(): Readonly<Record<string, unknown>> {
    return this.#agent.options as Readonly<Record<string, unknown>>;
  }

  get bufferMsecs(): Msecs {
    return this.#agent.agentKeepAliveTimeoutBuffer;
  }

  get tcpKeepAliveMsecs(): Msecs {
    return this.#settings.tcpKeepAliveMsecs;
  }

  get timeoutMsecs(): Msecs {
    const { timeout } = this.#agent.options;
    return typeof timeout === "number" ? timeout : 0;
  }

  get isVerifying(): boolean {
    const { NODE_TLS_REJECT_UNAUTHORIZED: isOff } = process.env;
    return isOff !== "0" && this.world.options.connect.tls?.rejectUnauthorized !== false;
  }

  get isCustom(): boolean {
    const agent = this.#agent;
    const { createConnection, createSocket } = this.#usual;
    return (
      agent.createConnection !== createConnection ||
      agent.createSocket !== createSocket ||
      this.options.proxyEnv !== undefined
    );
  }

  get ownName(): ((options: http.RequestOptions) => string) | null {
    const agent = this.#agent;
    return agent.getName === this.#usual.getName ? null : (options) => agent.getName(options);
  }

  get keepHook(): ((socket: Socket) => unknown) | null {
    const agent = this.#agent;
    return agent.keepSocketAlive === this.#usual.keepSocketAlive
      ? null
      : (socket) => agent.keepSocketAlive(socket);
  }

  /** The limits and habits of its pools. */
  get limits(): Limits {
    if (this.#shared === null) return this.#settings;
    const { world, service } = this.#shared;
    const own = service === null ? undefined : world.services.get(service);
    return own === undefined ? world.options : own.options;
  }

  /** Other limits, for pools that there are and those to come. Those of a client are not an agent's to change. */
  change(change: Partial<CoreOptions>): void {
    if (this.#shared !== null) {
      const [name = ""] = Object.keys(change);
      const message = `agent.${name} is the client's: call client.configure() or client.configureService()`;
      throw new InvalidOptionError(name, "TypeError", message);
    }
    this.#settings = { ...this.#settings, ...change };
    const world = this.#world;
    if (world === null) return;
    const options = { ...world.options, ...coreOptionsOf(this.#settings) };
    world.configure(Object.freeze(options), "new Agent()");
  }

  /** Sends `req`. Never throws: what is wrong becomes the request's error. */
  send(req: http.ClientRequest, options: ConnectionOptions): void {
    if (req.destroyed) {
      tell(req, undefined);
      return;
    }
    const { world } = this;
    const now = world.clock();
    let pool: HttpPool;
    let lane = defaultName;
    try {
      const destination = this.#destinations.find(req, options);
      pool = destination.pool ?? world.pools.pool(destination.site, now);
      if (pool.isDropped) pool = world.pools.pool(destination.site, now);
      destination.pool = pool;
      const { route } = pool.site;
      if (route !== null) this.#noteLast(route as AgentRoute, req, options);
      if (this.#shared !== null) lane = this.#laneOf(this.#shared, pool, req);
    } catch (error) {
      tell(req, error);
      return;
    }
    new AgentRequest(this, req, lane).start(pool, now);
  }

  reuse(socket: Socket, request: http.ClientRequest): void {
    this.#agent.reuseSocket(socket, request);
  }

  answered(): void {
    this.#counts.requests++;
  }

  freed(socket: Socket, pool: HttpPool): void {
    const agent = this.#agent;
    if (agent.listenerCount("free") === 0) return;
    const { route } = pool.site;
    agent.emit("free", socket, route === null ? {} : (route as AgentRoute).connectionOptions());
  }

  connectionOptions(options: ConnectionOptions, serverName: string): Record<string, unknown> {
    const agent = this.#agent;
    const merged: Record<string, unknown> = this.#clientConnect();
    for (const [name, value] of Object.entries(options)) {
      // Some clients name all options that there are, undefined where nothing was said: the client's stand then.
      if (value !== undefined || !(name in merged)) merged[name] = value;
    }
    Object.assign(merged, agent.options, { servername: serverName });
    if (merged.socketPath) merged.path = merged.socketPath;
    if (this.limits.keepAlive) {
      merged.keepAlive = true;
      merged.keepAliveInitialDelay = this.tcpKeepAliveMsecs;
    }
    const timeoutMsecs = options.timeout || this.timeoutMsecs;
    if (timeoutMsecs) merged.timeout = timeoutMsecs;
    return merged;
  }

  create(
    request: http.ClientRequest,
    options: Record<string, unknown>,
    done: (error: Error | null | undefined, socket?: Socket) => void,
  ): void {
    this.#agent.createSocket(request, options as http.RequestOptions, done);
  }

  dialing(socket: Socket): void {
    const counts = this.#counts;
    let isOpen = socket.connecting !== true;
    if (isOpen) counts.created++;
    else {
      socket.once("connect", () => {
        isOpen = true;
        counts.created++;
      });
    }
    socket.on("error", () => counts.failed++);
    socket.on("timeout", () => counts.timedOut++);
    socket.once("close", () => {
      if (isOpen) counts.closed++;
      else counts.notCreated++;
    });
    watchKeylog(this.#agent, socket);
  }

  notCreated(): void {
    this.#counts.notCreated++;
  }

  /** What has happened. Where the pools are a client's: since each of them was made, and to all who use it. */
  get counts(): AgentCounts {
    const counts = { ...this.#counts };
    // Of sockets that its own routes have dialed it knows from the sockets.
    for (const { site, tally } of this.pools()) {
      if (site.route !== null) continue;
      const { closed, opened } = tally;
      const notOpened = (closed["dial-failed"] ?? 0) + (closed["connect-timeout"] ?? 0);
      const ended = Object.values(closed).reduce((sum, count) => sum + count, 0);
      counts.created += opened;
      counts.notCreated += notOpened;
      counts.closed += ended - notOpened;
      counts.failed += closed["socket-error"] ?? 0;
      counts.timedOut += closed["idle-timeout"] ?? 0;
    }
    return counts;
  }

  /** Its pools. */
  *pools(): IterableIterator<HttpPool> {
    const world = this.#shared?.world ?? this.#world;
    const protocol = this.isTls ? "https:" : "http:";
    for (const pool of world?.pools.all ?? []) {
      if (!pool.origin.startsWith(protocol)) continue;
      const service = this.#shared?.service ?? null;
      if (service === null || pool.service.name === service) yield pool;
    }
  }

  /** What Node's agents call the sockets of `pool`. */
  nameOf(pool: HttpPool): string {
    const route = pool.site.route as AgentRoute | null;
    if (route !== null)
      return this.#agent.getName(route.connectionOptions() as http.RequestOptions);
    const { hostname, port } = new URL(pool.origin);
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const defaultPort = this.isTls ? 443 : 80;
    return this.#agent.getName({ host, port: port === "" ? defaultPort : Number(port) });
  }

  #ownWorld(): World {
    const options = { ...resolveClientOptions(undefined), ...coreOptionsOf(this.#settings) };
    const agent = this.#agent;
    return new World(Object.freeze(options), (change, lane) => agent.emit(change, lane));
  }

  /** Notes whose options are those of the next dial. */
  #noteLast(route: AgentRoute, req: http.ClientRequest, options: ConnectionOptions): void {
    route.options = options;
    if (route.isCustom) route.request = req;
  }

  #laneOf({ world, service, lane }: SharedPart, pool: HttpPool, req: http.ClientRequest): string {
    const { origin } = pool;
    const { name } = pool.service;
    if (service !== null && name !== service) {
      const message = `${origin} is not an origin of service ${service}: send it by another agent, or give the service this origin`;
      throw new InvalidRequestError(message, { origin, service });
    }
    const resolved = world.services.get(name);
    if (lane !== null || resolved === undefined || resolved.laneFor === null) {
      return lane ?? defaultName;
    }
    const { method, path } = req;
    const headers = req.getHeaders() as unknown as HeaderFields;
    const chosen = resolved.laneFor({ method, origin, path, headers }) ?? defaultName;
    findLane(resolved, chosen, `services.${name}.laneFor()`);
    return chosen;
  }

  /** How the client dials, where the pools are a client's. */
  #clientConnect(): Record<string, unknown> {
    if (this.#shared === null) return {};
    const { connect } = this.#shared.world.options;
    const { tls, autoSelectFamilyAttemptTimeoutMsecs, ...others } = connect;
    const given = Object.entries({
      ...tls,
      ...others,
      autoSelectFamilyAttemptTimeout: autoSelectFamilyAttemptTimeoutMsecs,
    });
    // Null and 0 stand for nothing said.
    return Object.fromEntries(given.filter(([, value]) => value !== null && value !== 0));
  }
}

/** Tells the listeners of `agent` for `keylog` of the secrets of `socket`, where there are any: else it would cost each handshake. */
export function watchKeylog(agent: Agent, socket: Socket): void {
  if (agent.listenerCount("keylog") === 0 || !("encrypted" in socket)) return;
  socket.on("keylog", (line: Buffer) => agent.emit("keylog", line, socket));
}
