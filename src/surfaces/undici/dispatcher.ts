/**
 * A client as a dispatcher of undici: a view of it, whose requests share its pools, limits, lanes and stats with all
 * others. Closing or destroying the view ends its own requests, and leaves the client as it is.
 */
import { EventEmitter } from "node:events";
import type { Sender } from "../../client/send.ts";
import { foreign } from "../../client/send.ts";
import {
  chooseLane,
  findLane,
  findService,
  type ResolvedService,
} from "../../client/service-options.ts";
import type { Target } from "../../client/target.ts";
import { InvalidRequestError } from "../../core/errors.ts";
import { defaultName } from "../../core/lane-options.ts";
import type { HeaderFields } from "../../http1/request-head.ts";
import { composed } from "./compose.ts";
import { DispatchError, invalidArgument, toHandlerError } from "./errors.ts";
import { DispatchExchange, type ExchangeListener } from "./exchange.ts";
import type { DispatchHandler, DispatchInterceptor, DispatchOptions } from "./handlers.ts";
import { receiverOf } from "./receiver.ts";
import {
  checkHandler,
  type DispatchRequest,
  PlainRequests,
  readable,
  targetOf,
} from "./request.ts";
import { UnderWay } from "./under-way.ts";

/** Which requests a dispatcher sends, and how. */
export interface DispatcherBounds {
  /** Only to origins of this service; others are refused. */
  readonly service?: string | undefined;
  /** All in this lane; else what the service's `laneFor` says, or `default`. */
  readonly lane?: string | undefined;
}

/** Called when a dispatcher is closed or destroyed. */
export type DispatcherCallback = (error: Error | null, nothing: null) => void;

/** What a program can do with a dispatcher, composed or not. */
export interface Dispatcher extends EventEmitter {
  readonly closed: boolean;
  readonly destroyed: boolean;
  /** Sends a request. `handler` is told what becomes of it, refusals included. Always true: it takes any number. */
  dispatch(options: DispatchOptions, handler: DispatchHandler): boolean;
  /** Takes no new requests, and waits for those under way. Without a callback it returns a promise of the end. */
  close(): Promise<null>;
  close(callback: DispatcherCallback): void;
  /** Ends all requests under way with `error`, or with `ClientDestroyedError` of undici. */
  destroy(error?: Error | null): Promise<null>;
  destroy(callback: DispatcherCallback): void;
  destroy(error: Error | null, callback: DispatcherCallback): void;
  /** A dispatcher whose requests go through `interceptors`, the last one first. They may be those of undici 6, 7 or 8. */
  compose(
    ...interceptors: (DispatchInterceptor | null | undefined | readonly DispatchInterceptor[])[]
  ): Dispatcher;
}

type ViewState =
  | { readonly kind: "open" }
  | { readonly kind: "closing"; readonly callbacks: DispatcherCallback[] }
  | { readonly kind: "destroyed" };

/** A view of a client that undici and `fetch` take as their dispatcher. */
export class ClientDispatcher extends EventEmitter implements Dispatcher, ExchangeListener {
  readonly #sender: Sender;
  readonly #service: string | null;
  readonly #lane: string | null;
  readonly #underWay = new UnderWay<DispatchExchange>();
  readonly #plain = new PlainRequests();
  #state: ViewState = { kind: "open" };

  /**
   * Made by `client.dispatcher()`. `where` is named in errors.
   *
   * @throws InvalidOptionError when there is no such service or lane.
   */
  constructor(sender: Sender, { service, lane }: DispatcherBounds, where: string) {
    super();
    const { services } = sender.world;
    this.#sender = sender;
    this.#service = service ?? null;
    this.#lane = lane ?? null;
    const found = service === undefined ? null : findService(services, service, where);
    if (lane === undefined) return;
    // Without a service it must be a lane of some.
    const some = found ?? [...services.values()].find((each) => each.lanes.has(lane));
    findLane(some ?? findService(services, defaultName, where), lane, where);
  }

  /** True once it takes no more requests. */
  get closed(): boolean {
    return this.#state.kind !== "open";
  }

  /** True once none is under way any more. */
  get destroyed(): boolean {
    return this.#state.kind === "destroyed";
  }

  /** Bounds of what a WebSocket over it receives, as undici has them. */
  get webSocketOptions(): { readonly maxFragments: number; readonly maxPayloadSize: number } {
    return { maxFragments: 131_072, maxPayloadSize: 134_217_728 };
  }

  dispatch(options: DispatchOptions, handler: DispatchHandler): boolean {
    if (typeof handler !== "object" || handler === null) {
      throw invalidArgument("handler must be an object");
    }
    try {
      this.#start(options, handler);
    } catch (error) {
      this.#refuse(handler, toHandlerError(error));
    }
    return true;
  }

  close(): Promise<null>;
  close(callback: DispatcherCallback): void;
  close(callback?: DispatcherCallback): Promise<null> | undefined {
    if (callback === undefined) return promised((done) => this.close(done));
    if (typeof callback !== "function") throw invalidArgument("invalid callback");
    const state = this.#state;
    switch (state.kind) {
      case "destroyed": {
        const error = new DispatchError("ClientDestroyedError", "The client is destroyed");
        queueMicrotask(() => callback(error, null));
        return;
      }
      case "closing":
        state.callbacks.push(callback);
        return;
      case "open":
        this.#state = { kind: "closing", callbacks: [callback] };
        this.#endIfIdle();
        return;
      default:
        state satisfies never;
    }
  }

  destroy(error?: Error | null): Promise<null>;
  destroy(callback: DispatcherCallback): void;
  destroy(error: Error | null, callback: DispatcherCallback): void;
  destroy(
    first?: Error | null | DispatcherCallback,
    second?: DispatcherCallback,
  ): Promise<null> | undefined {
    const error = typeof first === "function" ? null : (first ?? null);
    const callback = typeof first === "function" ? first : second;
    if (callback === undefined) return promised((done) => this.destroy(error, done));
    if (typeof callback !== "function") throw invalidArgument("invalid callback");
    const { kind } = this.#state;
    const closers = this.#state.kind === "closing" ? this.#state.callbacks : [];
    this.#state = { kind: "destroyed" };
    if (kind !== "destroyed") {
      const reason = error ?? new DispatchError("ClientDestroyedError", "The client is destroyed");
      for (const exchange of this.#underWay.all) exchange.abort(reason);
    }
    queueMicrotask(() => {
      for (const each of [...closers, callback]) each(null, null);
    });
  }

  compose(
    ...interceptors: (DispatchInterceptor | null | undefined | readonly DispatchInterceptor[])[]
  ): Dispatcher {
    return composed(this, interceptors);
  }

  /** For its exchanges. */
  ended(exchange: DispatchExchange): void {
    this.#underWay.remove(exchange);
    if (this.#state.kind === "closing") this.#endIfIdle();
  }

  /** For its exchanges: who listens to errors of the dispatcher is told, and else the process is warned. */
  lost(error: unknown): void {
    if (this.listenerCount("error") > 0) {
      this.emit("error", error);
      return;
    }
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.emitWarning(`the last callback of a handler has thrown: ${message}`, {
      type: "KeeplineWarning",
      code: "KEEPLINE_HANDLER_THREW",
    });
  }

  #start(given: DispatchOptions, handler: DispatchHandler): void {
    if (typeof given !== "object" || given === null) {
      throw invalidArgument("opts must be an object.");
    }
    if (this.#state.kind === "destroyed") {
      throw new DispatchError("ClientDestroyedError", "The client is destroyed");
    }
    if (this.#state.kind === "closing") {
      throw new DispatchError("ClientClosedError", "The client is closed");
    }
    const options = readable(given);
    const { world, targets } = this.#sender;
    const target = targetOf(options, targets);
    const service = this.#serviceOf(target);
    const request = this.#plain.prepare(target, options, service.options.keepAlive);
    checkHandler(handler, request.asksForTunnel);
    const lane = this.#laneOf(service, target, request, options);
    const now = world.clock();
    const pool = world.poolOf(target, now);
    const exchange = new DispatchExchange(
      world,
      this,
      target.origin,
      service,
      lane,
      request,
      receiverOf(handler),
    );
    this.#underWay.add(exchange);
    exchange.start(pool, now);
  }

  /** What was refused before it began. A handler without the callback has the error thrown at its dispatcher. */
  #refuse(handler: DispatchHandler, error: Error): void {
    const isModern = typeof handler.onRequestStart === "function";
    const callback = isModern ? handler.onResponseError : handler.onError;
    if (typeof callback !== "function") throw error;
    try {
      if (isModern) handler.onResponseError?.(null, error);
      else handler.onError?.(error);
    } catch (thrown) {
      this.lost(thrown);
    }
  }

  #serviceOf(target: Target): ResolvedService {
    const { world } = this.#sender;
    const service = world.serviceOf(target);
    const name = this.#service;
    if (name === null || service.name === name) return service;
    if (!world.services.has(name)) {
      throw new InvalidRequestError(`there is no service ${name} any more`, { service: name });
    }
    throw foreign(target, name);
  }

  #laneOf(
    service: ResolvedService,
    { origin }: Target,
    { method, path }: DispatchRequest,
    { headers }: DispatchOptions,
  ): string {
    const lane = this.#lane;
    if (lane !== null) {
      findLane(service, lane, "client.dispatcher()");
      return lane;
    }
    const { laneFor } = service;
    if (laneFor === null) return defaultName;
    return chooseLane(service, laneFor, { method, origin, path, headers: asFields(headers) });
  }

  #endIfIdle(): void {
    if (!this.#underWay.isEmpty || this.#state.kind !== "closing") return;
    // Who closes and asks again at once is told that it is closed.
    queueMicrotask(() => {
      if (this.#state.kind !== "closing") return;
      const { callbacks } = this.#state;
      this.#state = { kind: "destroyed" };
      for (const callback of callbacks) callback(null, null);
    });
  }
}

/** A `laneFor` gets header fields in the forms of `client.request`. */
function asFields(headers: DispatchOptions["headers"]): HeaderFields | undefined {
  if (headers === undefined || headers === null) return undefined;
  if (!Array.isArray(headers)) return headers as HeaderFields;
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    pairs.push([String(headers[index]), String(headers[index + 1])]);
  }
  return pairs;
}

function promised(begin: (done: DispatcherCallback) => void): Promise<null> {
  return new Promise((resolve, reject) => {
    begin((error, nothing) => {
      if (error === null) resolve(nothing);
      else reject(error);
    });
  });
}
