/**
 * One client as metrics of OpenTelemetry: `http.client.*` and `dns.lookup.duration` as the semantic conventions have them, and what
 * these do not know, the queues, under `keepline.client.*`, named as the conventions name the same of database clients.
 */
import type {
  Attributes,
  BatchObservableResult,
  Histogram,
  Meter,
  Observable,
} from "@opentelemetry/api";
import type { Msecs } from "../core/clock.ts";
import type { Pools } from "../core/pools.ts";
import type { DialFacts } from "../core/port.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Http1Connection } from "../http1/connection.ts";
import type { ConnectionUser } from "../http1/connection-user.ts";
import type { Watcher } from "../observe/observing.ts";
import type { HttpLease, Sighting } from "../observe/sighting.ts";
import { serviceTally } from "../observe/totals.ts";
import { errorTypeOf, methodOf, serverOf } from "./attributes.ts";

type HttpPools = Pools<ConnectionUser, Http1Connection>;

/** In seconds, as the semantic conventions advise for requests. */
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** As they advise for connections. */
const lifeBuckets = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

/** Records durations when they end, and shows sizes and counters when they are collected. */
export class MeterWatcher implements Watcher {
  readonly #pools: HttpPools;
  readonly #meter: Meter;
  readonly #requestDuration: Histogram;
  readonly #connectionDuration: Histogram;
  readonly #lookupDuration: Histogram;
  readonly #waitTime: Histogram;
  readonly #createTime: Histogram;
  readonly #useTime: Histogram;
  readonly #observables: ReturnType<typeof observablesOf>;
  readonly #observe = (result: BatchObservableResult): void => this.#show(result);

  constructor(pools: HttpPools, meter: Meter) {
    this.#pools = pools;
    this.#meter = meter;
    const seconds = (
      name: string,
      description: string,
      explicitBucketBoundaries = requestBuckets,
    ) =>
      meter.createHistogram(name, { description, unit: "s", advice: { explicitBucketBoundaries } });
    this.#requestDuration = seconds(
      "http.client.request.duration",
      "Duration of HTTP client requests.",
    );
    this.#connectionDuration = seconds(
      "http.client.connection.duration",
      "The duration of the successfully established outbound HTTP connections.",
      lifeBuckets,
    );
    this.#lookupDuration = seconds(
      "dns.lookup.duration",
      "Measures the time taken to perform a DNS lookup.",
    );
    const own = "keepline.client.connection";
    this.#waitTime = seconds(`${own}.wait_time`, "How long requests waited for a connection.");
    this.#createTime = seconds(`${own}.create_time`, "How long it took to open connections.");
    this.#useTime = seconds(`${own}.use_time`, "How long requests held their connection.");
    this.#observables = observablesOf(meter);
    meter.addBatchObservableCallback(this.#observe, this.#list);
  }

  /** Shows nothing any more. */
  end(): void {
    this.#meter.removeBatchObservableCallback(this.#observe, this.#list);
  }

  granted(seen: Sighting, _lease: HttpLease, now: Msecs): void {
    // As `stats()`: who is sent again has waited once.
    if (seen.resends > 0) return;
    this.#waitTime.record((now - seen.createdAt) / 1_000, laneOf(seen));
  }

  resent(seen: Sighting, _failed: HttpLease, _isWritten: boolean, now: Msecs): void {
    this.#used(seen, now);
  }

  ended(seen: Sighting, now: Msecs): void {
    this.#used(seen, now);
    const { statusCode } = seen;
    const isFault = statusCode !== null && statusCode >= 400;
    this.#over(seen, now, isFault ? { "error.type": String(statusCode) } : {});
  }

  failed(seen: Sighting, error: unknown, now: Msecs): void {
    this.#used(seen, now);
    // Who wants no more of a response has had what was wanted.
    this.#over(seen, now, error === null ? {} : { "error.type": errorTypeOf(error) });
  }

  opened({ pool, state, transport }: HttpLease, _facts: DialFacts, now: Msecs): void {
    const since = state.kind === "dialing" ? state.since : now;
    const attributes = { "keepline.service": pool.service.name, ...serverOf(pool.origin) };
    this.#createTime.record((now - since) / 1_000, attributes);
    const dnsMsecs = transport?.dialTimings?.dns ?? null;
    if (dnsMsecs === null) return;
    const name = serverOf(pool.origin)["server.address"] as string;
    this.#lookupDuration.record(dnsMsecs / 1_000, { "dns.question.name": name });
  }

  retired({ pool, state, openedAt }: HttpLease, _reason: RetireReason, now: Msecs): void {
    if (state.kind !== "closed" || state.before.kind === "dialing") return;
    this.#connectionDuration.record((now - openedAt) / 1_000, serverOf(pool.origin));
  }

  #used(seen: Sighting, now: Msecs): void {
    const { lease, grantedAt } = seen;
    if (lease !== null && grantedAt !== null) {
      this.#useTime.record((now - grantedAt) / 1_000, laneOf(seen));
    }
  }

  #over(seen: Sighting, now: Msecs, error: Attributes): void {
    const { statusCode } = seen;
    this.#requestDuration.record((now - seen.createdAt) / 1_000, {
      "http.request.method": methodOf(seen.method),
      ...serverOf(seen.origin),
      ...(statusCode === null ? {} : { "http.response.status_code": statusCode }),
      "network.protocol.version": "1.1",
      ...error,
    });
  }

  get #list(): Observable[] {
    return Object.values(this.#observables);
  }

  #show(result: BatchObservableResult): void {
    const shown = this.#observables;
    for (const [origin, { idle, busy, requests }] of byOrigin(this.#pools)) {
      const server = serverOf(origin);
      const state = (name: string) => ({ ...server, "http.connection.state": name });
      result.observe(shown.openConnections, idle, state("idle"));
      result.observe(shown.openConnections, busy, state("active"));
      result.observe(shown.activeRequests, requests, server);
    }
    for (const service of this.#pools.services) {
      const ofService = { "keepline.service": service.name };
      const { tally, allLanes, lanes } = serviceTally(this.#pools, service);
      const { maxSockets, maxFreeSockets } = service.options;
      const limit = (of: string) => ({ ...ofService, "keepline.limit": of });
      observeFinite(result, shown.max, service.budget.limit, limit("maxTotalSockets"));
      observeFinite(result, shown.max, maxSockets, limit("maxSockets"));
      observeFinite(result, shown.idleMax, maxFreeSockets, limit("maxFreeSockets"));
      result.observe(shown.requests, allLanes.requests, ofService);
      result.observe(shown.resends, tally.resent, ofService);
      result.observe(shown.reused, allLanes.reused, ofService);
      for (const [reason, count] of Object.entries(tally.closed)) {
        result.observe(shown.closed, count, { ...ofService, "keepline.retire.reason": reason });
      }
      for (const lane of service.lanes.values()) {
        const ofLane = { ...ofService, "keepline.lane": lane.name };
        result.observe(shown.pending, lane.pending, ofLane);
        const { timedOut = 0, refused = 0, shed = 0 } = lanes.get(lane.name) ?? {};
        result.observe(shown.timeouts, timedOut, ofLane);
        result.observe(shown.refused, refused + shed, ofLane);
      }
    }
  }
}

function observablesOf(meter: Meter) {
  const own = "keepline.client";
  const unit = (text: string, description: string) => ({ unit: text, description });
  return {
    openConnections: meter.createObservableUpDownCounter(
      "http.client.open_connections",
      unit(
        "{connection}",
        "Number of outbound HTTP connections that are currently active or idle.",
      ),
    ),
    activeRequests: meter.createObservableUpDownCounter(
      "http.client.active_requests",
      unit("{request}", "Number of active HTTP requests."),
    ),
    pending: meter.createObservableUpDownCounter(
      `${own}.connection.pending_requests`,
      unit("{request}", "Requests that wait for a connection."),
    ),
    max: meter.createObservableUpDownCounter(
      `${own}.connection.max`,
      unit("{connection}", "Sockets that may be open: of the service, and of each of its origins."),
    ),
    idleMax: meter.createObservableUpDownCounter(
      `${own}.connection.idle.max`,
      unit("{connection}", "Idle sockets that are kept, of each origin of the service."),
    ),
    timeouts: meter.createObservableCounter(
      `${own}.connection.timeouts`,
      unit("{timeout}", "Requests that waited for a connection longer than they may."),
    ),
    refused: meter.createObservableCounter(
      `${own}.connection.refusals`,
      unit(
        "{request}",
        "Requests that were refused at once: the queue was full, or too slow for them.",
      ),
    ),
    closed: meter.createObservableCounter(
      `${own}.connection.closed`,
      unit("{connection}", "Closed connections by reason."),
    ),
    requests: meter.createObservableCounter(
      `${own}.requests`,
      unit("{request}", "Requests that asked for a connection."),
    ),
    reused: meter.createObservableCounter(
      `${own}.request.reuses`,
      unit("{request}", "Requests on a connection that had carried one before."),
    ),
    resends: meter.createObservableCounter(
      `${own}.request.resends`,
      unit("{request}", "Times that a request was sent again because its connection failed."),
    ),
  };
}

function observeFinite(
  result: BatchObservableResult,
  observable: Observable,
  value: number,
  attributes: Attributes,
): void {
  if (value !== Number.POSITIVE_INFINITY) result.observe(observable, value, attributes);
}

/** Several pools of one origin, as agents have them, are one. */
function byOrigin(pools: HttpPools) {
  const origins = new Map<string, { idle: number; busy: number; requests: number }>();
  for (const { origin, budget, lanes } of pools.all) {
    const sum = origins.get(origin) ?? { idle: 0, busy: 0, requests: 0 };
    sum.idle += budget.idleCount;
    sum.busy += budget.busy;
    for (const place of lanes.all) sum.requests += place.held + place.queue.count;
    origins.set(origin, sum);
  }
  return origins;
}

function laneOf({ service, lane, origin }: Sighting): Attributes {
  return { "keepline.service": service, "keepline.lane": lane, ...serverOf(origin) };
}
