/**
 * The options of a lane, in one table, and those of a service as far as they steer the core.
 */
import type { Msecs } from "./clock.ts";
import { coreRules, type PoolOptions } from "./options.ts";
import { invalidOption, ofType, oneOf, type Rules, wholeNumber } from "./rules.ts";

/** What becomes of a request that no connection is free for: see `LaneOptions.overload`. */
export type Overload = "queue" | "reject" | "newest-first";

/** One kind of request inside a service. Limits apply per origin, as those of the service do. */
export interface LaneOptions {
  /** Share of the service's sockets while several lanes wait, in proportion to the other weights: from 1 to 1,000. */
  readonly weight: number;
  /** Sockets that no other lane may take, idle or not: of each origin's `maxSockets`, and of every `maxTotalSockets`. 0 reserves none. */
  readonly reservedSockets: number;
  /** Requests of this lane under way per origin, which for HTTP/1.1 are its sockets. `Infinity`: as many as the service has. */
  readonly maxSockets: number;
  /** Requests of this lane per origin that may wait without a dial of their own. The service's own when absent. */
  readonly maxPending: number;
  /** Longest wait for a connection in ms. The service's own when absent. */
  readonly queueTimeoutMsecs: Msecs;
  /** The whole request in ms, queue included. The service's own when absent. */
  readonly requestTimeoutMsecs: Msecs;
  /**
   * `queue`: they wait, first come first served, and beyond `maxPending` new ones are refused. `reject`: none waits for a
   * connection that another request has; only for its own dial. `newest-first`: they wait, the newest is served first, and beyond `maxPending` the oldest is refused.
   */
  readonly overload: Overload;
  /** Refuse a request at once that would meet its `queueTimeoutMsecs` or `requestTimeoutMsecs` in the queue, by the measured service times. */
  readonly shedLate: boolean;
}

/** What of a service the core needs. */
export interface ServicePolicy {
  /** `default` for the service of all origins that no other one has. */
  readonly name: string;
  /** Limits and habits of the pool of each of its origins. */
  readonly options: PoolOptions;
  /** Open sockets of all its origins together; `Infinity` means no limit but the client's. */
  readonly maxTotalSockets: number;
  /** By name; `default` is always among them. */
  readonly lanes: ReadonlyMap<string, LaneOptions>;
  /** Whether `origin` is one of its own. Not asked of `default`. */
  readonly holds: (origin: string) => boolean;
}

/** The name of the service of unclaimed origins, and of the lane of requests that name none. */
export const defaultName = "default";

/** The table. What is undefined by default is taken from the service. */
export const laneRules = {
  weight: {
    default: 1,
    check: wholeNumber(1, 1_000),
    unit: null,
    doc: "share of the sockets while several lanes wait, in proportion to the other weights",
  },
  reservedSockets: {
    default: 0,
    check: wholeNumber(0, "finite"),
    unit: "sockets",
    doc: "sockets that no other lane may take: of each origin's `maxSockets`, and of `maxTotalSockets`",
  },
  maxSockets: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(1, "or Infinity"),
    unit: "sockets",
    doc: "sockets per origin that the lane may use at once",
  },
  maxPending: {
    ...coreRules.maxPending,
    default: undefined,
    doc: "requests of the lane that may wait per origin; the service's `maxPending` when absent",
  },
  queueTimeoutMsecs: {
    ...coreRules.queueTimeoutMsecs,
    default: undefined,
    doc: "longest wait for a connection; the service's `queueTimeoutMsecs` when absent",
  },
  requestTimeoutMsecs: {
    ...coreRules.queueTimeoutMsecs,
    default: undefined,
    doc: "the whole request, queue included; the service's `requestTimeoutMsecs` when absent",
  },
  overload: {
    default: "queue",
    check: oneOf("queue", "reject", "newest-first"),
    unit: null,
    doc: 'what becomes of requests that no connection is free for: `"queue"`, `"reject"` or `"newest-first"`',
  },
  shedLate: {
    default: false,
    check: ofType("boolean", "true or false"),
    unit: null,
    doc: "refuse a request at once that would meet its timeout in the queue",
  },
} as const satisfies Rules<Partial<LaneOptions>>;

/** A lane of which nothing is said. */
export function plainLane(
  service: Pick<LaneOptions, "maxPending" | "queueTimeoutMsecs" | "requestTimeoutMsecs">,
): LaneOptions {
  const { weight, reservedSockets, maxSockets, overload, shedLate } = laneRules;
  return {
    weight: weight.default,
    reservedSockets: reservedSockets.default,
    maxSockets: maxSockets.default,
    maxPending: service.maxPending,
    queueTimeoutMsecs: service.queueTimeoutMsecs,
    requestTimeoutMsecs: service.requestTimeoutMsecs,
    overload: overload.default,
    shedLate: shedLate.default,
  };
}

/**
 * Checks what no single row of the tables can: that the reservations of all services hold together, and
 * leave something for those who have none.
 *
 * @throws InvalidOptionError
 */
export function checkReservations(
  services: readonly ServicePolicy[],
  maxTotalSockets: number,
  where: string,
): void {
  for (const { name, options, lanes, maxTotalSockets: ofService } of services) {
    const path = `services.${name}.lanes`;
    for (const [lane, { reservedSockets, maxSockets }] of lanes) {
      if (reservedSockets <= maxSockets) continue;
      const allowed = `at most ${maxSockets}, the lane's maxSockets`;
      throw refusal(`${path}.${lane}.reservedSockets`, reservedSockets, allowed, where);
    }
    const all = [...lanes.values()];
    checkSum(all, options.maxSockets, `maxSockets of service ${name}`, path, where);
    checkSum(all, ofService, `maxTotalSockets of service ${name}`, path, where);
  }
  const all = services.flatMap(({ lanes }) => [...lanes.values()]);
  checkSum(all, maxTotalSockets, "maxTotalSockets of the client", "services.*.lanes", where);
}

function checkSum(
  lanes: readonly LaneOptions[],
  limit: number,
  limitName: string,
  path: string,
  where: string,
): void {
  const reserved = lanes.reduce((sum, each) => sum + each.reservedSockets, 0);
  // The others would never have a socket.
  const hasOthers = lanes.some((each) => each.reservedSockets === 0);
  const most = hasOthers ? limit - 1 : limit;
  if (reserved <= most) return;
  const less = hasOthers ? ", less one for the lanes without reservation" : "";
  const allowed = `at most ${most} in sum, ${limitName}${less}`;
  throw refusal(`${path}.*.reservedSockets`, reserved, allowed, where);
}

function refusal(option: string, value: number, allowed: string, where: string) {
  return invalidOption(option, value, { nature: "RangeError", allowed }, where);
}
