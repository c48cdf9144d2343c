/**
 * What is around the client: the way to each origin, and the servers there. What a user gives is checked against tables,
 * as options of a client are; origins may have values of their own.
 */
import type { Msecs } from "../core/clock.ts";
import { InvalidOptionError } from "../core/errors.ts";
import {
  duration,
  type Fault,
  type Given,
  type Rules,
  resolveOptions,
  show,
  wholeNumber,
} from "../core/rules.ts";
import {
  type Distribution,
  distribution,
  isShare,
  type Sampler,
  samplerOf,
} from "./distribution.ts";

/** The way to a server. */
export interface NetworkOptions {
  /** There and back, in ms; half of it each way. Default 1. */
  readonly roundTripMsecs: Msecs;
  /** DNS and TCP of a dial; null, the default, is one round trip. */
  readonly connectMsecs: Distribution | null;
  /** TLS of a dial to an https origin, without `handshakeMsecs`; null, the default, is one round trip. */
  readonly tlsMsecs: Distribution | null;
  /** What a TLS handshake takes of the client's processor, in ms: handshakes queue for it, and responses are read after them. Default 0. */
  readonly handshakeMsecs: Msecs;
  /** What arrives is noticed up to so much later, in ms: a busy event loop. Default 0. */
  readonly lagMsecs: Msecs;
}

/** A server, or what stands before it. */
export interface ServerOptions {
  /** From a request's arrival to its response, without waiting for `capacity`; what a workload says of its own requests wins. Default 10 ms. */
  readonly serviceMsecs: Distribution;
  /** It closes a connection that was idle for so long after a response; drawn anew each time. Default `Infinity`: it never does. */
  readonly idleTimeoutMsecs: Distribution;
  /** `Keep-Alive: timeout` of its responses in ms; null, the default, says nothing. */
  readonly hintMsecs: Msecs | null;
  /** Requests it works on at once; others wait in the order of arrival. Default `Infinity`. */
  readonly capacity: number;
  /** It closes a connection with its so-manieth response. Default `Infinity`. */
  readonly maxRequests: number;
  /** Of all dials, the share that fails, from 0 to 1. Default 0. */
  readonly dialFailureShare: number;
  /** Of all requests, the share under which the connection breaks before the response, from 0 to 1. Default 0. */
  readonly requestFailureShare: number;
  /** It closes all connections every so often, with what is under way on them. Default `Infinity`. */
  readonly restartEveryMsecs: Msecs;
}

/** What `simulate` takes as `network`: for all origins, and for single ones. */
export interface GivenNetwork extends Given<NetworkOptions> {
  /** By origin, such as `https://api.example.com`. */
  readonly origins?: Readonly<Record<string, Given<NetworkOptions>>> | undefined;
}

/** What `simulate` takes as `servers`: for all origins, and for single ones. */
export interface GivenServers extends Given<ServerOptions> {
  /** By origin, such as `https://api.example.com`. */
  readonly origins?: Readonly<Record<string, Given<ServerOptions>>> | undefined;
}

const orNull =
  (check: (value: unknown) => Fault | null) =>
  (value: unknown): Fault | null => {
    const fault = value === null ? null : check(value);
    return fault === null ? null : { ...fault, allowed: `${fault.allowed}, or null` };
  };

function finite(value: unknown): Fault | null {
  const fault = duration("from 0")(value);
  if (fault === null && value !== Number.POSITIVE_INFINITY) return null;
  const nature = fault?.nature ?? "RangeError";
  return { nature, allowed: "a number of milliseconds of at least 0" };
}

function share(value: unknown): Fault | null {
  if (isShare(value)) return null;
  const nature = typeof value === "number" ? "RangeError" : "TypeError";
  return { nature, allowed: "a number from 0 to 1" };
}

/** The table of the network. */
export const networkRules = {
  roundTripMsecs: { default: 1, check: finite, unit: "ms", doc: "there and back" },
  connectMsecs: {
    default: null,
    check: orNull(distribution()),
    unit: "ms",
    doc: "DNS and TCP of a dial; one round trip unless said otherwise",
  },
  tlsMsecs: {
    default: null,
    check: orNull(distribution()),
    unit: "ms",
    doc: "TLS of a dial to an https origin; one round trip unless said otherwise",
  },
  handshakeMsecs: {
    default: 0,
    check: finite,
    unit: "ms",
    doc: "what a TLS handshake takes of the client's processor",
  },
  lagMsecs: {
    default: 0,
    check: finite,
    unit: "ms",
    doc: "what arrives is noticed up to so much later: a busy event loop",
  },
} as const satisfies Rules<NetworkOptions>;

/** The table of servers. */
export const serverRules = {
  serviceMsecs: {
    default: 10,
    check: distribution(),
    unit: "ms",
    doc: "from a request's arrival to its response, without waiting for `capacity`",
  },
  idleTimeoutMsecs: {
    default: Number.POSITIVE_INFINITY,
    check: distribution("or never"),
    unit: "ms",
    doc: "it closes a connection that was idle for so long",
  },
  hintMsecs: {
    default: null,
    check: orNull(finite),
    unit: "ms",
    doc: "`Keep-Alive: timeout` of its responses; null says nothing",
  },
  capacity: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(1, "or Infinity"),
    unit: "requests",
    doc: "requests it works on at once; others wait in the order of arrival",
  },
  maxRequests: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(1, "or Infinity"),
    unit: "requests",
    doc: "it closes a connection with its so-manieth response",
  },
  dialFailureShare: { default: 0, check: share, unit: null, doc: "share of dials that fail" },
  requestFailureShare: {
    default: 0,
    check: share,
    unit: null,
    doc: "share of requests under which the connection breaks before the response",
  },
  restartEveryMsecs: {
    default: Number.POSITIVE_INFINITY,
    check: duration("above 0"),
    unit: "ms",
    doc: "it closes all connections every so often, with what is under way on them",
  },
} as const satisfies Rules<ServerOptions>;

/** The way to one origin, and its server, ready to draw from. */
export interface Surroundings {
  readonly isTls: boolean;
  readonly wayMsecs: Msecs;
  readonly connect: Sampler;
  readonly tls: Sampler;
  readonly handshakeMsecs: Msecs;
  readonly lagMsecs: Msecs;
  readonly service: Sampler;
  /** Null when it never closes an idle connection. */
  readonly idleTimeout: Sampler | null;
  readonly server: ServerOptions;
}

/** What is around a client, by origin. */
export class Environment {
  readonly #where: string;
  readonly #network: NetworkOptions;
  readonly #servers: ServerOptions;
  readonly #networks: ReadonlyMap<string, NetworkOptions>;
  readonly #serversByOrigin: ReadonlyMap<string, ServerOptions>;

  /** @throws InvalidOptionError */
  constructor(network: GivenNetwork = {}, servers: GivenServers = {}, where = "simulate()") {
    this.#where = where;
    const { origins: networks, ...ownNetwork } = object(network, "network", where);
    const { origins: byOrigin, ...ownServers } = object(servers, "servers", where);
    this.#network = resolveOptions<NetworkOptions>(networkRules, ownNetwork, where, "network.");
    this.#servers = resolveOptions<ServerOptions>(serverRules, ownServers, where, "servers.");
    this.#networks = resolveEach(networkRules, networks, "network", this.#network, where);
    this.#serversByOrigin = resolveEach(serverRules, byOrigin, "servers", this.#servers, where);
  }

  /** What is around `origin`. */
  of(origin: string): Surroundings {
    const network = this.#networks.get(origin) ?? this.#network;
    const server = this.#serversByOrigin.get(origin) ?? this.#servers;
    const { roundTripMsecs, connectMsecs, tlsMsecs, handshakeMsecs, lagMsecs } = network;
    const where = this.#where;
    const { idleTimeoutMsecs } = server;
    const isEndless = idleTimeoutMsecs === Number.POSITIVE_INFINITY;
    return {
      isTls: origin.startsWith("https:"),
      wayMsecs: roundTripMsecs / 2,
      connect: samplerOf(connectMsecs ?? roundTripMsecs, "network.connectMsecs", where),
      tls: samplerOf(tlsMsecs ?? roundTripMsecs, "network.tlsMsecs", where),
      handshakeMsecs,
      lagMsecs,
      service: samplerOf(server.serviceMsecs, "servers.serviceMsecs", where),
      idleTimeout: isEndless
        ? null
        : samplerOf(idleTimeoutMsecs, "servers.idleTimeoutMsecs", where),
      server,
    };
  }
}

/**
 * `given` as `URL` writes origins.
 *
 * @throws InvalidOptionError
 */
export function originOf(given: unknown, path: string, where: string): string {
  if (
    typeof given === "string" &&
    /^https?:\/\/[^/\\?#@\s*]+\/?$/i.test(given) &&
    URL.canParse(given)
  ) {
    return new URL(given).origin;
  }
  const nature = typeof given === "string" ? "RangeError" : "TypeError";
  const shown = show(typeof given === "string" ? given.replace(/^.*@/s, "…@") : given);
  const message = `${where}: ${path} must be an origin such as "https://api.example.com", not ${shown}`;
  throw new InvalidOptionError(path, nature, message);
}

function resolveEach<O extends object>(
  rules: Rules<O>,
  given: unknown,
  path: string,
  base: O,
  where: string,
): ReadonlyMap<string, O> {
  if (given === undefined) return new Map();
  const entries = Object.entries(object(given, `${path}.origins`, where));
  return new Map(
    entries.map(([name, each]) => {
      const origin = originOf(name, `a name in ${path}.origins`, where);
      return [origin, resolveOptions<O>(rules, each, where, `${path}.origins.${name}.`, base)];
    }),
  );
}

function object<O>(given: O, path: string, where: string): O & object {
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return given;
  const message = `${where}: ${path} must be an object, not ${show(given)}`;
  throw new InvalidOptionError(path, "TypeError", message);
}
