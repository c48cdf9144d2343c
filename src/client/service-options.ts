/**
 * The options of services and their lanes: checked, completed with the client's, and merged with later changes.
 * Invariant: what was given is kept as it was given, so that resolving it again applies a change of the client's options.
 */
import { InvalidOptionError } from "../core/errors.ts";
import {
  checkReservations,
  defaultName,
  type LaneOptions,
  laneRules,
  plainLane,
  type ServicePolicy,
} from "../core/lane-options.ts";
import type { PoolOptions } from "../core/options.ts";
import { type OriginPattern, OriginPatterns, overlap } from "../core/origin-pattern.ts";
import {
  type Given,
  invalidOption,
  nearest,
  ofType,
  type Rules,
  resolveOptions,
  show,
} from "../core/rules.ts";
import { checkTuning, mergeTuning } from "../core/tuning-options.ts";
import type { HeaderFields } from "../http1/request-head.ts";
import { liveRules, type RequestTimeouts, type ResolvedOptions } from "./options.ts";

/** What of a request decides its lane. */
export interface LaneRequest {
  /** As it is sent. */
  readonly method: string;
  /** `protocol://host:port`, without a default port. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  /** As the request was given them; undefined when it has none. */
  readonly headers: HeaderFields | undefined;
}

/** The options that a service has of its own, complete. All but `maxTotalSockets` are the client's when absent. */
export interface ServiceSettings
  extends PoolOptions,
    RequestTimeouts,
    Pick<ResolvedOptions, "resend" | "leakTimeoutMsecs" | "maxHeaderBytes"> {
  /** Open sockets of all origins of the service together. `Infinity`, the default, means no limit but the client's. */
  readonly maxTotalSockets: number;
}

/** What `new Client({ services: { name: … } })` takes. */
export interface ServiceOptions extends Given<ServiceSettings> {
  /**
   * Which origins are its own: no other service may have them. At least one; only the service `default` has none,
   * which serves all origins that no other has. A function is asked after the exact origins and wildcards, also about
   * the exact origins of other services, and must always say the same of an origin.
   */
  readonly origins?: OriginPattern | readonly OriginPattern[] | undefined;
  /** Lanes by name. `default`, the lane of requests that name none, is always among them. */
  readonly lanes?: Readonly<Record<string, Given<LaneOptions>>> | undefined;
  /** Names the lane of a request that does not name one itself; undefined means `default`. */
  readonly laneFor?: ((request: LaneRequest) => string | undefined) | undefined;
}

/** What `client.configureService()` takes: what is absent stays as it is, and a lane that is null is removed. */
export interface LiveServiceOptions extends Omit<ServiceOptions, "lanes"> {
  /** Lanes to add, to change, or to remove. Removing `default` takes its options back. */
  readonly lanes?: Readonly<Record<string, Given<LaneOptions> | null>> | undefined;
}

/** A service, complete. */
export interface ResolvedService extends ServicePolicy {
  /** Null for the service `default`. */
  readonly origins: OriginPatterns | null;
  /** What was given, in a copy: to resolve it again. */
  readonly given: ServiceOptions;
  /** Null when none was given. */
  readonly laneFor: ((request: LaneRequest) => string | undefined) | null;
  readonly options: Readonly<ServiceSettings>;
}

const { maxOrigins, ...settingsRules } = liveRules;

/** The table. What is undefined by default is the client's, or absent. */
export const serviceRules = {
  ...settingsRules,
  maxTotalSockets: {
    ...liveRules.maxTotalSockets,
    doc: "open sockets of all origins of the service together",
  },
  // `origins` and `lanes` are checked piece by piece, so that a message names the piece.
  origins: {
    default: undefined,
    check: () => null,
    unit: null,
    doc: 'origins of the service: `"https://api.example.com"`, `"https://*.example.com"`, a function, or several of these',
  },
  lanes: {
    default: undefined,
    check: () => null,
    unit: null,
    doc: `kinds of request by name, each with: ${Object.keys(laneRules).join(", ")}`,
  },
  laneFor: {
    default: undefined,
    check: ofType("function", "a function of a request that returns the name of a lane"),
    unit: null,
    doc: "names the lane of a request that does not name one itself",
  },
} as const satisfies Rules<ServiceTable>;

type ServiceTable = ServiceSettings & {
  [K in "origins" | "lanes" | "laneFor"]: ServiceOptions[K];
};

/**
 * Completes the services that a user gave with the options of the client. The first one is always `default`.
 *
 * @param where What the options are for, to begin a message with, as in `new Client()`.
 * @throws InvalidOptionError, with a path such as `services.payments.lanes.reports.weight`.
 */
export function resolveServices(
  given: Readonly<Record<string, ServiceOptions>> | undefined,
  client: Pick<ResolvedOptions, keyof ServiceSettings>,
  where: string,
): ReadonlyMap<string, ResolvedService> {
  // A map keeps the place of the first entry, and the value of the last.
  const all = new Map<string, unknown>([[defaultName, {}], ...namedIn(given, "services", where)]);
  const services = new Map<string, ResolvedService>();
  for (const [name, each] of all) services.set(name, resolveService(name, each, client, where));
  const resolved = [...services.values()];
  checkOrigins(resolved, where);
  checkReservations(resolved, client.maxTotalSockets, where);
  return services;
}

/**
 * `given` with the changes that a user gave to `client.configureService()`: the next thing to resolve.
 *
 * @throws InvalidOptionError when `change` is no object; what is in it is checked when it is resolved.
 */
export function mergeService(given: ServiceOptions, change: LiveServiceOptions): ServiceOptions {
  requireObject(change, "options", "client.configureService()");
  const { lanes, ...others } = change;
  const tuning =
    given.tuning === undefined ? change.tuning : mergeTuning(given.tuning, change.tuning);
  const merged: ServiceOptions = merge(given, { ...others, tuning });
  return lanes === undefined ? merged : { ...merged, lanes: mergeLanes(given.lanes, lanes) };
}

/**
 * The lane of `service` with this name.
 *
 * @throws InvalidOptionError when there is none; it names those there are.
 */
export function findLane(service: ResolvedService, lane: string, where: string): LaneOptions {
  const found = service.lanes.get(lane);
  if (found !== undefined) return found;
  const mostListed = 20;
  const names = [...service.lanes.keys()];
  const listed = names.slice(0, mostListed).map((each) => show(each));
  if (names.length > mostListed) listed.push(`… and ${names.length - mostListed} more`);
  // A program without types may give anything.
  const nature = typeof lane === "string" ? "RangeError" : "TypeError";
  const near = typeof lane === "string" ? nearest(names, lane) : null;
  const hint = near === null ? "" : `; did you mean ${show(near)}?`;
  const message = `${where}: lane must be one of ${listed.join(", ")} of service ${service.name}, not ${show(lane)}${hint}`;
  throw new InvalidOptionError("lane", nature, message);
}

/**
 * The service of this name.
 *
 * @throws InvalidOptionError when there is none; it names those there are.
 */
export function findService(
  services: ReadonlyMap<string, ResolvedService>,
  name: string,
  where: string,
): ResolvedService {
  const service = services.get(name);
  if (service !== undefined) return service;
  const names = [...services.keys()].map((each) => show(each)).join(", ");
  const message = `${where}: service must be one of ${names}, not ${show(name)}`;
  const nature = typeof name === "string" ? "RangeError" : "TypeError";
  throw new InvalidOptionError("service", nature, message);
}

/**
 * The lane that `laneFor` of the service has for a request that names none.
 *
 * @throws InvalidOptionError when it names one that is not there.
 */
export function chooseLane(
  service: ResolvedService,
  laneFor: NonNullable<ResolvedService["laneFor"]>,
  request: LaneRequest,
): string {
  const chosen = laneFor(request) ?? defaultName;
  findLane(service, chosen, `services.${service.name}.laneFor()`);
  return chosen;
}

function resolveService(
  name: string,
  given: unknown,
  client: Pick<ResolvedOptions, keyof ServiceSettings>,
  where: string,
): ResolvedService {
  const path = `services.${name}`;
  const base: ServiceTable = {
    ...client,
    maxTotalSockets: serviceRules.maxTotalSockets.default,
    origins: undefined,
    lanes: undefined,
    laneFor: undefined,
  };
  const resolved = resolveOptions<ServiceTable>(serviceRules, given, where, `${path}.`, base);
  const { origins, lanes, laneFor, ...own } = resolved;
  const tuning = mergeTuning(client.tuning, (given as ServiceOptions).tuning);
  const settings = { ...own, tuning };
  checkTuning(settings, where, `${path}.`);
  checkReady(settings, client.maxTotalSockets, path, where);
  const kept = mergeService({}, given as ServiceOptions);
  const common = {
    name,
    laneFor: laneFor ?? null,
    options: Object.freeze(settings),
    maxTotalSockets: settings.maxTotalSockets,
    lanes: resolveLanes(lanes, settings, `${path}.lanes`, where),
  };
  if (name === defaultName) {
    if (origins !== undefined) throw originRefusal(`${path}.origins`, origins, noOrigins, where);
    return { ...common, origins: null, given: kept, holds: () => true };
  }
  const patterns = normalizeAll(origins, `${path}.origins`, where);
  const held = new OriginPatterns(patterns);
  return {
    ...common,
    origins: held,
    given: { ...kept, origins: patterns },
    holds: (origin) => held.has(origin),
  };
}

/** As `checkTogether` does for a client; a service has the limits of both. */
function checkReady(
  settings: ServiceSettings,
  maxTotalSockets: number,
  path: string,
  where: string,
): void {
  const { minFreeSockets, maxFreeSockets, maxSockets, maxTotalSockets: ofService } = settings;
  const most = Math.min(maxFreeSockets, maxSockets, ofService, maxTotalSockets);
  if (minFreeSockets <= most) return;
  const allowed = `at most ${most}, the least of the service's maxFreeSockets, maxSockets and maxTotalSockets and the client's maxTotalSockets`;
  const fault = { nature: "RangeError", allowed } as const;
  throw invalidOption(`${path}.minFreeSockets`, minFreeSockets, fault, where);
}

function resolveLanes(
  given: unknown,
  settings: ServiceSettings,
  path: string,
  where: string,
): ReadonlyMap<string, LaneOptions> {
  const named = new Map(namedIn(given, path, where));
  if (!named.has(defaultName)) named.set(defaultName, {});
  const base = plainLane(settings);
  const lanes = new Map<string, LaneOptions>();
  for (const [name, each] of named) {
    const prefix = `${path}.${name}.`;
    const lane = resolveOptions<Partial<LaneOptions>>(laneRules, each, where, prefix, base);
    // Complete, because `base` is.
    lanes.set(name, lane as LaneOptions);
  }
  return lanes;
}

/** What the object `given` holds, undefined values left out. */
function namedIn(given: unknown, path: string, where: string): [name: string, value: unknown][] {
  if (given === undefined) return [];
  requireObject(given, path, where);
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [name] of named) {
    // Names become keys of plain objects in snapshots, which `__proto__` cannot be.
    if (/^\P{Cc}{1,64}$/u.test(name) && name !== "__proto__") continue;
    const allowed = "1 to 64 characters without control characters, and not __proto__";
    const message = `${where}: a name in ${path} must be ${allowed}, not ${show(name)}`;
    throw new InvalidOptionError(path, "RangeError", message);
  }
  return named;
}

const originsAllowed =
  'an origin such as "https://api.example.com", "https://*.example.com" for all hosts below it, a function of an origin, or an array of one or more of these';
const noOrigins = "absent (this service has all origins that no other has)";

function normalizeAll(given: unknown, path: string, where: string): OriginPattern[] {
  if (!Array.isArray(given)) return [normalize(given, path, where)];
  const all = Object.entries<unknown>(given).map(([index, each]) =>
    normalize(each, `${path}[${index}]`, where),
  );
  if (all.length > 0) return all;
  const message = `${where}: ${path} must be ${originsAllowed}, not an empty array`;
  throw new InvalidOptionError(path, "RangeError", message);
}

/** `given` as `URL` writes origins. */
function normalize(given: unknown, path: string, where: string): OriginPattern {
  if (typeof given === "function") return given as OriginPattern;
  if (typeof given !== "string") throw originRefusal(path, given, originsAllowed, where);
  // `URL` would trim spaces, turn backslashes round, and drop an empty query.
  const parts = /^(https?:\/\/)(\*\.)?([^/\\?#@\s]+)\/?$/i.exec(given);
  if (parts === null) throw originRefusal(path, given, originsAllowed, where);
  const [, protocol, wildcard = "", host] = parts;
  const url = `${protocol}${wildcard}${host}`;
  if (!URL.canParse(url)) throw originRefusal(path, given, originsAllowed, where);
  const { origin, hostname } = new URL(url);
  const domain = hostname.slice(wildcard.length);
  // Looked at after decoding: "%2a" and "。" are ways to write "*" and ".".
  if (domain === "" || /^\.|\.\.|\*/.test(domain))
    throw originRefusal(path, given, originsAllowed, where);
  return origin;
}

/** A user name and password have no place in a message. */
function originRefusal(path: string, given: unknown, allowed: string, where: string) {
  const shown = typeof given === "string" ? given.replace(/^.*@/s, "…@") : given;
  const nature = typeof given === "string" ? "RangeError" : "TypeError";
  return invalidOption(path, shown, { nature, allowed }, where);
}

function checkOrigins(services: readonly ResolvedService[], where: string): void {
  for (const [index, { name, origins }] of services.entries()) {
    if (origins === null) continue;
    for (const earlier of services.slice(0, index)) {
      const shared = earlier.origins === null ? null : overlap(earlier.origins, origins);
      if (shared === null) continue;
      const path = `services.${name}.origins`;
      const message = `${where}: ${path} must not have ${show(shared)}, which services.${earlier.name}.origins has`;
      throw new InvalidOptionError(path, "RangeError", message);
    }
  }
}

/** What is no object stays in, to be refused with its path when it is resolved. */
function mergeLanes(
  given: NonNullable<ServiceOptions["lanes"]> = {},
  change: NonNullable<LiveServiceOptions["lanes"]>,
): NonNullable<ServiceOptions["lanes"]> {
  if (!isObject(change)) return change;
  const lanes = new Map(Object.entries(given));
  for (const [name, lane] of Object.entries(change)) {
    if (lane === null) lanes.delete(name);
    else if (lane !== undefined)
      lanes.set(name, isObject(lane) ? merge(lanes.get(name) ?? {}, lane) : lane);
  }
  return Object.fromEntries(lanes);
}

/** `given` with what `change` defines. */
function merge<O extends object>(given: O, change: O): O {
  const defined = Object.entries(change).filter(([, value]) => value !== undefined);
  return { ...given, ...Object.fromEntries(defined) };
}

function requireObject(given: unknown, path: string, where: string): asserts given is object {
  if (isObject(given)) return;
  throw invalidOption(path, given, { nature: "TypeError", allowed: "an object" }, where);
}

function isObject(given: unknown): given is object {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}
