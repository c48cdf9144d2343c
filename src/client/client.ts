/**
 * `Client`: the pools, the sockets under them and the requests on top, put together.
 */
import { EventEmitter } from "node:events";
import { ClientClosedError, type KeeplineError } from "../core/errors.ts";
import { invalidOption, wholeNumber } from "../core/rules.ts";
import type { Saturation } from "../core/saturation.ts";
import { SaturationWarning } from "../observe/saturation-warning.ts";
import { type ClientStats, snapshot } from "../observe/stats.ts";
import { readerOf, type StatsReader } from "../observe/stats-reader.ts";
import {
  type Agent,
  type HttpsAgent,
  sharedAgent,
  sharedHttpsAgent,
} from "../surfaces/agent/agent.ts";
import { type AgentPart, sharedPartOf } from "../surfaces/agent/part.ts";
import { ClientDispatcher, type DispatcherBounds } from "../surfaces/undici/dispatcher.ts";
import { fetchThrough } from "./fetch.ts";
import {
  type ClientOptions,
  type LiveOptions,
  type ResolvedOptions,
  resolveClientOptions,
  resolveLiveOptions,
} from "./options.ts";
import { noOptions, type RequestOptions } from "./request.ts";
import type { ClientResponse } from "./response.ts";
import { type Sender, send } from "./send.ts";
import { ClientService, configureService, removeService } from "./service.ts";
import type { LiveServiceOptions } from "./service-options.ts";
import { Targets } from "./target.ts";
import { type SaturationListener, World } from "./world.ts";

/** What a client emits. */
export interface ClientEvents {
  /** Requests of a lane wait for `saturationMsecs`, or are refused. */
  saturated: [lane: Saturation];
  /** Neither was the case for as long. */
  relieved: [lane: Saturation];
}

let worldIn: (client: Client) => World | null;

/**
 * For parts of keepline that look on: what is in a client.
 *
 * @throws InvalidOptionError when it is none.
 */
export function worldOf(client: Client, where: string): World {
  const isObject = typeof client === "object" && client !== null;
  const world = isObject ? worldIn(client) : null;
  if (world !== null) return world;
  throw invalidOption("client", client, { nature: "TypeError", allowed: "a Client" }, where);
}

/** An HTTP/1.1 client with a pool of keep-alive connections for each origin. */
export class Client extends EventEmitter<ClientEvents> {
  static {
    worldIn = (client) => (#world in client ? client.#world : null);
  }

  readonly #world: World;
  readonly #sender: Sender;
  #fetchDispatcher: ClientDispatcher | null = null;

  /**
   * @throws InvalidOptionError when an option is unknown or not allowed.
   */
  constructor(options?: ClientOptions) {
    super();
    const warning = new SaturationWarning();
    const report: SaturationListener = (change, lane) => {
      if (change === "saturated") warning.saturated(lane, this.#world.clock());
      this.emit(change, lane);
    };
    this.#world = new World(resolveClientOptions(options), report);
    this.#sender = { world: this.#world, targets: new Targets() };
  }

  /** Unique in this process, from 1: events name it as `clientId`. */
  get id(): number {
    return this.#world.observing.clientId;
  }

  /** The options in force, complete. */
  get options(): Readonly<ResolvedOptions> {
    return this.#world.options;
  }

  /**
   * Sends a request. Resolves with the response when its head has arrived, whatever its status code.
   * Redirects are not followed. The body must be read, dumped or given up: unless it is small (see
   * `ResponseBody`), its connection is busy until then.
   *
   * @param url Absolute, http or https.
   * Rejects with `InvalidOptionError` or `InvalidRequestError` when nothing was sent because it cannot be,
   * with the signal's reason when aborted, and otherwise with one of the errors of `KeeplineError`.
   */
  request(url: string | URL, options: RequestOptions = noOptions): Promise<ClientResponse> {
    return send(this.#sender, url, options, null, requestMethod);
  }

  /**
   * The service of this name, to be handed to a part of the program: it can send requests to its origins, and reaches
   * nothing else of the client.
   *
   * @throws InvalidOptionError when there is none.
   */
  service(name: string): ClientService {
    return new ClientService(this.#sender, name);
  }

  /**
   * WHATWG `fetch` over this client: Node's own, with redirects, decompression and all, on the client's connections.
   * Rejects as `fetch` does: with the signal's reason, or a `TypeError` whose `cause` says what failed. An option
   * `dispatcher` has no effect.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    this.#fetchDispatcher ??= new ClientDispatcher(this.#sender, {}, "client.fetch()");
    return fetchThrough(this.#fetchDispatcher, input, init);
  }

  /**
   * A dispatcher for `fetch` and undici 6, 7 and 8. Its requests share the connections and the limits of the client.
   * With `service` it refuses origins of others; with `lane` all go by that lane. To close or destroy it ends its own
   * requests, and leaves the client as it is.
   *
   * @throws InvalidOptionError when there is no such service or lane.
   */
  dispatcher(bounds: DispatcherBounds = {}): ClientDispatcher {
    return new ClientDispatcher(this.#sender, bounds, "client.dispatcher()");
  }

  /**
   * An agent for `node:http` on the pools of this client: its requests use the same sockets, limits, lanes and counters as
   * `client.request`. Its limits are the client's, and `destroy` of it closes only what its own requests use.
   *
   * @throws InvalidOptionError when there is no such service or lane.
   */
  httpAgent(part: AgentPart = {}): Agent {
    return sharedAgent(sharedPartOf(this.#world, part, "client.httpAgent()"));
  }

  /** As `httpAgent`, for `node:https`. */
  httpsAgent(part: AgentPart = {}): HttpsAgent {
    return sharedHttpsAgent(sharedPartOf(this.#world, part, "client.httpsAgent()"));
  }

  /** Counters and sizes of all pools, as plain JSON. */
  stats(): ClientStats {
    return snapshot(this.#world.pools, Date.now());
  }

  /**
   * A reader of `stats()` that has, too, the least and the most of sockets and waiting requests since it last read: each
   * reader its own, so that a dashboard takes nothing from a scrape. Close it when it reads no more.
   */
  statsReader(): StatsReader {
    return readerOf(this.#world.pools, this.#world.clock);
  }

  /**
   * Changes options while requests are under way; those not named keep their values. New limits hold from
   * now on: idle connections over them are closed at once, busy ones when they are free. Timeouts, `resend` and
   * `leakTimeoutMsecs` hold for requests made from now on.
   *
   * @throws InvalidOptionError when an option is not allowed, or is `connect`, `clock` or `services`. Nothing has changed then.
   */
  configure(options: LiveOptions): void {
    const world = this.#world;
    world.configure(resolveLiveOptions(world.options, options), "client.configure()");
  }

  /**
   * Changes a service while requests are under way, or adds one; what is not named keeps its value, and a lane that is
   * null is removed. Connections and pending requests of origins that change hands go along; pending requests of a lane
   * that was removed wait in the lane `default`.
   *
   * @throws InvalidOptionError when an option is not allowed, InvalidRequestError when an origin in use would be in two services. Nothing has changed then.
   */
  configureService(name: string, options: LiveServiceOptions): void {
    configureService(this.#sender, name, options);
  }

  /**
   * Removes a service. Its origins belong to the service `default` then, with all that waits and is under way.
   *
   * @throws InvalidOptionError when there is no service of this name. Removing `default` takes its own options back.
   */
  removeService(name: string): void {
    removeService(this.#sender, name);
  }

  /**
   * Opens connections ahead of demand until the origin of `url` has `count` of them, idle or busy.
   * Resolves with how many it has then: fewer when a limit stands against more. Idle ones end by
   * `keepAliveMsecs` as ever. Rejects with the error of a dial that failed, and when the client is closed.
   */
  warm(url: string | URL, count: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const fault = wholeNumber(1, "finite")(count);
      if (fault !== null) throw invalidOption("count", count, fault, "client.warm()");
      const target = this.#sender.targets.find(url, undefined);
      const world = this.#world;
      if (world.pools.isClosing) throw new ClientClosedError("the client is closed");
      const now = world.clock();
      const pool = world.poolOf(target, now); // throws when two services have the origin
      world.started();
      const warmer = {
        target: count,
        ready: (open: number) => {
          world.finished();
          resolve(open);
        },
        failed: (error: KeeplineError) => {
          world.finished();
          reject(error);
        },
      };
      world.pools.warm(pool, warmer, now);
    });
  }

  /**
   * Takes no new requests, waits for those under way, their bodies included, and closes all connections.
   * May be called again; all calls resolve together.
   */
  close(): Promise<void> {
    this.#world.pools.close(this.#world.clock());
    return this.#world.untilIdle();
  }

  /** Closes all connections now. Requests under way and pending ones reject with `ClientClosedError`. */
  destroy(): void {
    this.#world.destroy();
  }

  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** As it was defined: a program may have wrapped it since, and only what is on the stack can be left out of a stack. */
const requestMethod = Client.prototype.request;
