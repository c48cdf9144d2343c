/**
 * `Client`: the pools, the sockets under them and the requests on top, put together.
 */
import { ClientClosedError, type KeeplineError } from "../core/errors.ts";
import { invalidOption, wholeNumber } from "../core/rules.ts";
import { type ClientStats, snapshot } from "../observe/stats.ts";
import { Exchange } from "./exchange.ts";
import { CallSite, isTraced } from "./leaks.ts";
import {
  type ClientOptions,
  type LiveOptions,
  type ResolvedOptions,
  resolveClientOptions,
  resolveLiveOptions,
} from "./options.ts";
import { checkRequestOptions, noOptions, prepare, type RequestOptions } from "./request.ts";
import type { ClientResponse } from "./response.ts";
import { Targets } from "./target.ts";
import { World } from "./world.ts";

/** An HTTP/1.1 client with a pool of keep-alive connections for each origin. */
export class Client {
  readonly #world: World;
  readonly #targets = new Targets();

  /**
   * @throws InvalidOptionError when an option is unknown or not allowed.
   */
  constructor(options?: ClientOptions) {
    this.#world = new World(resolveClientOptions(options));
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
    return new Promise((resolve, reject) => {
      const world = this.#world;
      if (options !== noOptions) checkRequestOptions(options);
      const target = this.#targets.find(url, options.query);
      const request = prepare(target, options, world.options.keepAlive);
      if (options.signal?.aborted === true) {
        if (request.body.kind === "stream" && !request.body.canRepeat) request.body.open().cancel();
        throw options.signal.reason;
      }
      const now = world.clock();
      const pool = world.poolOf(target, now);
      const callSite = isTraced(pool.tally, world.options.leakTimeoutMsecs)
        ? new CallSite(requestMethod)
        : null;
      const exchange = new Exchange(
        world,
        target.origin,
        request,
        options,
        now,
        callSite,
        resolve,
        reject,
      );
      world.started();
      exchange.start(pool);
    });
  }

  /** Counters and sizes of all pools, as plain JSON. */
  stats(): ClientStats {
    return snapshot(this.#world.pools, Date.now());
  }

  /**
   * Changes options while requests are under way; those not named keep their values. New limits hold from
   * now on: idle connections over them are closed at once, busy ones when they are free. Timeouts, `resend` and
   * `leakTimeoutMsecs` hold for requests made from now on.
   *
   * @throws InvalidOptionError when an option is not allowed, or is `connect` or `clock`. Nothing has changed then.
   */
  configure(options: LiveOptions): void {
    const world = this.#world;
    world.options = resolveLiveOptions(world.options, options);
    world.pools.configure(world.options, world.clock());
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
      const target = this.#targets.find(url, undefined);
      const world = this.#world;
      if (world.pools.isClosing) throw new ClientClosedError("the client is closed");
      const now = world.clock();
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
      world.pools.warm(world.poolOf(target, now), warmer, now);
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
