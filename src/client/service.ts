/**
 * One service or lane of a client, to be handed to a part of the program: it can send requests to the service's
 * origins and look at them, and reaches nothing else of the client.
 */
import { InvalidOptionError, InvalidRequestError } from "../core/errors.ts";
import { show } from "../core/rules.ts";
import { type LaneTotals, type ServiceStats, serviceStats } from "../observe/stats.ts";
import { ClientDispatcher } from "../surfaces/undici/dispatcher.ts";
import { fetchThrough } from "./fetch.ts";
import { noOptions, type RequestOptions } from "./request.ts";
import type { ClientResponse } from "./response.ts";
import { type Sender, send } from "./send.ts";
import {
  findLane,
  findService,
  type LiveServiceOptions,
  mergeService,
  type ResolvedService,
} from "./service-options.ts";

/**
 * A service of a client. It stays the service of this name when its options change, and refuses requests when the
 * service was removed.
 */
export class ClientService {
  readonly name: string;
  readonly #sender: Sender;
  #dispatcher: ClientDispatcher | null = null;

  /** Made by `client.service(name)`. */
  constructor(sender: Sender, name: string) {
    this.#sender = sender;
    this.name = name;
    found(sender, name, "client.service()");
  }

  /**
   * As `client.request`, for origins of this service alone. `url` may be a path such as `/charges` when the service has
   * exactly one origin, given by name.
   */
  request(url: string | URL, options: RequestOptions = noOptions): Promise<ClientResponse> {
    return boundRequest(this.#sender, url, options, this.name, null, serviceRequest);
  }

  /** As `client.fetch`, for origins of this service alone; `input` may be a path as in `request`. */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const bounds = { service: this.name };
    this.#dispatcher ??= new ClientDispatcher(this.#sender, bounds, "service.fetch()");
    return boundFetch(this.#sender, this.#dispatcher, this.name, input, init);
  }

  /** The lane of this name. @throws InvalidOptionError when there is none. */
  lane(name: string): ClientLane {
    return new ClientLane(this.#sender, this.name, name);
  }

  /** Sockets, requests and lanes of the service, over all its origins. */
  stats(): ServiceStats {
    found(this.#sender, this.name, "service.stats()");
    return serviceStats(this.#sender.world.pools, this.name);
  }

  /** As `client.configureService`. @throws InvalidOptionError; nothing has changed then. */
  configure(options: LiveServiceOptions): void {
    configureService(this.#sender, this.name, options);
  }
}

/** A lane of a service of a client. */
export class ClientLane {
  readonly service: string;
  readonly name: string;
  readonly #sender: Sender;
  #dispatcher: ClientDispatcher | null = null;

  /** Made by `client.service(name).lane(name)`. */
  constructor(sender: Sender, service: string, name: string) {
    this.#sender = sender;
    this.service = service;
    this.name = name;
    findLane(found(sender, service, "service.lane()"), name, "service.lane()");
  }

  /** As `service.request`, in this lane: the option `lane` is refused. */
  request(url: string | URL, options: RequestOptions = noOptions): Promise<ClientResponse> {
    return boundRequest(this.#sender, url, options, this.service, this.name, laneRequest);
  }

  /** As `service.fetch`, in this lane. */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const bounds = { service: this.service, lane: this.name };
    this.#dispatcher ??= new ClientDispatcher(this.#sender, bounds, "lane.fetch()");
    return boundFetch(this.#sender, this.#dispatcher, this.service, input, init);
  }

  /** Requests of the lane, over all origins of its service. */
  stats(): LaneTotals {
    const where = "lane.stats()";
    findLane(found(this.#sender, this.service, where), this.name, where);
    const { lanes } = serviceStats(this.#sender.world.pools, this.service);
    return lanes[this.name] as LaneTotals;
  }
}

/**
 * Changes a service, or adds one.
 *
 * @throws InvalidOptionError; nothing has changed then.
 */
export function configureService(
  { world }: Sender,
  name: string,
  change: LiveServiceOptions,
): void {
  const where = "client.configureService()";
  const known = world.services.get(name);
  const given = mergeService(known?.given ?? {}, change);
  world.configure(
    Object.freeze({ ...world.options, services: { ...world.options.services, [name]: given } }),
    where,
  );
}

/**
 * Removes a service: its origins are those of the service `default` from now on.
 *
 * @throws InvalidOptionError when there is none of this name; nothing has changed then.
 */
export function removeService(sender: Sender, name: string): void {
  const where = "client.removeService()";
  found(sender, name, where);
  const { [name]: _, ...services } = sender.world.options.services;
  sender.world.configure(Object.freeze({ ...sender.world.options, services }), where);
}

function found({ world }: Sender, name: string, where: string): ResolvedService {
  return findService(world.services, name, where);
}

async function boundRequest(
  sender: Sender,
  url: string | URL,
  options: RequestOptions,
  name: string,
  lane: string | null,
  entry: (...args: never) => unknown,
): Promise<ClientResponse> {
  const service = sender.world.services.get(name);
  if (service === undefined) {
    throw new InvalidRequestError(`there is no service ${name} any more`, { service: name });
  }
  if (lane !== null) {
    findLane(service, lane, "lane.request()");
    if (options.lane !== undefined) {
      const message = `lane.request(): lane must be absent (it is ${show(lane)}), not ${show(options.lane)}`;
      throw new InvalidOptionError("lane", "RangeError", message);
    }
  }
  return send(sender, absolute(url, service), options, { service: name, lane }, entry);
}

async function boundFetch(
  { world }: Sender,
  dispatcher: ClientDispatcher,
  name: string,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const isPath = typeof input === "string" && input.startsWith("/");
  const url = isPath ? absolute(input, findService(world.services, name, "fetch()")) : input;
  return fetchThrough(dispatcher, url, init);
}

/** A path is one of the only origin that the service names. */
function absolute(url: string | URL, { name, origins }: ResolvedService): string | URL {
  if (typeof url !== "string" || !url.startsWith("/")) return url;
  const [only, ...others] = origins?.exact ?? [];
  if (only !== undefined && others.length === 0) return only + url;
  const message = `url must be absolute, since service ${name} has not exactly one origin that is given by name, not ${show(url)}`;
  throw new InvalidRequestError(message, { service: name });
}

/** As they were defined: see `client.request`. */
const serviceRequest = ClientService.prototype.request;
const laneRequest = ClientLane.prototype.request;
