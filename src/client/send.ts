/**
 * From what a caller asked for to a request under way: its target, service and lane, and its exchange.
 * Nothing is written, and no pool is made, before everything about it was checked.
 */
import { InvalidRequestError } from "../core/errors.ts";
import { defaultName } from "../core/lane-options.ts";
import { Exchange } from "./exchange.ts";
import { CallSite, isTraced } from "./leaks.ts";
import { checkRequestOptions, noOptions, prepare, type RequestOptions } from "./request.ts";
import type { ClientResponse } from "./response.ts";
import { chooseLane, findLane, type ResolvedService } from "./service-options.ts";
import type { Target, Targets } from "./target.ts";
import type { World } from "./world.ts";

/** What the parts of a client that send requests share. */
export interface Sender {
  readonly world: World;
  readonly targets: Targets;
}

/** The part of a client that a request is held to. */
export interface Bound {
  readonly service: string;
  /** Null leaves the choice to the request. */
  readonly lane: string | null;
}

/**
 * Sends a request. `entry` is the method that the program called, for reports of where it was.
 *
 * @throws InvalidOptionError, InvalidRequestError, or the reason of a signal that was aborted before.
 */
export function send(
  { world, targets }: Sender,
  url: string | URL,
  options: RequestOptions,
  bound: Bound | null,
  entry: (...args: never) => unknown,
): Promise<ClientResponse> {
  return new Promise((resolve, reject) => {
    if (options !== noOptions) checkRequestOptions(options);
    const target = targets.find(url, options.query);
    const service = world.serviceOf(target);
    if (bound !== null && service.name !== bound.service) throw foreign(target, bound.service);
    const request = prepare(target, options, service.options.keepAlive);
    const lane = bound?.lane ?? laneOf(service, target, request.method, options);
    if (options.signal?.aborted === true) {
      if (request.body.kind === "stream" && !request.body.canRepeat) request.body.open().cancel();
      throw options.signal.reason;
    }
    const now = world.clock();
    const pool = world.poolOf(target, now);
    const { leakTimeoutMsecs } = service.options;
    const callSite = isTraced(pool, leakTimeoutMsecs) ? new CallSite(entry) : null;
    const exchange = new Exchange(
      world,
      service,
      lane,
      request,
      options,
      callSite,
      resolve,
      reject,
    );
    world.started();
    exchange.start(pool, now);
  });
}

function laneOf(
  service: ResolvedService,
  { origin, path }: Target,
  method: string,
  options: RequestOptions,
): string {
  const { lane: own, headers } = options;
  if (own !== undefined) {
    findLane(service, own, "client.request()");
    return own;
  }
  // Most services have none, and then nothing is made for it.
  if (service.laneFor === null) return defaultName;
  return chooseLane(service, service.laneFor, { method, origin, path, headers });
}

/** `target` is no origin of the service that the request is held to. */
export function foreign({ origin }: Target, service: string): InvalidRequestError {
  const message = `${origin} is not an origin of service ${service}: send it with client.request(), or give the service this origin`;
  return new InvalidRequestError(message, { origin, service });
}
